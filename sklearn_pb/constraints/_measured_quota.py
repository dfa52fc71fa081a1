"""Quotas in another unit than the number of variables, such as multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from ._quota import Quota

_GOLDEN = (math.sqrt(5) - 1) / 2
_ROUNDING = 1 + 1e-9


class MeasuredQuota(Quota):
    """As many of the best variables as a measured total allows.

    Parameters
    ----------
    measure : callable
        Maps a (d,) boolean mask to its total, such as multiply-adds; more ones never
        give less.
    n_variables : int
        The number d of variables.
    sparsity : float
        Fraction of the total of the full mask that is to go.
    costs : torch.Tensor of shape (d,), default=None
        What each variable counts for in steering, with a mean of 1.
    at_least_one : sequence of int, default=()
        Sizes of consecutive groups that never lose their last one.
    sizes : sequence of int, default=()
        Sizes of consecutive groups that share the ones; none lets all compete.
    weights : sequence of float, default=()
        In what proportion these groups share them, as long as they have more.

    Notes
    -----
    The mask's total is at most the budget, and the next best variable would not fit.
    Groups get their ones in turn, by the method of Webster and Sainte-Laguë, whose
    shares only grow with the number of ones.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import MeasuredQuota
    >>> costs = torch.tensor([3.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    >>> scores = torch.tensor([0.1, 0.2, 0.6, 0.5, 0.4, 0.3])
    >>> quota = MeasuredQuota(lambda mask: float(costs[mask].sum()), 6, sparsity=0.5)
    >>> quota.select(scores).int().tolist()
    [0, 0, 1, 1, 1, 1]
    >>> quota = MeasuredQuota(
    ...     lambda mask: float(costs[mask].sum()), 6, 0.5, sizes=[2, 4], weights=[2, 4]
    ... )
    >>> quota.select(scores).int().tolist()
    [0, 1, 1, 1, 0, 0]
    """

    def __init__(
        self,
        measure: Callable[[torch.Tensor], float],
        n_variables: int,
        sparsity: float,
        *,
        costs: torch.Tensor | None = None,
        at_least_one: Sequence[int] = (),
        sizes: Sequence[int] = (),
        weights: Sequence[float] = (),
    ) -> None:
        self.measure = measure
        self._share = sparsity
        self._weights = tuple(weights)
        super().__init__(sizes or [n_variables], costs=costs, at_least_one=at_least_one)
        even = self._even_mask()
        self.counts = tuple(int(part.sum()) for part in even.split(self.sizes))
        self._densities = self.group_means(even)

    @property
    def sparsity(self) -> float:
        """Fraction of the measured total that is to go."""
        return self._share

    @property
    def cost_sparsity(self) -> float:
        """Fraction of zeros over all groups, by cost, where ones lie evenly."""
        return self._mean_sparsity()

    @property
    def sparsities(self) -> list[float | None]:
        """Fraction of zeros of each group, by cost, where ones lie evenly."""
        return [1 - density for density in self._densities]

    def _choose(self, scores: torch.Tensor, fraction: float) -> torch.Tensor:
        order = self._order(scores)
        return _prefix(order, self._n_fitting(order, self._limit(fraction)))

    def _limit(self, fraction: float) -> float:
        full = self.measure(torch.ones(self.n_variables, dtype=torch.bool))
        return full * (1 - fraction * self._share)

    def _order(self, scores: torch.Tensor) -> torch.Tensor:
        """The variables, those first that are kept longest."""
        if not self._weights:
            return scores.argsort(descending=True, stable=True)
        turns = torch.empty_like(scores, dtype=torch.float64)
        groups = zip(
            scores.split(self.sizes),
            turns.split(self.sizes),
            self._weights,
            strict=True,
        )
        for part, turn, weight in groups:
            places = torch.arange(len(part), device=part.device) + 0.5
            turn[part.argsort(descending=True, stable=True)] = places.double() / weight
        return turns.masked_fill_(scores == torch.inf, 0.0).argsort(stable=True)

    def _n_fitting(self, order: torch.Tensor, limit: float) -> int:
        """How many variables fit together, in this order."""
        low, high = 0, len(order) + 1  # the first `low` fit, the first `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            if self.measure(_prefix(order, middle)) <= limit * _ROUNDING:
                low = middle
            else:
                high = middle
        return max(low, len(self.at_least_one))

    def _even_mask(self) -> torch.Tensor:
        """A mask of the right total whose ones lie evenly; the last may be a part."""
        # Multiples of the golden ratio spread evenly over any stretch of variables.
        scores = torch.arange(self.n_variables, dtype=torch.float64) * _GOLDEN % 1.0
        order, limit = self._order(self._with_required(scores)), self._limit(1.0)
        k = self._n_fitting(order, limit)
        mask = _prefix(order, k)
        even = mask.double()
        if k < self.n_variables:
            low, high = self.measure(mask), self.measure(_prefix(order, k + 1))
            even[order[k]] = max(0.0, limit - low) / max(high - low, 1e-30)
        return even


class CostQuota(Quota):
    """In each group the best variables, within a share of what the group costs.

    Parameters
    ----------
    sizes : sequence of int
        Sizes of consecutive groups of variables.
    sparsities : sequence of float
        Fraction of each group's cost that is to go.
    costs : torch.Tensor of shape (d,)
        What each variable counts for, with a mean of 1.
    at_least_one : sequence of int, default=()
        Sizes of consecutive groups that never lose their last one.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import CostQuota
    >>> quota = CostQuota([2, 3], [0.5, 0.0], torch.tensor([1.5, 0.5, 1.0, 1.0, 1.0]))
    >>> quota.select(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])).int().tolist()
    [0, 1, 1, 1, 1]
    """

    def __init__(
        self,
        sizes: Sequence[int],
        sparsities: Sequence[float],
        costs: torch.Tensor,
        *,
        at_least_one: Sequence[int] = (),
    ) -> None:
        self._shares = list(sparsities)
        super().__init__(
            sizes, [0] * len(sizes), costs=costs, at_least_one=at_least_one
        )
        even = self.select(torch.zeros(self.n_variables))
        self.counts = tuple(int(part.sum()) for part in even.split(self.sizes))

    @property
    def sparsity(self) -> float:
        """Fraction of the cost of all groups that is to go."""
        return self._mean_sparsity()

    @property
    def sparsities(self) -> list[float | None]:
        """Fraction of each group's cost that is to go."""
        return [*self._shares]

    def _choose(self, scores: torch.Tensor, fraction: float) -> torch.Tensor:
        assert self.costs is not None
        costs = self.costs.to(scores.device, torch.float64)
        groups = zip(
            scores.split(self.sizes), costs.split(self.sizes), self._shares, strict=True
        )
        return torch.cat(
            [_within(s, c, 1 - fraction * share) for s, c, share in groups]
        )


def _within(scores: torch.Tensor, costs: torch.Tensor, share: float) -> torch.Tensor:
    """The best variables that together cost no more than a share, and required ones."""
    order = scores.argsort(descending=True, stable=True)
    fits = costs[order].cumsum(0) <= share * costs.sum() * _ROUNDING
    mask = scores == torch.inf
    mask[order[fits]] = True
    return mask


def _prefix(order: torch.Tensor, k: int) -> torch.Tensor:
    mask = torch.zeros(len(order), dtype=torch.bool, device=order.device)
    mask[order[:k]] = True
    return mask
