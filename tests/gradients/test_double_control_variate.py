"""The double control variate: where it is exact, and what shrinking it does."""

import pickle

import pytest
import torch

from sklearn_pb.budget import Budget, Evaluator
from sklearn_pb.functions import QuadraticFunction, TabularFunction
from sklearn_pb.gradients import (
    DoubleControlVariate,
    double_control_variate,
    exact,
    loorf,
    shrunk_double_control_variate,
    traits_of,
)
from sklearn_pb.testing import check_gradient_estimator
from sklearn_pb.utils import RandomStream

TABLE = TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0])
LOGITS = torch.tensor([-0.8, 0.0, 1.4], dtype=torch.float64)


def draws(estimator, function, logits, n, repetitions):
    return torch.stack(
        [
            estimator(function, logits, RandomStream(1, (s,)), n_samples=n).gradient
            for s in range(repetitions)
        ]
    )


def smooth(d, seed=0, roughness=0.0):
    """A J whose slopes say much: linear plus a weak square of a random projection."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(d, generator=generator, dtype=torch.float64)
    b = torch.randn(d, generator=generator, dtype=torch.float64) / d**0.5
    return lambda Z: Z @ a.to(Z) + roughness * (Z @ b.to(Z)).square()


@pytest.mark.parametrize("n", [2, 5])
def test_a_linear_function_leaves_no_variance(n):
    function, logits = smooth(20), torch.linspace(-3, 3, 20, dtype=torch.float64)
    theta = logits.sigmoid()
    Z = torch.zeros(1, 20, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(Z).sum(), Z)
    for seed in range(3):
        got = double_control_variate(function, logits, RandomStream(seed), n_samples=n)
        torch.testing.assert_close(got.gradient, slope[0] * theta * (1 - theta))


def test_slopes_that_are_all_the_same_tensor():
    """The gradient of a sum is one expanded number, which cannot be written to."""
    got = double_control_variate(lambda Z: Z.sum(dim=1), LOGITS, RandomStream(0))
    theta = LOGITS.sigmoid()
    torch.testing.assert_close(got.gradient, theta * (1 - theta))


def test_points_are_left_as_the_function_saw_them():
    seen = []

    def function(Z):
        seen.append(Z.detach())
        return TABLE(Z)

    double_control_variate(function, LOGITS, RandomStream(0))
    assert all(((Z == 0) | (Z == 1)).all() for Z in seen)


def test_it_varies_less_than_loorf_where_slopes_say_much():
    function, logits = smooth(30, roughness=1.0), torch.zeros(30, dtype=torch.float64)
    ours, plain = (
        draws(e, function, logits, 4, 100).var(dim=0).sum()
        for e in (double_control_variate, loorf)
    )
    assert ours < plain / 5


def test_the_coefficient_zero_is_loorf():
    got = DoubleControlVariate(coefficient=0.0)(TABLE, LOGITS, RandomStream(2))
    expected = loorf(TABLE, LOGITS, RandomStream(2))
    torch.testing.assert_close(got.gradient, expected.gradient)
    torch.testing.assert_close(got.costs, expected.costs)


@pytest.mark.parametrize("coefficient", [-1.0, 0.5, 2.0])
def test_no_coefficient_brings_in_a_bias(coefficient):
    check_gradient_estimator(DoubleControlVariate(coefficient), n_repetitions=100)


def test_shrinkage_goes_straight_from_the_first_order_term_to_the_whole():
    at = [
        DoubleControlVariate(shrinkage=c)(TABLE, LOGITS, RandomStream(3)).gradient
        for c in (0.0, 0.25, 1.0)
    ]
    torch.testing.assert_close(at[1], 0.75 * at[0] + 0.25 * at[2])


def test_the_first_order_term_is_the_mean_slope():
    samples, seen = DoubleControlVariate(shrinkage=0), []

    def function(Z):
        seen.append(Z.detach())
        return TABLE(Z)

    got = samples(function, LOGITS, RandomStream(4), n_samples=6).gradient
    Z, theta = torch.cat(seen).requires_grad_(), LOGITS.sigmoid()
    (slopes,) = torch.autograd.grad(TABLE(Z).sum(), Z)
    torch.testing.assert_close(got, slopes.mean(dim=0) * theta * (1 - theta))


def test_automatic_shrinkage_takes_the_noise_of_few_samples_away():
    """Many coordinates, two samples: the residual is noise almost alone."""
    function, logits = smooth(300, roughness=3.0), torch.zeros(300).double()
    Z = torch.full((1, 300), 0.5, dtype=torch.float64, requires_grad=True)
    # Up to the diagonal, which is a part in 300, the extension is J itself.
    (slope,) = torch.autograd.grad(function(Z).sum(), Z)
    truth = slope[0] / 4
    whole, shrunk = (
        (draws(e, function, logits, 2, 30) - truth).square().sum(dim=1).mean()
        for e in (double_control_variate, shrunk_double_control_variate)
    )
    assert shrunk < whole / 3


def test_automatic_shrinkage_fades_as_samples_are_added():
    """The factor itself, from estimates that differ in it only."""
    factors = []
    for n in (2, 20, 200, 20_000):
        none, auto, whole = (
            DoubleControlVariate(0.5, c)(
                TABLE, LOGITS, RandomStream(5), n_samples=n
            ).gradient
            for c in (0.0, "auto", 1.0)
        )
        factors.append(((auto - none) @ (whole - none)) / (whole - none).square().sum())
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[-1] > 0.99
    assert factors[0] < factors[-1]


def test_automatic_shrinkage_is_consistent():
    truth = exact(TABLE, LOGITS).gradient
    got = shrunk_double_control_variate(
        TABLE, LOGITS, RandomStream(6), n_samples=100_000
    )
    torch.testing.assert_close(got.gradient, truth, atol=0.05, rtol=0)


def test_a_budget_counts_its_rows_and_passes_the_slopes_on():
    evaluator = Evaluator(
        QuadraticFunction([[1.0, -2.0], [0.0, 0.5]]), Budget(evaluations=100)
    )
    logits = torch.zeros(2, dtype=torch.float64)
    got = double_control_variate(evaluator, logits, RandomStream(0), n_samples=8)
    assert evaluator.n_evaluations == 8
    assert evaluator.best_cost == got.costs.min()
    expected = double_control_variate(
        evaluator.function, logits, RandomStream(0), n_samples=8
    )
    torch.testing.assert_close(got.gradient, expected.gradient)


def test_traits_follow_the_shrinkage():
    assert traits_of(double_control_variate).unbiased
    assert traits_of(double_control_variate).needs_relaxable
    assert not traits_of(shrunk_double_control_variate).unbiased
    assert not traits_of(DoubleControlVariate(shrinkage=0.5)).unbiased


def test_it_pickles():
    again = pickle.loads(pickle.dumps(DoubleControlVariate(0.5, "auto")))
    assert again == DoubleControlVariate(0.5, "auto")


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"shrinkage": 1.5}, "shrinkage"),
        ({"shrinkage": "much"}, "shrinkage='much' is unknown"),
        ({"coefficient": float("nan")}, "coefficient"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        DoubleControlVariate(**parameters)(TABLE, LOGITS, RandomStream(0))


def test_one_sample_is_too_few():
    with pytest.raises(ValueError, match="n_samples=1 is too small for 'double-cv'"):
        double_control_variate(TABLE, LOGITS, RandomStream(0), n_samples=1)


def test_a_function_without_slopes():
    with pytest.raises(ValueError, match="without a gradient"):
        double_control_variate(
            lambda Z: Z.detach().sum(dim=1), torch.zeros(3), RandomStream(0)
        )
