"""Quotas keep their promise at every fraction of the way, whatever the scores."""

import pytest
import torch

from sklearn_pb.constraints import CellQuota, MeasuredQuota, Quota


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
