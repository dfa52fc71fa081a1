"""Scales by hand: of layers and channels, growing and learned."""

from dataclasses import replace

import pytest
import torch
from quantization_spaces import space_of

from sklearn_pb.quantizers import initial_scales
from sklearn_pb.quantizers._scales import Scales

WEIGHT = torch.tensor([[1.0, -3.0], [0.5, 0.0]])


@pytest.mark.parametrize(
    ("kind", "axis", "expected"),
    [
        (None, 0, 1.0),
        ("layer", 0, 1.5),
        ("learned", 1, 1.5),
        ("channel", 0, [[1.5], [0.25]]),
        ("channel", 1, [[0.5, 1.5]]),
    ],
)
def test_half_of_the_range(kind, axis, expected):
    (scale,) = initial_scales([WEIGHT], kind, [axis])
    assert scale.dtype == torch.float32
    assert torch.equal(scale, torch.tensor(expected))


def test_zeros_have_a_scale_too():
    weight = torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    channel, nothing = initial_scales([weight, weight * 0], "channel", [0, 0])
    assert channel.flatten().tolist() == [2.0, 2.0]
    assert nothing.flatten().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["layer", "channel"])
def test_growing_scales_let_weights_have_their_range(kind):
    space = space_of(WEIGHT, scale=kind)
    scales = Scales(space)
    grown = torch.tensor([[1.0, -3.0], [6.0, 0.0]])
    scales.grow_to([grown], [torch.tensor(1.5)])
    expected = 4.0 if kind == "layer" else torch.tensor([[2.0], [4.0]])
    assert torch.equal(scales.values[0], torch.as_tensor(expected))
    scales.grow_to([grown * 0], [torch.tensor(1.5)])
    assert torch.equal(scales.values[0], torch.as_tensor(expected))


def test_learned_scales_follow_their_gradient_and_stay_positive():
    scales = Scales(replace(space_of(WEIGHT, scale="learned"), n_steps=10))
    scales.step([torch.tensor(1.0)])
    assert scales.values[0] == pytest.approx(1.5 * torch.exp(torch.tensor(-0.2)))
    for _ in range(500):
        scales.step([torch.tensor(1.0)])
    assert scales.values[0] > 0


def test_they_go_on_from_a_saved_state():
    first, second = (Scales(space_of(WEIGHT, scale="learned")) for _ in range(2))
    first.step([torch.tensor(1.0)])
    second.load_state_dict(first.state_dict())
    for scales in (first, second):
        scales.step([torch.tensor(-2.0)])
    assert torch.equal(first.values[0], second.values[0])
