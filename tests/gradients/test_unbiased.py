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
from scipy.special import ndtri, owens_t

from sklearn_pb.distributions import PRESETS, Independent, dirichlet_correlation
from sklearn_pb.functions import (
    ExponentialTabularLoss,
    NNLoss,
    QuadraticFunction,
    TabularFunction,
)
from sklearn_pb.gradients import (
    ESTIMATORS,
    arms,
    disarm,
    exact,
    loorf,
    reinforce,
    traits_of,
)
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


# Every estimator with every parametrization that it is defined for.
SUPPORTED = [
    (name, preset)
    for name, estimator in ESTIMATORS.items()
    for preset in PRESETS
    if preset in (traits_of(estimator).parametrizations or PRESETS)
]
UNBIASED = [
    name for name, estimator in ESTIMATORS.items() if traits_of(estimator).unbiased
]
OTHERS = [preset for preset in PRESETS if preset != "sigmoid"]
DRAWN_AT = {"arm": (2, 4), "disarm": (2, 4), "arms-gaussian": (2, 3)}  # else 2, 3, 4
ENUMERATED = [
    "arm",
    "arms",
    "arms-gaussian",
    "beta-star",
    "disarm",
    "double-cv",
    "loorf",
    "reinforce",
]


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


def gaussian_bits(theta, n):
    """The same for two or three equicorrelated normals, which sum to zero.

    They are never all below their level where theta <= 1/2, so the probability that
    two are, by Owen's T function, settles the rest.
    """
    q = min(theta, 1 - theta)
    both = 0.0 if n == 2 else q - 2 * owens_t(ndtri(q), 3**0.5)
    one = q - (n - 1) * both
    none = 1 - n * one - (n * (n - 1) // 2) * both
    patterns = np.array(list(itertools.product([0, 1], repeat=n)))
    rare = patterns if theta <= 0.5 else 1 - patterns
    by_count = np.array([none, one, both, 0.0]) if n == 3 else np.array([none, one, 0])
    return patterns, by_count[rare.sum(axis=1)]


def crossed(per_coordinate):
    """All combinations of the coordinates' patterns (m^d, d, n), and their weights."""
    weight = per_coordinate[0][1]
    for _, probabilities in per_coordinate[1:]:
        weight = np.multiply.outer(weight, probabilities)
    d, m = len(per_coordinate), len(weight)
    numbers = np.stack(np.unravel_index(np.arange(m**d), (m,) * d), axis=1)
    patterns = np.stack([patterns for patterns, _ in per_coordinate])
    return (
        torch.from_numpy(patterns[np.arange(d), numbers]).double(),
        torch.from_numpy(weight.ravel()),
        numbers,
    )


def costs_of(function, Z):
    n, d = Z.shape[2], Z.shape[1]
    return function(Z.transpose(1, 2).reshape(-1, d)).reshape(-1, n)


def reinforce_covariance(function, Z, theta):
    return ((Z - theta[:, None]) * costs_of(function, Z)[:, None]).mean(dim=2)


def loorf_covariance(function, Z, theta):
    weights = torch.stack([leave_one_out_weights(c) for c in costs_of(function, Z)])
    return (Z * weights[:, None]).sum(dim=2)


def arms_covariance(function, Z, theta):
    rho = dirichlet_correlation(torch.minimum(theta, 1 - theta), Z.shape[2])
    return loorf_covariance(function, Z, theta) / (1 - rho)


def gaussian_covariance(function, Z, theta):
    n, rho = Z.shape[2], []
    for q in theta.tolist():
        patterns, weight = gaussian_bits(q, n)
        both = weight @ (patterns[:, 0] * patterns[:, 1])
        rho.append((both - q * q) / (q * (1 - q)))
    return loorf_covariance(function, Z, theta) / (1 - tensor(rho))


def beta_star_covariance(function, Z, theta):
    points = tensor(list(itertools.product([0, 1], repeat=len(theta))))
    weight = torch.where(points > 0, theta, 1 - theta).prod(dim=1)
    flipped = points[None].repeat(len(theta), 1, 1)
    for i, rows in enumerate(flipped):
        rows[:, i] = 1 - rows[:, i]
    baselines = torch.stack([function(rows) for rows in flipped]) @ weight
    excess = costs_of(function, Z)[:, None] - baselines[:, None]
    return ((Z - theta[:, None]) * excess).mean(dim=2)


def double_covariance(function, Z, theta):
    """Term by term as in Titsias and Shi (2022), with the coefficient 1."""
    Z = Z.requires_grad_()
    costs = costs_of(function, Z)
    (slopes,) = torch.autograd.grad(costs.sum(), Z)
    Z, costs, n = Z.detach(), costs.detach(), Z.shape[2]
    others = [
        slopes[:, :, [j for j in range(n) if j != k]].mean(dim=2) for k in range(n)
    ]
    residual = [
        costs[:, k] - (others[k] * (Z[:, :, k] - theta)).sum(dim=1) for k in range(n)
    ]
    total = 0
    for k in range(n):
        baseline = sum(residual[j] for j in range(n) if j != k) / (n - 1)
        total = total + (residual[k] - baseline)[:, None] * (Z[:, :, k] - theta)
        total = total + others[k] * theta * (1 - theta)
    return total / n


BITS = {"arms": coupled_bits, "arms-gaussian": gaussian_bits}
COVARIANCES = {
    "arms": arms_covariance,
    "arms-gaussian": gaussian_covariance,
    "beta-star": beta_star_covariance,
    "double-cv": double_covariance,
    "loorf": loorf_covariance,
    "reinforce": reinforce_covariance,
}


def moments(name, function, theta, n):
    """Exact mean and variance of the estimated covariance of each z_i."""
    if name not in COVARIANCES:
        return pair_moments(name, function, theta, n)
    bits = BITS.get(name, independent_bits)
    Z, weight, _ = crossed([bits(t, n) for t in theta])
    covariance = COVARIANCES[name](function, Z, tensor(theta))
    mean = weight @ covariance
    return mean, weight @ covariance.square() - mean.square()


def pair_cells(theta):
    """One pair's bits and 1/2 - u, in the ranges of u where the bits are constant."""
    edges = np.array([0, min(theta, 1 - theta), max(theta, 1 - theta), 1])
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    bits = np.stack([middle < theta, 1 - middle < theta], axis=1).astype(int)
    return bits, width, 0.5 - middle, (0.5 - middle) ** 2 + width**2 / 12


def pair_moments(name, function, theta, n):
    """The same for the mean of n / 2 independent antithetic pairs."""
    cells = [pair_cells(t) for t in theta]
    Z, weight, numbers = crossed([cell[:2] for cell in cells])
    gap = costs_of(function, Z).diff(dim=1).neg()
    if name == "arm":
        first, second = (
            tensor(np.stack([cell[k][numbers[:, i]] for i, cell in enumerate(cells)]).T)
            for k in (2, 3)
        )
    else:
        larger = torch.maximum(tensor(theta), 1 - tensor(theta))
        first = Z.diff(dim=2)[:, :, 0].neg() * larger / 2
        second = first.square()
    mean = weight @ (gap * first)
    return mean, (weight @ (gap.square() * second) - mean.square()) / (n / 2)


def sizes(name, among=(2, 3, 4)):
    return [n for n in among if n in DRAWN_AT.get(name, among)]


ENUMERATED_AT = [(name, n) for name in ENUMERATED for n in sizes(name)]


@pytest.mark.parametrize("theta", [INTERIOR, EDGES, [0.5, 0.5, 1e-6]], ids=str)
@pytest.mark.parametrize("name, n", ENUMERATED_AT)
@pytest.mark.parametrize("J", FUNCTIONS)
def test_mean_over_all_patterns_is_the_exact_covariance(J, name, n, theta):
    function = FUNCTIONS[J]()
    mean, variance = moments(name, function, theta, n)
    logits = torch.logit(tensor(theta))
    expected = exact(function, logits).gradient  # of sigmoid logits: the covariance
    torch.testing.assert_close(mean, expected, rtol=1e-7, atol=1e-10)
    assert variance.min() > -1e-12


CASES = [("table", INTERIOR, 4), ("quadratic", EDGES, 3), ("network", INTERIOR, 2)]
SLOW_CASES = [
    (J, theta, n) for J in FUNCTIONS for theta in (INTERIOR, EDGES) for n in (2, 3, 4)
]


def check_against_exact(name, preset, J, theta, n, repetitions):
    n = max(size for size in sizes(name) if size <= n)
    function, parametrization = FUNCTIONS[J](), PRESETS[preset]()
    logits = parametrization.logits(tensor(theta))
    _, variance = moments(name, function, theta, n)
    truth = exact(function, logits, parametrization=parametrization).gradient
    got = estimates(ESTIMATORS[name], function, logits, n, repetitions, parametrization)
    factor = parametrization.pull_back(torch.ones(3).double(), logits)
    error = factor.abs() * (variance.clamp(min=0) / repetitions).sqrt()
    gap = (got.mean(dim=0) - truth).abs()
    assert (gap <= LIMIT * error + 1e-9).all(), gap / error


@pytest.mark.parametrize("J, theta, n", CASES)
@pytest.mark.parametrize("name", ENUMERATED)
def test_mean_of_draws(name, J, theta, n):
    check_against_exact(name, "sigmoid", J, theta, n, repetitions=100)


@pytest.mark.parametrize("preset", OTHERS)
@pytest.mark.parametrize("name", ENUMERATED)
def test_mean_of_draws_by_parametrization(name, preset):
    check_against_exact(name, preset, "quadratic", EDGES, 4, repetitions=30)


@pytest.mark.slow
@pytest.mark.parametrize("J, theta, n", SLOW_CASES)
@pytest.mark.parametrize("name", ENUMERATED)
def test_mean_of_many_draws(name, J, theta, n):
    check_against_exact(name, "sigmoid", J, theta, n, repetitions=1000)


@pytest.mark.slow
@pytest.mark.parametrize("preset", OTHERS)
@pytest.mark.parametrize("J, theta, n", CASES)
@pytest.mark.parametrize("name", ENUMERATED)
def test_mean_of_many_draws_by_parametrization(name, J, theta, n, preset):
    check_against_exact(name, preset, J, theta, n, repetitions=1000)


@pytest.mark.parametrize("name, n", ENUMERATED_AT)
def test_variance_of_draws(name, n):
    """Squared deviations from the mean, against the enumerated variance."""
    function, repetitions = FUNCTIONS["quadratic"](), 80
    logits = torch.logit(tensor(INTERIOR))
    mean, variance = moments(name, function, INTERIOR, n)
    got = estimates(
        ESTIMATORS[name], function, logits, n, repetitions, PRESETS["sigmoid"]()
    )
    total = (got - mean).square().sum(dim=1)
    error = total.std() / repetitions**0.5
    assert (total.mean() - variance.sum()).abs() <= LIMIT * error + 1e-12


@pytest.mark.parametrize("name, preset", SUPPORTED)
def test_conformance(name, preset):
    """Whatever is in ESTIMATORS is tested, with no list to keep."""
    check_gradient_estimator(
        ESTIMATORS[name],
        parametrization=PRESETS[preset](),
        n_repetitions=100 if preset == "sigmoid" else 25,
    )


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("name", UNBIASED)
def test_conformance_with_many_repetitions(name, n):
    check_gradient_estimator(ESTIMATORS[name], n_samples=n, n_repetitions=2000)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, preset", [pair for pair in SUPPORTED if pair[0] in UNBIASED]
)
def test_mean_near_zero_and_one(name, preset):
    """For those whose variance is not enumerated as well; theta from 0.005 to 0.995."""
    check_gradient_estimator(
        ESTIMATORS[name],
        n_samples=10,
        parametrization=PRESETS[preset](),
        n_repetitions=2000,
    )


@pytest.mark.parametrize("name", UNBIASED)
def test_ten_variables(name):
    function = ExponentialTabularLoss(10, random_state=0)
    theta = torch.linspace(0.05, 0.95, 10, dtype=torch.float64)
    sigmoid = PRESETS["sigmoid"]()
    logits = sigmoid.logits(theta)
    truth = exact(function, logits).gradient
    got = estimates(ESTIMATORS[name], function, logits, 10, 60, sigmoid)
    error = got.std(dim=0) / 60**0.5
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


@pytest.mark.parametrize(
    "name", ["arm", "arms", "arms-gaussian", "beta-star", "disarm", "loorf"]
)
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


@pytest.mark.parametrize(
    "estimator, n_samples, error, message",
    [
        (reinforce, 0, ValueError, "n_samples=0 is too small for 'reinforce'"),
        (reinforce, 2.0, TypeError, "n_samples=2.0 is not an integer"),
        (disarm, 0, ValueError, "must be even and at least 2"),
        (disarm, 5, ValueError, "n_samples=5 is odd, but 'disarm' evaluates pairs"),
    ],
)
def test_unusable_numbers_of_samples(estimator, n_samples, error, message):
    with pytest.raises(error, match=message):
        estimator(
            lambda Z: Z.sum(1), torch.zeros(3), RandomStream(0), n_samples=n_samples
        )


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
