"""Every estimator against the enumerated gradient, with variances known exactly.

At most d n bits decide an estimate. For small d n all their patterns are enumerated
with exact probabilities, which gives the mean and the variance of an estimator without
drawing anything; then its own draws are compared with them. An empirical standard error
would mean nothing near 0 and 1, where it is often zero.
"""

import itertools

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import PRESETS, Independent, dirichlet_correlation
from sklearn_pb.functions import (
    ExponentialTabularLoss,
    NNLoss,
    QuadraticFunction,
    TabularFunction,
)
from sklearn_pb.gradients import ESTIMATORS, arms, exact, loorf, reinforce
from sklearn_pb.gradients._base import leave_one_out_weights
from sklearn_pb.testing import check_gradient_estimator
from sklearn_pb.utils import RandomStream

LIMIT = 5.0
INTERIOR = [0.3, 0.5, 0.8]
EDGES = [1e-3, 0.4, 1 - 1e-3]
Q = [[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]]
FUNCTIONS = {
    "table": lambda: TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0]),
    "quadratic": lambda: QuadraticFunction(Q, constant=2.0),
    "network": lambda: NNLoss(3, random_state=0),
}


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def estimates(estimator, function, logits, n, repetitions, parametrization):
    return torch.stack(
        [
            estimator(
                function,
                logits,
                RandomStream(0, (7, step)),
                n_samples=n,
                parametrization=parametrization,
            ).gradient
            for step in range(repetitions)
        ]
    )


# What an estimator's mean and variance are, by enumeration of all bits.


def independent_bits(theta, n):
    """Probabilities of the 2^n patterns of one coordinate's n bits."""
    patterns = np.array(list(itertools.product([0, 1], repeat=n)))
    k = patterns.sum(axis=1)
    return patterns, theta**k * (1 - theta) ** (n - k)


def coupled_bits(theta, n):
    """The same for the Dirichlet copula, by inclusion and exclusion."""
    q = min(theta, 1 - theta)
    c = 1 - q ** (1 / (n - 1))
    patterns = np.array(list(itertools.product([0, 1], repeat=n)))
    rare = patterns if theta <= 0.5 else 1 - patterns

    def exactly(k):
        rest = range(n - k + 1)
        choose = np.cumprod([1.0, *[(n - k - j) / (j + 1) for j in rest][:-1]])
        above = [max(0.0, 1 - (k + j) * c) ** (n - 1) for j in rest]
        return sum((-1) ** j * choose[j] * above[j] for j in rest)

    return patterns, np.array([max(0.0, exactly(k)) for k in rare.sum(axis=1)])


def moments(name, function, theta, n):
    """Exact mean and variance of the estimated covariance of each z_i."""
    bits = coupled_bits if name == "arms" else independent_bits
    per_coordinate = [bits(t, n) for t in theta]
    patterns = per_coordinate[0][0]
    weight = per_coordinate[0][1]
    for _, probabilities in per_coordinate[1:]:
        weight = np.multiply.outer(weight, probabilities)
    weight = torch.from_numpy(weight.ravel())
    d, m = len(theta), len(patterns)
    numbers = np.stack(np.unravel_index(np.arange(m**d), (m,) * d), axis=1)
    Z = torch.from_numpy(patterns[numbers]).double()  # (m^d, d, n)
    costs = function(Z.transpose(1, 2).reshape(-1, d)).reshape(-1, n)
    if name == "reinforce":
        covariance = ((Z - tensor(theta)[:, None]) * costs[:, None]).mean(dim=2)
    else:
        weights = torch.stack([leave_one_out_weights(row) for row in costs])
        covariance = (Z * weights[:, None]).sum(dim=2)
    if name == "arms":
        tail = torch.minimum(tensor(theta), 1 - tensor(theta))
        covariance = covariance / (1 - dirichlet_correlation(tail, n))
    mean = weight @ covariance
    return mean, weight @ covariance.square() - mean.square()


@pytest.mark.parametrize("theta", [INTERIOR, EDGES, [0.5, 0.5, 1e-6]], ids=str)
@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("name", ["loorf", "arms", "reinforce"])
@pytest.mark.parametrize("J", FUNCTIONS)
def test_mean_over_all_patterns_is_the_exact_covariance(J, name, n, theta):
    function = FUNCTIONS[J]()
    mean, _ = moments(name, function, theta, n)
    logits = torch.logit(tensor(theta))
    expected = exact(function, logits).gradient  # of sigmoid logits: the covariance
    torch.testing.assert_close(mean, expected, rtol=1e-7, atol=1e-10)


CASES = [("table", INTERIOR, 4), ("quadratic", EDGES, 3), ("network", INTERIOR, 2)]
SLOW_CASES = [
    (J, theta, n) for J in FUNCTIONS for theta in (INTERIOR, EDGES) for n in (2, 3, 4)
]


def check_against_exact(name, preset, J, theta, n, repetitions):
    function, parametrization = FUNCTIONS[J](), PRESETS[preset]()
    logits = parametrization.logits(tensor(theta))
    _, variance = moments(name, function, theta, n)
    truth = exact(function, logits, parametrization=parametrization).gradient
    got = estimates(ESTIMATORS[name], function, logits, n, repetitions, parametrization)
    factor = parametrization.pull_back(torch.ones(3).double(), logits)
    error = factor.abs() * (variance / repetitions).sqrt()
    z = (got.mean(dim=0) - truth) / error
    assert z.abs().max() < LIMIT, z


@pytest.mark.parametrize("J, theta, n", CASES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["loorf", "arms", "reinforce"])
def test_mean_of_draws(name, preset, J, theta, n):
    check_against_exact(name, preset, J, theta, n, repetitions=300)


@pytest.mark.slow
@pytest.mark.parametrize("J, theta, n", SLOW_CASES)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ["loorf", "arms", "reinforce"])
def test_mean_of_many_draws(name, preset, J, theta, n):
    check_against_exact(name, preset, J, theta, n, repetitions=2000)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_conformance(name, preset):
    """Whatever is in ESTIMATORS is tested, with no list to keep."""
    check_gradient_estimator(
        ESTIMATORS[name], parametrization=PRESETS[preset](), n_repetitions=150
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_conformance_with_many_repetitions(name, preset, n):
    check_gradient_estimator(
        ESTIMATORS[name],
        parametrization=PRESETS[preset](),
        n_samples=n,
        n_repetitions=2000,
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_ten_variables(name):
    function = ExponentialTabularLoss(10, random_state=0)
    theta = torch.linspace(0.05, 0.95, 10, dtype=torch.float64)
    sigmoid = PRESETS["sigmoid"]()
    logits = sigmoid.logits(theta)
    truth = exact(function, logits).gradient
    got = estimates(ESTIMATORS[name], function, logits, 10, 300, sigmoid)
    error = got.std(dim=0) / 300**0.5
    assert ((got.mean(dim=0) - truth).abs() <= LIMIT * error + 1e-12).all()


def test_one_sample_of_reinforce_has_the_textbook_variance():
    """Var = E[(J s)^2] - g^2, over the 2^d points."""
    function, theta = FUNCTIONS["table"](), tensor(INTERIOR)
    logits = torch.logit(theta)
    truth = exact(function, logits).gradient
    points = tensor(list(itertools.product([0, 1], repeat=3)))
    weight = torch.where(points > 0, theta, 1 - theta).prod(dim=1)
    score = points - theta
    variance = weight @ (function(points)[:, None] * score).square() - truth.square()
    _, ours = moments("reinforce", function, INTERIOR, 1)
    torch.testing.assert_close(ours, variance)
    got = estimates(reinforce, function, logits, 1, 1000, PRESETS["sigmoid"]())
    z = (got.mean(dim=0) - truth) / (variance / 1000).sqrt()
    assert z.abs().max() < LIMIT


@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("theta", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_arms_varies_less_than_loorf_in_one_variable(theta, n):
    function = TabularFunction([0.0, 1.0])
    _, coupled = moments("arms", function, [theta], n)
    _, independent = moments("loorf", function, [theta], n)
    assert coupled < independent
    if n == 2 and theta == 0.5:  # a plain antithetic pair has no variance at all
        assert coupled.abs() < 1e-12


@pytest.mark.parametrize("name", ["loorf", "arms"])
def test_costs_that_do_not_vary_give_no_gradient(name):
    got = ESTIMATORS[name](
        lambda Z: Z.new_full((len(Z),), 7.0), torch.zeros(4), RandomStream(0)
    )
    assert torch.equal(got.gradient, torch.zeros(4))
    assert torch.equal(got.costs, torch.full((10,), 7.0))


@pytest.mark.parametrize("estimator", [loorf, arms])
def test_too_few_samples(estimator):
    with pytest.raises(ValueError, match="n_samples=1 is too small"):
        estimator(lambda Z: Z.sum(1), torch.zeros(3), RandomStream(0), n_samples=1)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_logits_may_require_a_gradient(name):
    function, logits = FUNCTIONS["quadratic"](), torch.zeros(3)
    plain = ESTIMATORS[name](function, logits, RandomStream(0)).gradient
    got = ESTIMATORS[name](
        function, torch.zeros(3, requires_grad=True), RandomStream(0)
    ).gradient
    assert torch.equal(got, plain)
    assert not got.requires_grad


def test_costs_come_in_the_order_of_the_samples():
    function, theta = FUNCTIONS["table"](), torch.tensor(INTERIOR)
    samples = Independent(theta, 6, RandomStream(3))
    got = loorf(function, torch.logit(theta), RandomStream(3), n_samples=6)
    assert torch.equal(got.costs, function(samples.draw(range(6))))
