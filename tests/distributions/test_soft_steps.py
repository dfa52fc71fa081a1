"""Soft steps: the formulas, their inverses and their derivatives."""

import math

import pytest
import torch

from sklearn_pb.distributions import SOFT_STEPS, Algebraic, Arctan, Erf, Logistic

STEPS = [*(make() for make in SOFT_STEPS.values()), Algebraic(1.0), Algebraic(6.0)]
X = torch.linspace(-3, 3, 13, dtype=torch.float64)

FORMULAS = {
    Logistic(): lambda x: 1 / (1 + math.exp(-x)),
    Erf(): lambda x: (1 + math.erf(x)) / 2,
    Arctan(): lambda x: (1 + 2 / math.pi * math.atan(x)) / 2,
    Algebraic(3.0): lambda x: (1 + x / (1 + abs(x) ** 3) ** (1 / 3)) / 2,
}


@pytest.mark.parametrize("step", FORMULAS)
def test_formulas(step):
    expected = torch.tensor([FORMULAS[step](x) for x in X.tolist()]).double()
    torch.testing.assert_close(step.probabilities(X), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_inverses(step):
    theta = torch.tensor([1e-3, 0.2, 0.5, 0.9, 0.999], dtype=torch.float64)
    torch.testing.assert_close(step.probabilities(step.logits(theta)), theta)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_derivatives_by_differences(step):
    h = 1e-6
    expected = (step.probabilities(X + h) - step.probabilities(X - h)) / (2 * h)
    slope = step.backward_(torch.ones_like(X), step.probabilities(X))
    torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(step.derivative(X), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_out_it_is_a_step_without_nan(step, dtype):
    x = torch.tensor([-1e30, -1e4, 0.0, 1e4, 1e30], dtype=dtype)
    value = step.step_(x.clone())
    assert value[2] == 0.5 and (value.diff() >= 0).all()
    assert value[0] < 1e-6 and value[-1] > 1 - 1e-6
    assert torch.isfinite(step.backward_(torch.ones_like(value), value)).all()


def test_a_step_works_in_place():
    x = X.clone()
    for step in STEPS:
        assert step.step_(x) is x


def test_a_power_must_be_positive():
    with pytest.raises(ValueError, match="power=0 must be a number in"):
        Algebraic(0).check()
