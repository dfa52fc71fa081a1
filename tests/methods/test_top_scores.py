"""Supermasks by scores: edge-popup, thresholds, and sampled ones."""

import re

import pytest
import torch

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.methods import (
    SearchSpace,
    StraightThrough,
    Thresholded,
    TopScores,
    resolve_method,
)
from sklearn_pb.solvers import minimize
from sklearn_pb.utils import RandomStream


def start(method, quota, constraint=None, **options):
    space = SearchSpace(
        quota.n_variables, RandomStream(1), quota, constraint, **options
    )
    return method.start(space)


def take_step(search, slope, progress=0.0):
    search.advance(progress)
    mask = search.mask()
    search.update(None, torch.tensor(slope))
    return mask.tolist()


def test_edge_popup_by_hand():
    """The slope of a variable moves its score, whether it is in the mask or not."""
    method = TopScores(learning_rate=0.1, momentum=0.0, smoothing=0.5)
    search = start(method, Quota([4], [2]))
    search.logits.copy_(torch.tensor([0.30, 0.29, 0.27, 0.10]))
    # The root mean square of the first slope is 2: steps of -0.05 times the slope.
    assert take_step(search, [2.0, 1.0, -0.5, -(10.75**0.5)]) == [1, 1, 0, 0]
    first = torch.tensor([0.20, 0.24, 0.295, 0.10 + 0.05 * 10.75**0.5])
    torch.testing.assert_close(search.scores(), first)
    # The mean squares 4 and 1 are remembered as (4 / 4 + 1 / 2) / (3 / 4) = 2.
    assert take_step(search, [0.0, 0.0, 2.0, 0.0], 0.5) == [0, 0, 1, 1]
    second = first - torch.tensor([0.0, 0.0, 0.1 * 2 / 2**0.5, 0.0])
    torch.testing.assert_close(search.scores(), second)
    assert search.harden().tolist() == [False, True, False, True]
    assert search.density() == 0.5


def test_edge_popup_has_momentum():
    search = start(TopScores(learning_rate=0.1, momentum=0.5), Quota([2], [1]))
    search.logits.zero_()
    take_step(search, [1.0, -1.0])
    torch.testing.assert_close(search.logits, torch.tensor([-0.1, 0.1]))
    before = search.logits.clone()
    take_step(search, [0.0, 0.0])
    # A third of the first slope is left of the mean, and half of its mean square.
    expected = before * (1 + (0.25 / 0.75) / (0.999 / 1.999) ** 0.5)
    torch.testing.assert_close(search.logits, expected)


def test_groups_keep_their_counts_at_every_step():
    quota = Quota([10, 30], [2, 3])
    search = start(TopScores(), quota)
    slope = torch.linspace(-1, 1, 40).roll(7)
    for step in range(50):
        search.advance(step / 50)
        counts = [int(part.sum()) for part in search.mask().split([10, 30])]
        assert counts == [2, 3]
        search.update(None, slope.clone())
    best = quota.select(-slope)
    assert torch.equal(search.harden(), best)


def test_scores_start_at_random_and_small():
    search = start(TopScores(initial_scale=0.2), Quota([1000], [10]))
    assert search.logits.min() >= 0 and search.logits.max() <= 0.2
    assert len(search.logits.unique()) > 990
    again = start(TopScores(initial_scale=0.2), Quota([1000], [10]))
    assert torch.equal(search.logits, again.logits)


def test_edge_popup_needs_a_sparsity():
    message = "TopScores (edge-popup) keeps as many of the best scores as a sparsity"
    with pytest.raises(ValueError, match=re.escape(message)):
        start(TopScores(), Quota([4]))
    function = QuadraticFunction([[1.0, 0.0], [0.0, -1.0]])
    with pytest.raises(ValueError, match="method='edge-popup' keeps a number of ones"):
        minimize(function, method="edge-popup")
    assert TopScores().default_constraint() is None


def test_a_threshold_by_hand():
    search = start(Thresholded(initial_score=0.01, learning_rate=0.02), Quota([3]))
    assert take_step(search, [5.0, -1.0, 0.5]) == [1, 1, 1]
    torch.testing.assert_close(search.scores(), torch.tensor([-0.01, 0.03, -0.01]))
    assert take_step(search, [-50.0, 0.0, 0.0], 0.5) == [0, 1, 0]
    assert search.harden().tolist() == [True, True, False]  # the first came back


def test_the_price_goes_straight_through():
    search = start(Thresholded(), Quota([3]), L0Penalty(strength=2.0))
    search.advance(0.0)
    search.mask()
    slope = torch.tensor([-3.0, -2.0, 0.0])
    assert search._gradient(None, slope).tolist() == [-1.0, 0.0, 2.0]


@pytest.mark.parametrize("method", [Thresholded(), TopScores()])
def test_a_warm_start_is_taken(method):
    theta = torch.tensor([0.2, 0.9, 0.6])
    search = start(method, Quota([3], [2]), probabilities=theta)
    torch.testing.assert_close(search.probabilities(), theta)
    assert search.mask().tolist() == [0, 1, 1]


def test_bernoulli_supermasks_are_straight_through_with_the_derivative():
    """Zhou et al. (2019): slope times sigma'(r), exact for linear costs."""
    search = start(StraightThrough(derivative=True), Quota([5]))
    search.logits.copy_(torch.linspace(-2, 2, 5))
    search.advance(0.0)
    assert set(search.mask().tolist()) <= {0.0, 1.0}
    slope = torch.linspace(1, 3, 5)
    r = search.logits.clone().requires_grad_()
    (expected,) = torch.autograd.grad(torch.sigmoid(r) @ slope, r)
    torch.testing.assert_close(search._gradient(None, slope.clone()), expected)


@pytest.mark.parametrize(
    "method, message",
    [
        (TopScores(initial_scale=0.0), "initial_scale=0.0 must be a number in (0"),
        (TopScores(learning_rate=0.0), "learning_rate=0.0 must be a number in (0"),
        (TopScores(momentum=1.0), "momentum=1.0 must be a number in [0, 1)"),
        (TopScores(smoothing=1.0), "smoothing=1.0 must be a number in [0, 1)"),
        (Thresholded(initial_score=float("nan")), "initial_score=nan must be a number"),
        (Thresholded(learning_rate=-1.0), "learning_rate=-1.0 must be a number in (0"),
        (Thresholded(smoothing=-0.5), "smoothing=-0.5 must be a number in [0, 1)"),
    ],
)
def test_senseless_hyperparameters_are_refused(method, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve_method(method)
