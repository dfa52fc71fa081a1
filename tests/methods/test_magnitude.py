"""Magnitude pruning, at once and by the cubic schedule."""

import torch

from sklearn_pb.constraints import Quota
from sklearn_pb.methods import GradualMagnitude, Magnitude, SearchSpace, Weights
from sklearn_pb.schedules import CubicSparsity
from sklearn_pb.utils import RandomStream

WEIGHTS = torch.tensor([3.0, -1.0, 0.5, -4.0, 2.0, 0.1, -0.2, 6.0, 5.0, -7.0])


def start(method, weights=WEIGHTS, sparsity=0.6, groups=None):
    space = SearchSpace(
        len(weights),
        RandomStream(0),
        Quota.proportional(groups or [len(weights)], sparsity),
        weights=Weights.single(lambda: weights),
    )
    return method.start(space)


def test_one_shot_keeps_everything_until_the_end():
    search = start(Magnitude())
    for step in range(5):
        search.advance(step / 5)
        assert search.mask().min() == 1
    assert WEIGHTS[search.harden()].tolist() == [-4.0, 6.0, 5.0, -7.0]


def test_the_gradual_mask_follows_the_cubic_schedule():
    weights = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    search = start(GradualMagnitude(n_prunings=10), weights, 0.9)
    schedule, last = CubicSparsity(0.9), torch.ones(1000)
    for step in range(101):
        search.advance(step / 100)
        mask = search.mask().clone()
        due = int(step / 100 * 10) / 10
        assert mask.sum() == 1000 - round(schedule(due) * 1000)
        assert (mask <= last).all()
        last = mask
    assert torch.equal(search.harden(), last.bool())


def test_a_weight_once_cut_stays_cut():
    weights = torch.arange(1.0, 11.0)
    search = start(GradualMagnitude(n_prunings=2), weights, 0.6)
    search.advance(0.5)
    cut = search.mask() == 0
    assert cut.sum() == 5
    weights[cut] = 100.0  # it grows back, which must not help it
    search.advance(1.0)
    assert not search.mask()[cut].any()
    assert not search.harden()[cut].any()


def test_groups_keep_their_shares():
    search = start(GradualMagnitude(), groups=[5, 5])
    search.advance(1.0)
    assert search.mask().split(5)[0].sum() == search.mask().split(5)[1].sum() == 2
    assert torch.equal(search.harden(), search.mask().bool())
