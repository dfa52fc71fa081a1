"""Many cuts: how much is cut when, and what may come back."""

import io
import re

import pytest
import torch

from sklearn_pb.constraints import Quota
from sklearn_pb.methods import (
    CRITERIA,
    Gradual,
    SearchSpace,
    Taylor,
    Weights,
    resolve_method,
)
from sklearn_pb.schedules import CubicSparsity
from sklearn_pb.utils import RandomStream


def start(method, weights, sparsity=0.6, groups=None):
    quota = Quota.proportional(groups or [len(weights)], sparsity)
    held = Weights.single(lambda: weights)
    return method.start(SearchSpace(len(weights), RandomStream(0), quota, weights=held))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def linear(progress):
    return progress


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("schedule", [None, linear])
def test_the_mask_follows_its_schedule_and_never_grows(name, schedule):
    weights, slopes = normal(1000), normal(101, 1000, seed=1)
    search = start(Gradual(name, n_prunings=10, schedule=schedule), weights, 0.9)
    part, last = schedule or CubicSparsity(1.0), torch.ones(1000)
    for step in range(101):
        search.advance(step / 100)
        mask = search.mask().clone()
        due = int(step / 100 * 10) / 10
        assert mask.sum() == 1000 - round(900 * part(due))
        assert search.density() == pytest.approx(float(mask.mean()))
        assert (mask <= last).all()
        last = mask
        search.update(None, slopes[step] if search.needs_slope else None)
        weights += 0.1 * slopes[step]  # so that the ranking changes
    assert torch.equal(search.harden(), last.bool())


def test_gmp_cuts_as_the_cubic_schedule_says():
    search = start(resolve_method("gmp"), torch.arange(1.0, 1001.0), 0.8)
    zeros = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        search.advance(progress)
        zeros.append(int((search.mask() == 0).sum()))
        assert search.mask()[zeros[-1] :].all()  # the smallest go first
    assert zeros == [0, 462, 700, 800]  # 800 (1 - (1 - t)^3), rounded


@pytest.mark.parametrize("regrow", [False, True])
def test_what_was_cut_comes_back_only_if_it_may(regrow):
    weights = torch.arange(1.0, 11.0)
    search = start(Gradual(n_prunings=2, regrow=regrow), weights)
    search.advance(0.5)
    cut = search.mask() == 0
    assert cut.tolist() == [True] * 5 + [False] * 5
    weights[0] = 100.0  # it grows back
    search.advance(1.0)
    assert search.mask()[0] == regrow
    assert search.mask().sum() == 4
    assert search.harden()[0] == regrow
    weights[:] = -torch.arange(10.0)  # after the last cut nothing moves
    assert torch.equal(search.harden(), search.mask().bool())


def test_regrowing_goes_on_where_the_schedule_has_ended():
    weights = torch.arange(1.0, 11.0)
    early = CubicSparsity(1.0, end=0.5)
    search = start(Gradual(n_prunings=4, schedule=early, regrow=True), weights)
    search.advance(0.5)
    assert search.mask().sum() == 4
    weights[0] = 100.0
    search.advance(0.75)
    assert search.mask()[0] == 1
    assert search.mask().sum() == 4


def test_groups_keep_their_shares():
    weights = torch.tensor([3.0, -1.0, 0.5, -4.0, 2.0, 0.1, -0.2, 6.0, 5.0, -7.0])
    search = start(Gradual(), weights, groups=[5, 5])
    search.advance(1.0)
    assert search.mask().split(5)[0].sum() == search.mask().split(5)[1].sum() == 2
    assert torch.equal(search.harden(), search.mask().bool())


def test_random_cuts_little_by_little_end_as_one_cut_does():
    weights = torch.ones(100)
    little = start(Gradual("random", n_prunings=20), weights, 0.7)
    for step in range(21):
        little.advance(step / 20)
    at_once = start(resolve_method("random"), weights, 0.7)
    at_once.advance(0.0)
    assert torch.equal(little.harden(), at_once.mask().bool())


def test_cuts_wait_until_enough_was_seen():
    search = start(Gradual(Taylor(n_batches=6), n_prunings=10), torch.ones(100), 0.9)
    zeros = []
    for step in range(11):
        search.advance(step / 10)
        zeros.append(int((search.mask() == 0).sum()))
        search.update(None, normal(100, seed=step) if search.needs_slope else None)
    assert zeros[:6] == [0] * 6
    assert zeros[6] == round(90 * (1 - 0.4**3))
    assert zeros[10] == 90


def test_a_search_that_ends_early_is_cut_to_the_end():
    search = start(Gradual(n_prunings=4), torch.arange(10.0), 0.8)
    search.advance(0.3)
    before = search.mask().bool()
    mask = search.harden()
    assert mask.sum() == 2
    assert not (mask & ~before).any()


@pytest.mark.parametrize("regrow", [False, True])
@pytest.mark.parametrize("name", CRITERIA)
def test_a_resumed_search_goes_on_bit_for_bit(name, regrow):
    """Saved between two cuts, through a file, and loaded twice."""
    method = Gradual(name, n_prunings=7, regrow=regrow)
    slopes, buffer = normal(21, 50, seed=1), torch.empty(50)

    def masks(search, weights, first, stop):
        for step in range(first, stop):
            search.advance(step / 20)
            yield search.mask().clone()
            slope = buffer.copy_(slopes[step])  # a trainer uses its memory again
            search.update(None, slope if search.needs_slope else None)
            weights += 0.1 * slopes[step]

    whole_weights, weights = normal(50), normal(50)
    whole, first = start(method, whole_weights), start(method, weights)
    expected = list(masks(whole, whole_weights, 0, 21))
    list(masks(first, weights, 0, 10))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    for _ in range(2):
        ours = weights.clone()
        resumed = start(method, ours)
        resumed.load_state_dict(state)
        found = list(masks(resumed, ours, 10, 21))
        assert all(map(torch.equal, found, expected[10:]))
        assert torch.equal(resumed.scores(), whole.scores())
        assert torch.equal(resumed.harden(), whole.harden())


def test_a_saved_mask_is_as_final_as_it_was():
    weights = torch.arange(1.0, 11.0)
    first, second = (start(Gradual(regrow=True), weights) for _ in range(2))
    first.advance(1.0)
    second.load_state_dict(first.state_dict())
    weights[0] = 100.0
    assert torch.equal(second.harden(), first.harden())
    assert not second.harden()[0]


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"n_prunings": 0}, ValueError, "n_prunings=0 must be an integer in [1, inf)"),
        ({"n_prunings": 1.5}, TypeError, "n_prunings=1.5 must be an integer"),
        ({"schedule": 0.5}, TypeError, "schedule=0.5 must be None or a callable"),
        (
            {"schedule": CubicSparsity(0.9)},
            ValueError,
            "schedule(1.0)=0.9 must be a number in [1, 1]",
        ),
        ({"schedule": lambda t: 2 * t - 1}, ValueError, "schedule(0.0)=-1.0 must be"),
        ({"regrow": 1}, TypeError, "regrow=1 must be True or False"),
    ],
)
def test_senseless_hyperparameters_are_refused(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Gradual(**options).check()


def test_presets():
    assert repr(resolve_method("gmp")) == "GradualMagnitude()"
    assert repr(resolve_method("taylor")) == "Gradual(criterion='taylor')"
    assert repr(resolve_method("fisher")) == "Gradual(criterion='fisher')"
