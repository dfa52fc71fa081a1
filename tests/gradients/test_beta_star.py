"""Beta*: its constants, and that no other constants give less variance."""

import itertools

import pytest
import torch

from sklearn_pb.functions import (
    ExponentialTabularLoss,
    NNLoss,
    QuadraticFunction,
    TabularFunction,
)
from sklearn_pb.gradients import beta_star, exact
from sklearn_pb.gradients._beta_star import optimal_baselines
from sklearn_pb.utils import RandomStream

FUNCTIONS = {
    "table": lambda: TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0]),
    "network": lambda: NNLoss(3, random_state=0),
}
THETAS = [[0.3, 0.5, 0.8], [1e-3, 0.4, 0.999], [0.0, 1.0, 0.6]]
POINTS = torch.tensor(list(itertools.product([0, 1], repeat=3)), dtype=torch.float64)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def variance(function, theta, baselines):
    """Of the score-function estimate with one sample, over all points."""
    weight = torch.where(POINTS > 0, theta, 1 - theta).prod(dim=1)
    values = (function(POINTS)[:, None] - baselines) * (POINTS - theta)
    mean = weight @ values
    return weight @ values.square() - mean.square()


@pytest.mark.parametrize("theta", THETAS, ids=str)
@pytest.mark.parametrize("J", FUNCTIONS)
def test_constants_are_the_mean_costs_of_flipped_points(J, theta):
    """Theorem 4, literally."""
    function, theta = FUNCTIONS[J](), tensor(theta)
    weight = torch.where(POINTS > 0, theta, 1 - theta).prod(dim=1)
    expected = []
    for i in range(3):
        flipped = POINTS.clone()
        flipped[:, i] = 1 - flipped[:, i]
        expected.append(weight @ function(flipped))
    got = optimal_baselines(function, theta)
    torch.testing.assert_close(got, torch.stack(expected))


@pytest.mark.parametrize("theta", THETAS[:2], ids=str)
@pytest.mark.parametrize("J", FUNCTIONS)
def test_constants_are_the_means_under_the_fisher_weights(J, theta):
    """Theorem 3: E[J s_i^2] / E[s_i^2] with the score s_i."""
    function, theta = FUNCTIONS[J](), tensor(theta)
    weight = torch.where(POINTS > 0, theta, 1 - theta).prod(dim=1)
    fisher = weight[:, None] * ((POINTS - theta) / (theta * (1 - theta))).square()
    expected = (function(POINTS) @ fisher) / fisher.sum(dim=0)
    torch.testing.assert_close(optimal_baselines(function, theta), expected)


@pytest.mark.parametrize("theta", THETAS[:2], ids=str)
@pytest.mark.parametrize("J", FUNCTIONS)
def test_no_other_constant_gives_less_variance(J, theta):
    function, theta = FUNCTIONS[J](), tensor(theta)
    best = optimal_baselines(function, theta)
    least = variance(function, theta, best)
    mean_cost = torch.where(POINTS > 0, theta, 1 - theta).prod(dim=1) @ function(POINTS)
    for other in (torch.zeros(3), mean_cost, best + 0.01, best - 0.01, best + 5):
        assert (variance(function, theta, other) >= least - 1e-12).all()
    # A parabola in the constant, with its bottom there.
    up, down = (variance(function, theta, best + step) for step in (0.1, -0.1))
    torch.testing.assert_close(up, down, rtol=1e-6, atol=1e-9)
    assert (up > least).all()


def test_one_variable_has_no_variance_at_all():
    """With d = 1 the flipped cost is known: every sample gives the gradient."""
    function = TabularFunction([2.0, -1.0])
    for logit in (-3.0, 0.0, 1.5):
        logits = tensor([logit])
        expected = exact(function, logits).gradient
        for seed in range(5):
            got = beta_star(function, logits, RandomStream(seed), n_samples=1).gradient
            torch.testing.assert_close(got, expected)


def test_evaluations_and_the_largest_problem():
    rows = []

    def function(Z):
        rows.append(len(Z))
        return Z.sum(dim=1)

    got = beta_star(function, torch.zeros(5), RandomStream(0), n_samples=7)
    assert sum(rows) == 2**5 + 7
    assert got.costs.shape == (7,)
    largest = ExponentialTabularLoss(16, random_state=0)
    got = beta_star(largest, torch.zeros(16), RandomStream(0), n_samples=3)
    assert torch.isfinite(got.gradient).all()
    with pytest.raises(ValueError, match="n_variables=17 is too large"):
        beta_star(function, torch.zeros(17), RandomStream(0))


def test_large_offset_of_the_costs():
    """The baselines take it away before anything is rounded."""
    Q = [[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]]
    near, far = QuadraticFunction(Q), QuadraticFunction(Q, constant=1e6)
    logits = tensor([0.5, -1.0, 2.0])
    expected = beta_star(near, logits, RandomStream(0)).gradient
    got = beta_star(far, logits, RandomStream(0)).gradient
    torch.testing.assert_close(got, expected, atol=1e-8, rtol=0)
