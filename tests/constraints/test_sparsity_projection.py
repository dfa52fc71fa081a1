"""The projection of a search: schedule of the bound, groups, costs, saved state."""

import math
import re

import pytest
import torch
from sklearn.base import clone

from sklearn_pb.constraints import (
    MeasuredQuota,
    Quota,
    SparsityProjection,
    project_capped_simplex,
)
from sklearn_pb.schedules import CubicSparsity


def draw(d=60, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(d, generator=generator, dtype=dtype) - 0.25


def confined(run, position, progress=1.0):
    return run.confine_(position.clone(), position, progress)


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.3, 0.59, 0.6, 1.0])
def test_the_bound_follows_the_cubic_schedule(progress):
    run = SparsityProjection().start(Quota.proportional([60], 0.9), 0.5)
    sparsity = CubicSparsity(final=0.9, initial=0.5, end=0.6)(progress)
    expected = project_capped_simplex(draw(), 60 * (1 - sparsity))
    torch.testing.assert_close(confined(run, draw(), progress), expected)
    assert float(expected.sum()) == pytest.approx(60 * (1 - sparsity))


def test_by_hand_half_way_to_a_tenth():
    run = SparsityProjection(end=1.0).start(Quota.proportional([60], 0.9), 0.5)
    density = 0.1 + 0.4 * 0.5**3
    assert float(confined(run, draw(), 0.5).sum()) == pytest.approx(60 * density)


def test_without_a_schedule_the_bound_is_final_from_the_start():
    run = SparsityProjection(schedule=None).start(Quota.proportional([60], 0.9), 0.5)
    assert float(confined(run, draw(), 0.0).sum()) == pytest.approx(6.0)


def test_a_schedule_is_a_share_of_the_way():
    constraint = SparsityProjection(schedule=lambda progress: progress**2)
    run = constraint.start(Quota.proportional([60], 0.75), 0.5)
    density = 0.25 + 0.25 * (1 - 0.2**2)
    assert float(confined(run, draw(), 0.2).sum()) == pytest.approx(60 * density)


def test_a_schedule_off_the_way_is_named():
    constraint = SparsityProjection(schedule=lambda progress: 2 * progress)
    run = constraint.start(Quota.proportional([60], 0.75), 0.75)
    with pytest.raises(ValueError, match=re.escape("schedule(0.8)=1.6 must be")):
        confined(run, draw(), 0.8)


def test_a_start_that_is_sparse_enough_leaves_the_bound_where_it_ends():
    run = SparsityProjection().start(Quota.proportional([60], 0.5), 0.2)
    assert float(confined(run, draw(), 0.0).sum()) == pytest.approx(30.0)


def test_its_own_sparsity_counts_where_the_quota_has_none():
    constraint = SparsityProjection(0.8, schedule=None)
    for quota in (Quota([60]), Quota.proportional([60], 0.8)):
        total = float(confined(constraint.start(quota, 0.5), draw()).sum())
        assert total == pytest.approx(12.0)


def test_shares_of_groups_come_before_its_own_sparsity():
    constraint = SparsityProjection(0.7, schedule=None)
    position = confined(constraint.start(Quota([20, 40], [16, 2]), 0.5), draw())
    assert position[:20].sum() <= 16 and float(position[20:].sum()) == pytest.approx(2)


@pytest.mark.parametrize("own, refused", [(0.8, False), (0.811, False), (0.5, True)])
def test_another_sparsity_than_the_quota_is_refused(own, refused):
    quota = Quota.proportional([60], 0.8)
    if not refused:  # as near as rounding to whole variables
        assert SparsityProjection(own).start(quota, 0.5).confines
        return
    with pytest.raises(ValueError, match=r"Projection\.sparsity=0\.5 differs from"):
        SparsityProjection(own).start(quota, 0.5)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_group_is_projected_apart(weighted):
    costs = 0.5 + draw(seed=1).abs() if weighted else None
    quota = Quota([20, 0, 40], [4, 0, 2], costs=costs)
    run = SparsityProjection(schedule=None).start(quota, 0.5)
    parts = [None] * 3 if costs is None else costs.split([20, 0, 40])
    shares = [0.2, 1.0, 0.05]
    for seed in range(5):
        expected = [
            project_capped_simplex(
                p, share * (len(p) if c is None else float(c.sum())), c
            )
            for p, c, share in zip(
                draw(seed=seed).split([20, 0, 40]), parts, shares, strict=True
            )
        ]
        torch.testing.assert_close(confined(run, draw(seed=seed)), torch.cat(expected))


def test_costs_take_the_type_of_the_probabilities():
    quota = Quota([60], [6], costs=torch.ones(60, dtype=torch.float64))
    run = SparsityProjection(schedule=None).start(quota, 0.5)
    position = confined(run, draw(dtype=torch.float32))
    assert position.dtype == torch.float32
    assert float(position.sum()) == pytest.approx(6.0, rel=1e-5)


def test_a_measured_quota_gives_its_share_of_the_costs():
    costs = torch.linspace(0.5, 1.5, 60, dtype=torch.float64)
    quota = MeasuredQuota(lambda mask: float(costs[mask].sum()), 60, 0.75, costs=costs)
    position = confined(SparsityProjection(schedule=None).start(quota, 0.5), draw())
    assert float(costs @ position) == pytest.approx(0.25 * float(costs.sum()))


def test_the_position_itself_is_moved():
    run = SparsityProjection(schedule=None).start(Quota.proportional([60], 0.9), 0.5)
    assert run.confines
    position, before = draw(), draw(seed=1)
    assert run.confine_(position, before, 1.0) is position
    assert torch.equal(before, draw(seed=1))
    assert float(position.sum()) == pytest.approx(6.0)


def test_the_strength_is_the_mean_price_of_the_groups():
    run = SparsityProjection(0.5, schedule=None).start(Quota([2, 2]), 0.5)
    assert run.strength == 0.0
    confined(run, torch.tensor([0.75, 0.75, 1.0, 1.5], dtype=torch.float64))
    assert run.strength == pytest.approx((0.25 + 0.75) / 2)


def test_steps_after_a_restart_are_the_same_to_the_last_bit():
    quota = Quota([200, 300], [20, 10])

    def walk(run, position, seeds):
        for seed in seeds:
            step = 0.1 * draw(500, seed, torch.float32)
            position = run.confine_(position + step, position, seed / 20)
        return position

    def start():
        return SparsityProjection().start(quota, 0.5)

    whole = walk(start(), torch.full((500,), 0.5), range(20))
    first, second = start(), start()
    half = walk(first, torch.full((500,), 0.5), range(10))
    second.load_state_dict(first.state_dict())
    assert torch.equal(walk(second, half, range(10, 20)), whole)


def test_values_that_are_not_finite_are_left_to_the_training_loop():
    run = SparsityProjection(schedule=None).start(Quota.proportional([60], 0.9), 0.5)
    broken = draw()
    broken[3] = math.nan
    assert confined(run, broken).isnan().any()
    assert float(confined(run, draw()).sum()) == pytest.approx(6.0)  # and it recovers


def test_it_is_a_scikit_learn_object():
    constraint = SparsityProjection(0.5, schedule=None, end=0.9)
    expected = {"sparsity": 0.5, "schedule": None, "end": 0.9}
    assert clone(constraint).get_params() == expected


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sparsity": 1.0}, ValueError, "SparsityProjection.sparsity=1.0 must be"),
        ({"sparsity": "0.5"}, TypeError, "SparsityProjection.sparsity='0.5' must be"),
        ({"schedule": "linear"}, ValueError, "schedule='linear' must be 'cubic'"),
        ({"end": 0.0}, ValueError, "SparsityProjection.end=0.0 must be"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    constraint = SparsityProjection(**settings)
    with pytest.raises(error, match=message):
        constraint.check()
    with pytest.raises(error, match=message):
        constraint.start(Quota.proportional([4], 0.5), 0.5)


def test_somebody_must_say_how_many_ones():
    with pytest.raises(ValueError, match="SparsityProjection needs to know how many"):
        SparsityProjection().start(Quota([4]), 0.5)
