"""Straight-through: what it computes, and where it is known to fail."""

import pytest
import torch

from sklearn_pb.distributions import Cosine, Escort, Independent, Sigmoid
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.gradients import loorf, straight_through
from sklearn_pb.methods import MonteCarlo
from sklearn_pb.testing import check_gradient_estimator
from sklearn_pb.utils import RandomStream

C = 0.499


def descend(estimator, steps=400, learning_rate=1.0):
    """Minimise E[(z - C)^2] over one bit: z = 0 costs C^2, which is less."""
    function = BlackBoxFunction(lambda Z: (Z[:, 0] - C) ** 2, 1, relaxable=True)
    logits = torch.full((1,), -1.5, dtype=torch.float64)
    for step in range(steps):
        estimate = estimator(function, logits, RandomStream(0, (step,)), n_samples=20)
        logits -= learning_rate * estimate.gradient
    return logits.item()


def test_it_leaves_the_right_end_where_loorf_does_not():
    """Silva (2023), chapter 5.

    The slope is 2 (1 - C) > 0 at one and -2 C at zero, so straight-through is drawn
    to theta = C from both sides. The start is near the minimum of E[J], at theta = 0.
    """
    wrong, right = descend(straight_through), descend(loorf, learning_rate=500.0)
    assert right < -3.0
    assert abs(wrong) < 0.5


def test_its_mean_slope_is_zero_at_c():
    function = BlackBoxFunction(lambda Z: (Z[:, 0] - C) ** 2, 1, relaxable=True)
    theta = torch.tensor([C], dtype=torch.float64)
    got = straight_through(
        function, torch.logit(theta), RandomStream(1), n_samples=200_000
    )
    assert got.gradient.abs() < 5 * 1.0 / 200_000**0.5


def test_it_averages_the_slopes_at_the_samples():
    J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    logits = torch.tensor([0.3, -0.2])
    Z = Independent(logits.sigmoid(), 5, RandomStream(2)).draw(range(5))
    slopes = Z @ J.Q.float() * 2 + J.linear.float()
    got = straight_through(J, logits, RandomStream(2), n_samples=5)
    torch.testing.assert_close(got.gradient, slopes.mean(dim=0))
    torch.testing.assert_close(got.costs, J(Z))
    theta = logits.sigmoid()
    scaled = straight_through(J, logits, RandomStream(2), n_samples=5, derivative=True)
    torch.testing.assert_close(
        scaled.gradient, slopes.mean(dim=0) * theta * (1 - theta)
    )


def test_two_logits_need_the_derivative():
    """d theta / d r_1 = P theta (1 - theta) / r_1; for r_2 it has the other sign."""
    J, pairs = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]]), Escort(power=2.0)
    logits = torch.tensor([[0.5, 2.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match=r"parametrization=Escort\(.*has 2 logits"):
        straight_through(J, logits, RandomStream(2), parametrization=pairs)
    with pytest.raises(ValueError, match="parametrization='escort' does not go with"):
        MonteCarlo(gradient=straight_through, parametrization="escort").check()
    got = straight_through(
        J, logits, RandomStream(2), n_samples=5, parametrization=pairs, derivative=True
    )
    theta = torch.tensor([0.2, 0.8])
    Z = Independent(theta, 5, RandomStream(2)).draw(range(5))
    slope = (Z @ J.Q.float() * 2 + J.linear.float()).mean(dim=0)
    expected = (
        slope * 2 * theta * (1 - theta) * torch.stack([1 / logits[0], -logits[1]])
    )
    torch.testing.assert_close(got.gradient, expected)


@pytest.mark.parametrize("parametrization", [Sigmoid(), Cosine()])
def test_conformance(parametrization):
    check_gradient_estimator(
        straight_through, unbiased=False, parametrization=parametrization
    )
