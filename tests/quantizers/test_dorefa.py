"""DoReFa: the published formula by hand, and gradients of its surrogate."""

import math

import pytest
import torch
from quantization_spaces import (
    assert_lends_what_it_quantizes,
    fits,
    lent,
    normal,
    pulled_back,
    space_of,
    train,
)

from sklearn_pb.quantizers import PACT, DoReFa


def published(weight, bits):
    """Zhou et al. (2016), equations 8 and 9, number by number."""
    if bits == 1:
        mean = sum(abs(w) for w in weight) / len(weight)
        return [mean if w >= 0 else -mean for w in weight]
    levels = 2**bits - 1
    largest = max(abs(math.tanh(w)) for w in weight)
    units = [math.tanh(w) / (2 * largest) + 0.5 for w in weight]
    return [2 * math.floor(levels * u + 0.5) / levels - 1 for u in units]


@pytest.mark.parametrize("bits", [1, 2, 3, 5])
def test_lends_the_published_levels(bits):
    weight = torch.tensor([0.31, -1.2, 0.04, -0.56, 2.0])
    run = DoReFa(bits=bits).start(space_of(weight, scale=None))
    expected = torch.tensor(published(weight.tolist(), bits))
    torch.testing.assert_close(lent(run, [weight])[0], expected)


def test_a_scale_keeps_the_size_of_weights():
    weight = torch.tensor([[0.1, -0.3], [0.02, 0.01]])
    squeezed = weight.tanh()
    layer = DoReFa(bits=8).start(space_of(weight, scale="layer"))
    values = lent(layer, [weight])[0]
    assert (values - squeezed).abs().max() <= 0.3 / 255 + 1e-6
    channel = DoReFa(bits=8).start(space_of(weight, scale="channel"))
    values = lent(channel, [weight])[0]
    assert (values - squeezed)[1].abs().max() <= 0.02 / 255 + 1e-6


@pytest.mark.parametrize("scale", [None, "layer"])
def test_gradient_is_that_of_the_squeezed_weight(scale):
    weight = normal(7).double()
    weight[3] = 4.0  # the largest, which the differences leave alone
    run = DoReFa(bits=2).start(space_of(weight, scale=scale))
    gradient = normal(7, seed=1).double()
    largest = weight.tanh().abs().max()

    def surrogate(w):
        unit = largest if scale is None else 1.0
        return (gradient * w.tanh() / unit).sum()

    h, slopes = 1e-6, []
    for i in range(7):
        move = torch.zeros(7, dtype=torch.float64)
        move[i] = h
        slopes.append((surrogate(weight + move) - surrogate(weight - move)) / (2 * h))
    found = pulled_back(run, [weight], [gradient])[0]
    torch.testing.assert_close(found, torch.stack(slopes), rtol=1e-6, atol=1e-9)


def test_the_gradient_of_a_sign_passes_all():
    weight, gradient = normal(5), normal(5, seed=1)
    run = DoReFa(bits=1).start(space_of(weight))
    assert torch.equal(pulled_back(run, [weight], [gradient])[0], gradient)


@pytest.mark.parametrize("bits", [1, 3])
def test_pruned_weights_stay_zero_on_a_grid_without_zero(bits):
    weight, alive = normal(4, 6), normal(4, 6, seed=2) > 0
    weight *= alive
    run = DoReFa(bits=bits).start(space_of(weight, alive=[alive], scale="channel"))
    values = lent(run, [weight])[0]
    assert torch.equal(values != 0, alive)
    gradient = pulled_back(run, [weight], [torch.ones(4, 6)])[0]
    assert torch.equal(gradient != 0, alive)
    tensor = run.quantize([weight])[0]
    assert torch.equal(tensor.bits, alive.to(torch.uint8) * bits)
    assert run.mean_bits() == pytest.approx(tensor.mean_bits)


def test_one_bit_is_scaled_by_the_mean_of_what_lives():
    weight = torch.tensor([1.0, -3.0, 0.0, 0.0])
    alive = torch.tensor([True, True, False, False])
    run = DoReFa(bits=1).start(space_of(weight, alive=[alive]))
    assert lent(run, [weight])[0].tolist() == [2.0, -2.0, 0.0, 0.0]


@pytest.mark.parametrize("scale", [None, "layer", "channel", "learned"])
def test_what_is_lent_is_what_codes_give(scale):
    weights = [normal(3, 5), normal(2, 3, 2, 2, seed=1), torch.zeros(4)]
    run = DoReFa().start(space_of(*weights, scale=scale, initial_bits=3))
    assert run.bits == 3
    assert_lends_what_it_quantizes(run, weights)
    codes = torch.cat([tensor.codes.flatten() for tensor in run.quantize(weights)])
    assert set(codes.tolist()) <= {-7, -5, -3, -1, 1, 3, 5, 7}


def test_training_finds_the_nearest_levels():
    weight = normal(6, seed=3) / 4
    wanted = torch.tensor([0.5, 0.5, -0.5, -0.5, 0.5, -0.5])
    run = train(DoReFa(bits=1).start(space_of(weight)), [weight], fits(wanted), 150)
    assert (lent(run, [weight])[0] - wanted).abs().max() < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 2.5}, r"target_bits=2\.5 must be a whole number"),
        ({"target": 100.0, "unit": "bytes"}, "a target in bytes needs a method"),
        ({"initial_bits": 20.0}, r"bits=20 must be an integer in \[1, 16\]"),
        ({"initial_bits": 3, "widths": (2, 4)}, r"bits=3 must be one of the widths"),
    ],
)
def test_says_what_it_cannot_do(options, message):
    with pytest.raises(ValueError, match=message):
        DoReFa().start(space_of(normal(3), **options))


def test_bits_come_from_the_method_then_the_target_then_the_start():
    weight = normal(3)
    assert DoReFa(bits=5).start(space_of(weight, target=2.0)).bits == 5
    assert DoReFa().start(space_of(weight, target=2.0)).bits == 2
    assert DoReFa().start(space_of(weight, initial_bits=6.0)).bits == 6


def test_checks_bits():
    with pytest.raises(ValueError, match=r"bits=0 must be"):
        DoReFa(bits=0).check()
    with pytest.raises(TypeError, match=r"bits=2\.0 must be an integer"):
        DoReFa(bits=2.0).check()
    with pytest.raises(ValueError, match=r"bits=17 must be"):
        DoReFa(activation_bits=17).check()


def test_may_bring_activations():
    assert DoReFa().default_activations() is None
    activations = DoReFa(activation_bits=3).default_activations()
    assert isinstance(activations, PACT)
    assert activations.bits == 3
