"""Closed forms against the multisets of section B.1.1, draws, and each other."""

import itertools
import math

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import PRESETS, Sigmoid
from sklearn_pb.functions import (
    ExponentialTabularLoss,
    NNLoss,
    QuadraticFunction,
    enumerate_points,
    tabulate,
)
from sklearn_pb.gradients import (
    ESTIMATORS,
    Rebar,
    exact,
    loorf,
    straight_through,
    traits_of,
)
from sklearn_pb.inspection import GradientVariance, gradient_variance
from sklearn_pb.inspection._bit_counts import binomial_counts, dirichlet_counts
from sklearn_pb.inspection._closed_form_variance import (
    CLOSED_FORMS,
    Setting,
    baseline_variance,
)

LIMIT = 5.0  # standard errors
PROBABILITIES = [[0.5, 0.5, 0.5], [0.2, 0.65, 0.9], [1e-3, 0.4, 1 - 1e-3]]
FORMS = [name for name, estimator in ESTIMATORS.items() if estimator in CLOSED_FORMS]

# Table B.1 of Silva (2023) for shares x from 0.2 on, by the number of ones; x is the
# threshold, see doc/errata.md.
TABLE_B1 = [
    [lambda x: -((4 * x - 1) ** 3), lambda x: 0, lambda x: 0, lambda x: 0],
    [
        lambda x: x * (37 * x**2 - 21 * x + 3),
        lambda x: -((3 * x - 1) ** 3),
        lambda x: 0,
        lambda x: 0,
    ],
    [
        lambda x: 6 * (1 - 3 * x) * x**2,
        lambda x: 46 * x**3 - 42 * x**2 + 12 * x - 1,
        lambda x: -((2 * x - 1) ** 3),
        lambda x: 0,
    ],
    [
        lambda x: 6 * x**3,
        lambda x: -58 * x**3 + 48 * x**2 - 12 * x + 1,
        lambda x: 23 * x**3 - 33 * x**2 + 15 * x - 2,
        lambda x: -((x - 1) ** 3),
    ],
    [
        lambda x: 0,
        lambda x: (4 * x - 1) ** 3,
        lambda x: -44 * x**3 + 60 * x**2 - 24 * x + 3,
        lambda x: 4 * x**3 - 12 * x**2 + 12 * x - 3,
    ],
]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def logits_at(probabilities, parametrization=Sigmoid()):  # noqa: B008
    return parametrization.logits(tensor(probabilities))


def table_b1(theta):
    """Probabilities of one arrangement of 0 to 4 ones, for d = 1."""
    x = 1 - (1 - max(theta, 1 - theta)) ** (1 / 3)
    interval = sum(x >= end for end in (1 / 4, 1 / 3, 1 / 2))
    row = np.array([polynomials[interval](x) for polynomials in TABLE_B1])
    return row if theta > 0.5 else row[::-1]


def independent(theta):
    k = np.arange(5)
    return theta**k * (1 - theta) ** (4 - k)


def multiset_variance(J, theta, arrangement, estimate):
    """Equations (B.1) to (B.4) for n = 4: sum over multisets of points."""
    d = len(theta)
    points = next(enumerate_points(d, dtype=torch.float64)).numpy()
    costs = tabulate(J).values.numpy()
    tables = [arrangement(t) for t in theta]
    mean, square = np.zeros(d), np.zeros(d)
    for chosen in itertools.combinations_with_replacement(range(2**d), 4):
        Z = points[list(chosen)]
        orders = math.factorial(4)
        for h in set(chosen):
            orders //= math.factorial(chosen.count(h))
        ones = Z.sum(0).astype(int)
        p = orders * math.prod(tables[i][ones[i]] for i in range(d))
        g = estimate(Z, costs[list(chosen)])
        mean += p * g
        square += p * g**2
    return mean, square - mean**2


def leave_one_out(Z, costs):
    return (costs - costs.mean()) @ Z / 3


@pytest.mark.parametrize("theta", [1e-6, 0.01, 0.3, 0.4999, 0.5, 0.6, 0.9, 0.999])
def test_counts_of_four_coupled_bits_are_table_b1(theta):
    counts = dirichlet_counts(tensor([theta]), 4)[0].numpy()
    choose = [math.comb(4, k) for k in range(5)]
    np.testing.assert_allclose(counts, choose * table_b1(theta), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 10, 32])
@pytest.mark.parametrize("counts_of", [binomial_counts, dirichlet_counts])
def test_counts_add_up_and_have_the_right_mean(counts_of, n):
    theta = tensor([0.0, 1e-9, 0.02, 0.3, 0.5, 0.8, 1.0])
    counts = counts_of(theta, n)
    k = torch.arange(n + 1, dtype=torch.float64)
    torch.testing.assert_close(counts.sum(1), torch.ones(7).double())
    torch.testing.assert_close(counts @ k / n, theta)


@pytest.mark.parametrize("probabilities", PROBABILITIES[1:])
def test_multisets_of_independent_samples(probabilities):
    J, theta = ExponentialTabularLoss(3, random_state=1), np.array(probabilities)
    estimates = {
        "reinforce": lambda Z, costs: costs @ (Z - theta) / 4,
        "loorf": leave_one_out,
    }
    for name, estimate in estimates.items():
        mean, variance = multiset_variance(J, theta, independent, estimate)
        found = gradient_variance(name, J, logits_at(probabilities), 4, method="exact")
        np.testing.assert_allclose(found.variance, variance, rtol=1e-9)
        np.testing.assert_allclose(found.bias, 0, atol=1e-14)
        truth = exact(J, logits_at(probabilities)).gradient
        np.testing.assert_allclose(mean, truth, atol=1e-13)


@pytest.mark.parametrize("probabilities", PROBABILITIES)
def test_multisets_of_coupled_samples(probabilities):
    J = ExponentialTabularLoss(3, random_state=1)

    def estimate(Z, costs):
        q = np.minimum(probabilities, 1 - np.array(probabilities))
        both = np.maximum(0, 2 * q ** (1 / 3) - 1) ** 3
        rho = (both - q**2) / (q * (1 - q))
        return leave_one_out(Z, costs) / (1 - rho)

    mean, variance = multiset_variance(J, probabilities, table_b1, estimate)
    found = gradient_variance("arms", J, logits_at(probabilities), 4, method="exact")
    np.testing.assert_allclose(found.variance, variance, rtol=1e-8)
    truth = exact(J, logits_at(probabilities)).gradient
    np.testing.assert_allclose(mean, truth, atol=1e-12)
    np.testing.assert_allclose(found.bias, 0, atol=1e-13)


@pytest.mark.parametrize(
    "name, preset",
    [(name, "sigmoid") for name in [*FORMS, "straight_through"]]
    + [("loorf", "escort"), ("arms", "cosine"), ("straight_through", "direct")],
)
def test_exact_agrees_with_draws(name, preset):
    parametrization = PRESETS[preset]()
    estimator = ESTIMATORS.get(name, straight_through)
    J = NNLoss(4, random_state=0)
    logits = logits_at([0.3, 0.5, 0.7, 0.9], parametrization)
    options = {"parametrization": parametrization, "random_state": 5}
    formula = gradient_variance(estimator, J, logits, 4, method="exact", **options)
    sample = gradient_variance(
        estimator, J, logits, 4, method="sampled", n_repetitions=300, **options
    )
    assert formula.n_repetitions is None
    assert sample.n_repetitions == 300
    for what, error in (("bias", "bias_error"), ("variance", "variance_error")):
        gap = getattr(sample, what) - getattr(formula, what)
        assert bool((gap.abs() <= LIMIT * getattr(sample, error) + 1e-12).all()), what
    if traits_of(estimator).unbiased:
        torch.testing.assert_close(formula.bias, torch.zeros_like(formula.bias))


@pytest.mark.parametrize("name, n", [("arms", 2), ("arms", 10), ("loorf", 6)])
def test_other_numbers_of_samples_agree_with_draws(name, n):
    J, logits = ExponentialTabularLoss(6, random_state=2), torch.linspace(-2, 3, 6)
    formula = gradient_variance(name, J, logits, n, method="exact")
    sample = gradient_variance(
        name, J, logits, n, method="sampled", n_repetitions=300, random_state=1
    )
    gap = (sample.variance - formula.variance).abs()
    assert bool((gap <= LIMIT * sample.variance_error).all())


@pytest.mark.parametrize("probabilities", PROBABILITIES)
def test_beta_star_is_least_among_constant_baselines(probabilities):
    J, logits = ExponentialTabularLoss(3, random_state=3), logits_at(probabilities)
    setting = Setting(J, logits, Sigmoid(), 5)
    best = gradient_variance("beta-star", J, logits, 5, method="exact").variance
    for baseline in torch.linspace(-2, 2, 41, dtype=torch.float64):
        mean, variance = baseline_variance(setting, baseline.expand(3))
        torch.testing.assert_close(mean, exact(J, logits).gradient)
        assert bool((best <= variance * (1 + 1e-12)).all())
    step = tensor([1e-3, -1e-3, 1e-3])  # it is a minimum, not only below a grid
    centre = tabulate(J)
    theta = tensor(probabilities)
    ones = torch.stack([_with_bit(theta, i, 1.0) for i in range(3)])
    zeros = torch.stack([_with_bit(theta, i, 0.0) for i in range(3)])
    beta = theta * centre(zeros) + (1 - theta) * centre(ones)
    _, variance = baseline_variance(setting, beta)
    torch.testing.assert_close(variance, best)
    for nearby in (beta + step, beta - step):
        assert bool((baseline_variance(setting, nearby)[1] > best).all())


def _with_bit(theta, i, value):
    changed = theta.clone()
    changed[i] = value
    return changed


def test_one_pair_is_the_same_by_all_names():
    J, logits = ExponentialTabularLoss(4, random_state=0), torch.linspace(-1, 2, 4)
    arms, disarm = (
        gradient_variance(name, J, logits, 2, method="exact").variance
        for name in ("arms", "disarm")
    )
    torch.testing.assert_close(arms, disarm)
    pairs = gradient_variance("disarm", J, logits, 10, method="exact").variance
    torch.testing.assert_close(pairs, disarm / 5)


def test_muprop_has_no_variance_on_a_linear_function():
    J = QuadraticFunction(torch.diag(tensor([1.0, -2.0, 3.0])))
    found = gradient_variance("muprop", J, torch.zeros(3), 2, method="exact")
    assert found.total < 1e-25


def test_exact_bias_of_straight_through():
    # Mean slope 2 (theta - 0.4), gradient (J(1) - J(0)) theta (1 - theta).
    def J(Z):
        return ((Z - 0.4) ** 2).sum(1)

    found = gradient_variance(straight_through, J, logits_at([0.3]), 1, method="exact")
    assert float(found.bias) == pytest.approx(2 * (0.3 - 0.4) - 0.2 * 0.21)
    assert float(found.variance) == pytest.approx(4 * 0.21)


@pytest.mark.parametrize(
    "name, n, evaluations",
    [("loorf", 4, 4), ("muprop", 4, 5), ("beta-star", 4, 8 + 4), ("exact", 4, 8)],
)
def test_evaluations(name, n, evaluations):
    J = NNLoss(3, random_state=0)
    for method in ("exact", "sampled"):
        found = gradient_variance(
            name, J, torch.zeros(3), n, method=method, n_repetitions=2, random_state=0
        )
        assert found.evaluations == evaluations


def test_auto_samples_where_there_is_no_closed_form():
    J = NNLoss(3, random_state=0)
    found = gradient_variance(
        Rebar(), J, torch.zeros(3), 2, n_repetitions=20, random_state=0
    )
    assert isinstance(found, GradientVariance)
    assert found.n_repetitions == 20
    assert found.evaluations == 4
    same = gradient_variance(
        Rebar(), J, torch.zeros(3), 2, n_repetitions=20, random_state=0
    )
    assert torch.equal(found.variance, same.variance)


def test_bias_is_unknown_for_many_variables():
    found = gradient_variance(
        loorf, lambda Z: Z.sum(1), torch.zeros(30), 2, n_repetitions=3, random_state=0
    )
    assert found.bias is None
    assert found.variance.shape == (30,)


def test_settled_bits_have_no_variance():
    J, theta = ExponentialTabularLoss(4, random_state=0), tensor([0.0, 0.5, 1.0, 0.3])
    direct = PRESETS["direct"]()
    for name in ("reinforce", "loorf", "arms", "beta-star"):
        found = gradient_variance(name, J, theta, 4, parametrization=direct)
        assert found.variance[0] == found.variance[2] == 0 < found.variance[1]


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"estimator": "best"}, ValueError, "estimator='best' is unknown"),
        ({"estimator": 3}, TypeError, "estimator=3 must be"),
        ({"method": "quick"}, ValueError, "method='quick' is unknown"),
        ({"n_samples": 1}, ValueError, "n_samples=1 is too small"),
        ({"n_repetitions": 1}, ValueError, "n_repetitions=1 must be"),
        ({"logits": [0.0]}, TypeError, r"logits=\[0.0\] must be a tensor"),
        ({"logits": torch.zeros(2, 3)}, ValueError, r"logits of shape \(2, 3\)"),
        ({"estimator": "rebar", "method": "exact"}, ValueError, "no closed form"),
        ({"n_samples": 33, "method": "exact"}, ValueError, "n_samples=33"),
    ],
)
def test_bad_input(changes, error, message):
    good = {"estimator": "arms", "logits": torch.zeros(3), "n_samples": 4}
    with pytest.raises(error, match=message):
        gradient_variance(function=NNLoss(3, random_state=0), **(good | changes))
