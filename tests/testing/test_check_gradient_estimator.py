"""check_gradient_estimator passes what is right and says what is wrong.

Our own estimators are crossed with it in tests/gradients/test_unbiased.py.
"""

import pytest
import torch

from sklearn_pb.gradients import GradientEstimate, loorf, straight_through
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
        (one_point_at_a_time, "failed when called"),
        (fails_at_the_edge, "it must stay finite near 0 and 1"),
        (straight_through, "pass unbiased=False if a bias is intended"),
    ],
)
def test_broken_estimators_are_told(toy, message):
    with pytest.raises(AssertionError, match=message):
        check_gradient_estimator(toy, n_repetitions=400)


def test_a_bias_may_be_intended():
    check_gradient_estimator(straight_through, unbiased=False)
    check_gradient_estimator(forgets_the_score, unbiased=False)
