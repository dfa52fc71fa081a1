"""check_gradient_estimator passes what is right and says what is wrong.

Our own estimators are crossed with it in tests/gradients/test_unbiased.py.
"""

import pytest
import torch

from sklearn_pb.distributions import Cosine, Sigmoid
from sklearn_pb.gradients import (
    GradientEstimate,
    disarm,
    double_control_variate,
    loorf,
    straight_through,
    with_traits,
)
from sklearn_pb.testing import check_gradient_estimator


def wrong_shape(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(estimate.gradient[:2], estimate.costs)


def wrong_dtype(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(estimate.gradient.float(), estimate.costs)


def bare_tensor(function, logits, stream, **options):
    return loorf(function, logits, stream, **options).gradient


def no_keywords(function, logits, stream):
    return loorf(function, logits, stream)


def wrong_sign(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(-estimate.gradient, estimate.costs)


def forgets_the_score(function, logits, stream, *, n_samples, parametrization):
    estimate = loorf(
        function, logits, stream, n_samples=n_samples, parametrization=parametrization
    )
    return GradientEstimate(estimate.gradient * 1.5, estimate.costs)


def forgets_the_stream(function, logits, stream, **options):
    return loorf(function, logits, type(stream)(0), **options)


def draws_globally(function, logits, stream, **options):
    torch.rand(1)
    return loorf(function, logits, stream, **options)


def keeps_a_counter(function, logits, stream, **options):
    keeps_a_counter.calls = getattr(keeps_a_counter, "calls", 0) + 1
    return loorf(function, logits, stream.child(keeps_a_counter.calls), **options)


def moves_the_logits(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    logits += 1
    return estimate


def keeps_the_graph(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(estimate.gradient.requires_grad_(), estimate.costs)


def mean_cost_alone(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(estimate.gradient, estimate.costs.mean())


def centred_costs(function, logits, stream, **options):
    estimate = loorf(function, logits, stream, **options)
    return GradientEstimate(estimate.gradient, estimate.costs - 100)


def relaxed_points(function, logits, stream, **options):
    function(torch.sigmoid(logits)[None])
    return loorf(function, logits, stream, **options)


@with_traits(needs_relaxable=True)
def relaxed_points_without_a_gradient(function, logits, stream, **options):
    return relaxed_points(function, logits, stream, **options)


@with_traits(needs_relaxable=True)
def points_outside_of_the_cube(function, logits, stream, **options):
    function(logits[None].requires_grad_() + 2)
    return loorf(function, logits, stream, **options)


def needs_slopes_without_saying_so(function, logits, stream, **options):
    return double_control_variate(function, logits, stream, **options)


def takes_any_number(function, logits, stream, *, n_samples, parametrization):
    return loorf(function, logits, stream, n_samples=max(2, n_samples))


@with_traits(fewest_samples=2, even_samples=True)
def drops_the_odd_sample(function, logits, stream, *, n_samples, parametrization):
    n_samples -= n_samples % 2 if n_samples > 2 else 0
    return disarm(function, logits, stream, n_samples=n_samples)


def one_point_at_a_time(function, logits, stream, **options):
    return loorf(lambda Z: torch.cat([function(z) for z in Z]), logits, stream)


def fails_at_the_edge(function, logits, stream, *, parametrization, n_samples):
    estimate = loorf(function, logits, stream, n_samples=n_samples)
    theta = parametrization.probabilities(logits)
    spread = theta * (1 - theta)
    return GradientEstimate(estimate.gradient * spread / spread, estimate.costs)


@pytest.mark.parametrize(
    "toy, message",
    [
        (wrong_shape, r"the gradient has shape \(2,\); it must be \(3,\)"),
        (wrong_dtype, "the gradient has dtype torch.float32; it must be torch.float64"),
        (bare_tensor, "returned a Tensor without `gradient`"),
        (no_keywords, r"failed when called as estimator\(function, logits, stream"),
        (wrong_sign, "but the gradient of E"),
        (forgets_the_score, "but the gradient of E"),
        (forgets_the_stream, "but the gradient of E"),
        (draws_globally, "drew from torch's global generator"),
        (keeps_a_counter, "two calls with the same stream gave different estimates"),
        (moves_the_logits, "changed the logits in place"),
        (keeps_the_graph, "the gradient carries an autograd graph"),
        (mean_cost_alone, "they must be a tensor with one cost a sample"),
        (centred_costs, "return the costs as they are"),
        (relaxed_points, "points that are not binary"),
        (relaxed_points_without_a_gradient, "only points that require a gradient"),
        (points_outside_of_the_cube, r"points outside of \[0, 1\]"),
        (needs_slopes_without_saying_so, "declare needs_relaxable=True if it needs"),
        (takes_any_number, "n_samples=0 contradicts Traits.*: nothing was raised"),
        (drops_the_odd_sample, "n_samples=3 contradicts Traits.*even_samples=True"),
        (one_point_at_a_time, "failed when called"),
        (fails_at_the_edge, "it must stay finite near 0 and 1"),
    ],
)
def test_broken_estimators_are_told(toy, message):
    with pytest.raises(AssertionError, match=message):
        check_gradient_estimator(toy, n_repetitions=400)


def test_a_bias_is_told():
    with pytest.raises(AssertionError, match="pass unbiased=False if a bias is inten"):
        check_gradient_estimator(straight_through, unbiased=True, n_repetitions=400)


def test_a_bias_may_be_intended():
    check_gradient_estimator(straight_through)  # says so in its traits
    check_gradient_estimator(forgets_the_score, unbiased=False)


@pytest.mark.parametrize("n_samples", [1, 3])
def test_pairs_are_asked_for_in_pairs(n_samples):
    check_gradient_estimator(disarm, n_samples=n_samples, n_repetitions=50)


@with_traits(fewest_samples=2, parametrizations=("sigmoid",))
def for_sigmoids_only(function, logits, stream, **options):
    assert isinstance(options["parametrization"], Sigmoid)
    return loorf(function, logits, stream, **options)


def test_an_unsupported_parametrization():
    check_gradient_estimator(for_sigmoids_only, n_repetitions=50)
    with pytest.raises(ValueError, match=r"Cosine\(\) is not supported"):
        check_gradient_estimator(for_sigmoids_only, parametrization=Cosine())
