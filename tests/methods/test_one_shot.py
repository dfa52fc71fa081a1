"""One cut: when it falls, and what is seen before it."""

import re
import warnings

import pytest
import torch

from sklearn_pb.constraints import Quota
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.methods import (
    PRESETS,
    OneShot,
    SearchSpace,
    Snip,
    Taylor,
    Weights,
    resolve_method,
)
from sklearn_pb.utils import RandomStream

WEIGHTS = torch.tensor([3.0, -1.0, 0.5, -4.0, 2.0, 0.1, -0.2, 6.0, 5.0, -7.0])


def start(method, weights=WEIGHTS, quota=None, **options):
    d = len(weights)
    return method.start(
        SearchSpace(
            d,
            RandomStream(0),
            Quota.proportional([d], 0.6) if quota is None else quota,
            weights=Weights.single(lambda: weights),
            **options,
        )
    )


def zeros_a_step(search, n_steps=11, slope=WEIGHTS):
    zeros = []
    for step in range(n_steps):
        search.advance(step / (n_steps - 1))
        zeros.append(int((search.mask() == 0).sum()))
        search.update(None, slope.clone() if search.needs_slope else None)
    return zeros


def test_everything_is_kept_until_the_end():
    search = start(OneShot())
    assert zeros_a_step(search) == [0] * 11
    assert WEIGHTS[search.harden()].tolist() == [-4.0, 6.0, 5.0, -7.0]


@pytest.mark.parametrize("at, cut", [(0.0, 0), (0.25, 3), (0.5, 5), (0.99, 10)])
def test_the_cut_falls_at_its_moment_and_stays(at, cut):
    weights = WEIGHTS.clone()
    search = start(OneShot(at=at), weights)
    assert zeros_a_step(search) == [0] * cut + [6] * (11 - cut)
    first = search.mask().bool()
    assert weights[first].tolist() == [-4.0, 6.0, 5.0, -7.0]
    weights[~first] = 100.0  # what grows later is of no help
    assert torch.equal(search.harden(), first)


@pytest.mark.parametrize("n_batches", [1, 4])
def test_slopes_are_seen_first_with_everything_kept(n_batches):
    search = start(OneShot(Snip(n_batches=n_batches), at=0.0))
    assert zeros_a_step(search) == [0] * n_batches + [6] * (11 - n_batches)


def test_slopes_are_asked_for_until_the_cut():
    search = start(OneShot("taylor", at=0.5))
    asked = []
    for step in range(11):
        search.advance(step / 10)
        asked.append(search.needs_slope)
        search.update(None, WEIGHTS.clone() if asked[-1] else None)
    assert asked == [True] * 5 + [False] * 6
    assert not start(OneShot()).needs_slope


@pytest.mark.parametrize("name", ["l2", "random"])
def test_without_slopes_the_cut_comes_before_the_first_step(name):
    search = start(OneShot(name, at=0.0))
    search.advance(0.0)
    assert search.density() == pytest.approx(0.4)


def test_a_search_that_ends_early_is_cut_by_what_was_seen():
    search = start(OneShot(Snip(n_batches=100), at=0.0))
    zeros_a_step(search, 3)
    assert WEIGHTS[search.harden()].tolist() == [-4.0, 6.0, 5.0, -7.0]


def test_a_mask_made_from_nothing_is_told():
    with pytest.warns(SparsityWarning, match=r"Snip\(\) has seen no batch"):
        mask = start(OneShot("snip")).harden()
    assert mask.sum() == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start(OneShot()).harden()


def test_random_masks_are_cut_alike_at_any_moment():
    masks = [zeros_a_step(start(OneShot("random", at=at))) for at in (0.0, 0.5)]
    assert masks[0] != masks[1]
    first, second = (start(OneShot("random", at=at)) for at in (0.0, 1.0))
    first.advance(0.0)
    assert torch.equal(first.mask().bool(), second.harden())


@pytest.mark.parametrize("split", [1, 4, 8])
@pytest.mark.parametrize("criterion", ["l2", "random", Taylor(n_batches=6), "fisher"])
def test_a_resumed_search_goes_on_bit_for_bit(criterion, split):
    slopes = torch.randn(11, 10, generator=torch.Generator().manual_seed(0))

    def steps(search, first, stop):
        for step in range(first, stop):
            search.advance(step / 10)
            search.update(None, slopes[step].clone() if search.needs_slope else None)
        return search

    method = OneShot(criterion, at=0.5)
    whole = steps(start(method), 0, 11)
    state = steps(start(method), 0, split).state_dict()
    resumed = start(method)
    resumed.load_state_dict(state)
    steps(resumed, split, 11)
    assert torch.equal(resumed.scores(), whole.scores())
    assert torch.equal(resumed.mask(), whole.mask())
    assert torch.equal(resumed.harden(), whole.harden())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_masks_have_the_type_of_the_space(dtype):
    search = start(OneShot(), dtype=dtype)
    assert search.mask().dtype == search.scores().dtype == dtype


@pytest.mark.parametrize("at", [-0.1, 1.1, float("nan")])
def test_a_moment_outside_the_search_is_refused(at):
    with pytest.raises(ValueError, match=re.escape(f"at={at} must be a number in [0,")):
        OneShot(at=at).check()


def test_what_is_missing_is_named():
    bare = SearchSpace(10, RandomStream(0), Quota([10], [4]))
    with pytest.raises(ValueError, match="needs the weights of a network and a spars"):
        OneShot().start(bare)
    for name, needs in (("l2", "the weights of a network and a"), ("snip", "a")):
        with pytest.raises(
            ValueError, match=f"needs {needs} sparsity; it was given spa"
        ):
            start(OneShot(name), quota=Quota([10]))


def test_needs_follow_the_criterion():
    for name, slopes in (("l2", False), ("lamp", False), ("random", False)):
        assert OneShot(name).needs_relaxable is slopes
    for criterion in ("taylor", "snip", "fisher", "movement", Taylor()):
        assert OneShot(criterion).needs_relaxable is True
    assert OneShot("unknown").needs_relaxable is False
    assert OneShot().needs_weights
    assert not OneShot().learns


def test_presets():
    said = {name: repr(resolve_method(name)) for name in PRESETS}
    assert said["magnitude"] == "Magnitude()"
    assert said["magnitude-l1"] == "OneShot(criterion='l1')"
    assert said["lamp"] == "OneShot(criterion='lamp')"
    assert said["random"] == "OneShot(at=0.0, criterion='random')"
    assert said["snip"] == "OneShot(at=0.0, criterion='snip')"


def test_the_memory_of_a_slope_may_be_used_again():
    search, slope = start(OneShot("snip")), torch.empty(10)
    for _ in range(2):
        search.advance(0.5)
        search.update(None, slope.copy_(WEIGHTS))
        slope.zero_()
    assert torch.equal(search.scores(), WEIGHTS.abs())
