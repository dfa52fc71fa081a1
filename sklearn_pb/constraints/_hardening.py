"""Binary masks with exactly k ones, and how k is shared among groups."""

from __future__ import annotations

import numpy as np
import torch


def top_k_mask(scores: torch.Tensor, k: int) -> torch.Tensor:
    """Return the mask of the k highest scores; ties never change the count.

    Parameters
    ----------
    scores : torch.Tensor of shape (d,)
        One score a variable.
    k : int
        Number of ones, in [0, d].

    Returns
    -------
    mask : torch.Tensor of bool, shape (d,)
        Exactly k ones.
    """
    d = len(scores)
    if not 0 <= k <= d:
        raise ValueError(f"k={k} must be an integer in [0, {d}], the number of scores.")
    mask = torch.zeros(d, dtype=torch.bool, device=scores.device)
    if k in (0, d):
        mask[:k] = True
    elif scores.device.type == "cpu":  # selection in O(d); torch.topk sorts
        order = np.argpartition(scores.detach().numpy(), d - k)
        mask.numpy()[order[d - k :]] = True
    else:
        mask[scores.topk(k, sorted=False).indices] = True
    return mask


def split_count(k: int, sizes: list[int]) -> list[int]:
    """Share k ones among groups in proportion to their sizes, exactly.

    Parameters
    ----------
    k : int
        Number of ones in all.
    sizes : list of int
        Sizes of the groups.

    Returns
    -------
    counts : list of int
        They add up to k; what rounding leaves goes to the largest remainders.
    """
    total = sum(sizes)
    counts = [k * size // total for size in sizes]
    remainders = [k * size % total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -remainders[i])
    for i in by_remainder[: k - sum(counts)]:
        counts[i] += 1
    return counts
