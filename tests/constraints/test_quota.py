"""Quotas keep their promise at every fraction of the way, whatever the scores."""

import pytest
import torch

from sklearn_pb.constraints import CellQuota, CostQuota, MeasuredQuota, Quota


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.77, 1.0])
def test_counts_on_the_way(fraction):
    quota = Quota([10, 30], [3, 6])
    for scores in (torch.rand(40), torch.zeros(40), torch.full((40,), -torch.inf)):
        first, second = quota.select(scores, fraction).split([10, 30])
        assert first.sum() == 10 - round(7 * fraction)
        assert second.sum() == 30 - round(24 * fraction)


def test_an_open_quota_keeps_what_has_a_score():
    quota = Quota.proportional([4], None, at_least_one=[2, 2])
    assert quota.sparsity is None and quota.sparsities == [None]
    scores = torch.tensor([0.0, -1.0, -3.0, -2.0])
    assert quota.select(scores).tolist() == [True, False, False, True]


def test_cells_at_the_edge_keep_what_they_have():
    cells = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [8, -1, -1, -1]])
    quota = CellQuota(cells, n=2)
    assert quota.counts == (5,)
    assert quota.sparsity == pytest.approx(4 / 9)
    mask = quota.select(torch.tensor([1.0, 4, 3, 2, 9, 9, 9, 9, -torch.inf]))
    assert mask[:4].tolist() == [False, True, True, False]
    assert mask[4:8].sum() == 2 and mask[8]


def test_cells_on_the_way_are_between():
    quota = CellQuota(torch.arange(32).view(4, 8), n=2)
    counts = [int(quota.select(torch.rand(32), f).sum()) for f in (0, 0.5, 1)]
    assert counts == [32, 20, 8]


def test_required_ones_are_part_of_the_count():
    quota = Quota([6], [2], at_least_one=[3, 3])
    mask = quota.select(torch.tensor([1.0, 2, 3, 10, 11, 12]))
    assert mask.tolist() == [False, False, True, False, False, True]


def test_a_measured_total_is_not_passed():
    weights = torch.tensor([5.0, 1, 1, 1, 8])
    quota = MeasuredQuota(lambda m: float(weights[m].sum()), 5, 0.5)
    assert quota.sparsity == 0.5
    mask = quota.select(torch.tensor([5.0, 4, 3, 2, 1]))
    assert mask.tolist() == [True, True, True, True, False]
    assert quota.select(torch.tensor([1.0, 2, 3, 4, 5])).tolist() == [
        False, False, False, False, True
    ]  # fmt: skip


def seats(weights, limits, affordable):
    """Give one after the other to the largest weight / (2 seats + 1) that has room."""
    counts = [0] * len(weights)
    while True:
        free = [i for i, limit in enumerate(limits) if counts[i] < limit]
        if not free:
            return counts
        i = max(free, key=lambda i: weights[i] / (2 * counts[i] + 1))
        counts[i] += 1
        if not affordable(counts):
            counts[i] -= 1
            return counts


@pytest.mark.parametrize("weights", [(40, 7, 13), (3.1, 5.2, 4.3)])
@pytest.mark.parametrize("sparsity", [0.0, 0.35, 0.8, 0.97])
def test_groups_take_turns_until_the_measured_total_is_spent(sparsity, weights):
    sizes, prices = [40, 7, 13], [1.0, 6.0, 2.5]
    each = torch.repeat_interleave(torch.tensor(prices), torch.tensor(sizes))

    def measure(mask):
        return 5.0 + float(each[mask].sum())

    quota = MeasuredQuota(measure, 60, sparsity, sizes=sizes, weights=weights)
    budget = (5 + float(each.sum())) * (1 - sparsity)
    expected = seats(
        weights,
        sizes,
        lambda counts: (
            5 + sum(k * p for k, p in zip(counts, prices, strict=True)) <= budget
        ),
    )
    scores = torch.rand(60, generator=torch.Generator().manual_seed(0))
    mask = quota.select(scores)
    assert [int(part.sum()) for part in mask.split(sizes)] == expected
    assert quota.counts == tuple(expected)
    for kept, score in zip(mask.split(sizes), scores.split(sizes), strict=True):
        assert torch.equal(
            kept, score >= score.topk(max(1, int(kept.sum())))[0][-1]
        ) or (not kept.any())


def test_groups_never_lose_a_required_one():
    quota = MeasuredQuota(
        lambda mask: float(mask.sum()),
        9,
        0.66,
        sizes=[3, 3, 3],
        weights=[100, 1, 1],
        at_least_one=[3, 3, 3],
    )
    mask = quota.select(torch.arange(9.0))
    assert mask.int().tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 1]


def test_what_no_variable_governs_is_made_up_for_by_the_others():
    """Half of the total cannot go, so that of the rest 0.8 must."""
    costs = torch.linspace(0.5, 1.5, 101)
    half = float(costs.sum())
    quota = MeasuredQuota(
        lambda mask: half + float(costs[mask].sum()), 101, 0.4, costs=costs
    )
    assert quota.sparsity == 0.4
    assert quota.sparsities == [pytest.approx(0.8)]
    assert quota.cost_sparsity == pytest.approx(0.8)


def test_a_product_of_layers_needs_fewer_zeros_in_each():
    """Where inputs go with outputs, shares multiply: 0.5 x 0.5 of them are left."""

    def measure(mask):
        return float(mask[:64].sum()) * float(mask[64:].sum())

    even = MeasuredQuota(measure, 128, 0.75)
    assert even.sparsities == [pytest.approx(0.5, abs=0.01)]
    layers = MeasuredQuota(measure, 128, 0.75, sizes=[64, 64], weights=[1, 1])
    assert layers.sparsities == pytest.approx([0.5, 0.5])
    assert layers.counts == (32, 32)


def test_each_group_keeps_what_its_share_of_the_cost_pays():
    costs = torch.tensor([3.0, 1, 1, 1, 2, 2, 1])
    quota = CostQuota([4, 3], [0.5, 0.2], costs)
    mask = quota.select(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.7]))
    assert mask.int().tolist() == [0, 1, 1, 1, 1, 1, 0]
    assert quota.sparsities == [0.5, 0.2]
    assert quota.sparsity == pytest.approx((0.5 * 6 + 0.2 * 5) / 11)
    half_way = quota.select(torch.arange(7.0), 0.5)  # 4.5 of 6 and 4.5 of 5
    assert half_way.int().tolist() == [0, 1, 1, 1, 0, 1, 1]
    kept = CostQuota([2, 2], [1.0, 1.0], torch.ones(4), at_least_one=[4])
    assert kept.select(torch.tensor([1.0, 3, 2, 0])).int().tolist() == [0, 1, 0, 0]


def test_sparsity_by_cost():
    costs = torch.tensor([3.0, 1, 1, 1])
    quota = Quota([1, 3], [0, 3], costs=costs)
    assert quota.sparsity == 0.25 and quota.cost_sparsity == 0.5
    assert quota.group_means(torch.tensor([1.0, 1, 0, 0])) == pytest.approx([1, 1 / 3])
    assert Quota([1, 3]).cost_sparsity is None
