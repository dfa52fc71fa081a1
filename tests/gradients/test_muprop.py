"""MuProp: its exact mean and variance, and the J that leave it no noise."""

import itertools

import pytest
import torch

from sklearn_pb.distributions import PRESETS, Independent
from sklearn_pb.functions import NNLoss, QuadraticFunction, TabularFunction
from sklearn_pb.gradients import exact, muprop
from sklearn_pb.utils import RandomStream

LIMIT = 5.0
FUNCTIONS = {
    "table": TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0]),
    "quadratic": QuadraticFunction(
        [[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]]
    ),
    "network": NNLoss(3, random_state=0),
}
THETAS = [[0.3, 0.5, 0.8], [1e-3, 0.4, 1 - 1e-3]]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def moments(function, theta):
    """Mean and variance of one sample's covariance, over the 2^d points."""
    points = tensor(list(itertools.product([0, 1], repeat=len(theta))))
    weight = torch.where(points > 0, theta, 1 - theta).prod(dim=1)
    middle = theta.clone().requires_grad_()
    value = function(middle[None])[0]
    (slope,) = torch.autograd.grad(value, middle)
    left = function(points) - value.detach() - (points - theta) @ slope
    terms = left[:, None] * (points - theta) + slope * theta * (1 - theta)
    mean = weight @ terms
    return mean, weight @ terms.square() - mean.square()


@pytest.mark.parametrize("theta", THETAS, ids=str)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("J", FUNCTIONS)
def test_draws_follow_the_exact_moments(J, preset, theta):
    function, parametrization, n = FUNCTIONS[J], PRESETS[preset](), 20_000
    logits = parametrization.logits(tensor(theta))
    mean, variance = moments(function, tensor(theta))
    torch.testing.assert_close(mean, exact(function, torch.logit(tensor(theta)))[0])
    truth = exact(function, logits, parametrization=parametrization).gradient
    got = muprop(
        function,
        logits,
        RandomStream(3),
        n_samples=n,
        parametrization=parametrization,
    )
    factor = parametrization.pull_back(torch.ones(3).double(), logits)
    z = (got.gradient - truth) / (factor.abs() * (variance / n).sqrt())
    assert z.abs().max() < LIMIT, z


def test_a_linear_cost_leaves_no_noise():
    weights = tensor([1.0, -2.0, 0.5])
    logits = tensor([0.3, -0.2, 2.0])
    got = muprop(lambda Z: Z @ weights + 7, logits, RandomStream(0), n_samples=1)
    theta = logits.sigmoid()
    torch.testing.assert_close(got.gradient, weights * theta * (1 - theta))


def test_costs_are_those_of_the_samples_and_one_more_is_evaluated():
    function, logits, rows = FUNCTIONS["table"], tensor([0.3, -0.2, 2.0]), []

    def counted(Z):
        rows.append(len(Z))
        return function(Z)

    got = muprop(counted, logits, RandomStream(4), n_samples=6)
    samples = Independent(logits.sigmoid(), 6, RandomStream(4)).draw(range(6))
    assert torch.equal(got.costs, function(samples))
    assert sum(rows) == 7
