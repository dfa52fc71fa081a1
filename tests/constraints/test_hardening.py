"""Exactly k ones, whatever the ties."""

import pytest
import torch

from sklearn_pb.constraints import split_count, top_k_mask


@pytest.mark.parametrize("k", range(8))
def test_counts_are_exact_with_ties(k):
    for scores in (
        torch.zeros(7),
        torch.ones(7),
        torch.tensor([1.0, 1, 1, 0, 0, 0, 0]),
        torch.tensor([0.5, -torch.inf, 0.5, 0.5, torch.inf, 0, 0]),
    ):
        mask = top_k_mask(scores, k)
        assert mask.dtype == torch.bool
        assert mask.sum() == k
        if 0 < k < 7:
            assert scores[mask].min() >= scores[~mask].max()


def test_the_highest_scores_are_kept():
    scores = torch.randperm(1000, generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(top_k_mask(scores, 137), scores >= 1000 - 137)


def test_same_scores_same_mask():
    scores = torch.zeros(1000)
    assert torch.equal(top_k_mask(scores, 500), top_k_mask(scores.clone(), 500))


@pytest.mark.parametrize("k", [-1, 4])
def test_impossible_counts_are_refused(k):
    with pytest.raises(ValueError, match=rf"k={k} must be an integer in \[0, 3\]"):
        top_k_mask(torch.zeros(3), k)


@pytest.mark.parametrize(
    "k, sizes, expected",
    [
        (5, [10, 10], [3, 2]),  # equal remainders: the first
        (3, [5, 3, 2], [1, 1, 1]),  # 1.5, 0.9, 0.6: the two largest remainders
        (1, [1, 1, 98], [0, 0, 1]),
        (0, [4, 4], [0, 0]),
        (8, [4, 4], [4, 4]),
        (7, [0, 7], [0, 7]),
    ],
)
def test_shares_by_the_largest_remainder(k, sizes, expected):
    assert split_count(k, sizes) == expected


@pytest.mark.parametrize("sizes", [[7, 3, 20], [1, 1, 1, 1], [1000, 1, 17]])
def test_shares_add_up_and_fit(sizes):
    for k in range(sum(sizes) + 1):
        counts = split_count(k, sizes)
        assert sum(counts) == k
        for count, size in zip(counts, sizes, strict=True):
            assert 0 <= count <= size
            assert abs(count - k * size / sum(sizes)) < 1
