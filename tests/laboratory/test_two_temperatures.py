"""Figure 1 of Colombo and Gao (2021): the steps and the objective."""

import pytest
import torch
from pruning import two_temperatures
from pruning.two_temperatures import (
    SHARP,
    GradientSteps,
    descend,
    make_masks,
    objective,
)


@pytest.fixture(name="data")
def make_data():
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(300, 64, generator=generator)
    return X, (X[:, 0] > X[:, 1]).float()


def test_with_equal_temperatures_the_slope_is_exact(data):
    w = (torch.rand(64, generator=torch.Generator().manual_seed(1)) / 500).double()
    X, y = (part.double() for part in data)
    theta = torch.linspace(-1, 1, 64).double()
    free = w.clone().requires_grad_()
    objective(torch.sigmoid(SHARP * free), theta, X, y).backward()
    steps = GradientSteps(w, SHARP, rate=0.5)
    steps.advance(0.0)
    v = steps.mask().clone().requires_grad_()
    (slope,) = torch.autograd.grad(objective(v, theta, X, y), v)
    steps.update(None, slope)
    assert torch.allclose(steps._w, w - 0.5 * free.grad, rtol=1e-10)


def test_small_w_cannot_tell_a_soft_slope_from_a_larger_rate():
    w, slope = torch.full((64,), 1e-4), torch.linspace(-1, 1, 64)
    ends = []
    for soft, rate in ((10.0, 1e-4), (1.0, 1e-3)):
        steps = GradientSteps(w, soft, rate)
        steps.advance(0.0)
        steps.update(None, slope)
        ends.append(steps._w)
    assert torch.allclose(*ends, rtol=1e-5)


def test_the_objective_is_equation_12():
    X, y = torch.tensor([[1.0, 2.0]]), torch.tensor([1.0])
    mask, theta = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 3.0])
    wanted = torch.log1p(torch.exp(torch.tensor(-0.5))) + 1e-3 * (1 + 0.25 + 9)
    assert objective(mask, theta, X, y) == pytest.approx(float(wanted))


@pytest.mark.parametrize("update", ["sgd", "rmsprop"])
def test_runs_of_a_seed_begin_alike_and_get_better(update, data, monkeypatch):
    monkeypatch.setattr(two_temperatures, "LOOKS", 4)
    masks = make_masks(update, 10.0, 0.01, seed=0)
    start = masks.mask().clone()
    assert torch.equal(start, make_masks("sgd", 1.0, 0.1, seed=0).mask())
    seen = list(descend(masks, *data, seed=0, steps=100))
    assert [step for step, *_ in seen] == [0, 25, 50, 75, 100]
    assert seen[-1][1] < seen[0][1]
    assert seen[0][2] == 64
