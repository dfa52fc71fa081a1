"""Quotas: exactly how many variables a mask keeps, and among which they compete."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ._hardening import split_count, top_k_mask


class Quota:
    """Variables in consecutive groups, each with the number of ones it ends with.

    Parameters
    ----------
    sizes : sequence of int
        Sizes of consecutive groups of variables. Those of a group compete with each
        other, and a price is steered for each group apart.
    counts : sequence of int, default=None
        Number of ones that each group ends with; None leaves it open.
    costs : torch.Tensor of shape (d,), default=None
        What each variable counts for, above 0, with a mean of 1; None is 1.
    at_least_one : sequence of int, default=()
        Sizes of consecutive groups (often layers) that never lose their last one.

    Attributes
    ----------
    totals : list of float
        What the variables of each group cost together.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import Quota
    >>> quota = Quota.proportional([2, 4], sparsity=0.5)
    >>> quota.counts
    (1, 2)
    >>> quota.select(torch.tensor([0.1, 0.2, 0.3, 0.9, 0.8, 0.7])).int()
    tensor([0, 1, 0, 1, 1, 0], dtype=torch.int32)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        counts: Sequence[int] | None = None,
        *,
        costs: torch.Tensor | None = None,
        at_least_one: Sequence[int] = (),
    ) -> None:
        self.sizes = tuple(sizes)
        self.counts = None if counts is None else tuple(counts)
        self.costs = costs
        self.at_least_one = tuple(at_least_one)
        self.totals = [float(size) for size in self.sizes]
        if costs is not None:
            self.totals = [
                float(part.sum()) for part in costs.double().split(self.sizes)
            ]

    @classmethod
    def proportional(
        cls, sizes: Sequence[int], sparsity: float | None, **options: object
    ) -> Quota:
        """Return the quota that gives every group the same share of zeros.

        Parameters
        ----------
        sizes : sequence of int
            Sizes of consecutive groups.
        sparsity : float or None
            Fraction of zeros over all of them: d - round(sparsity x d) ones are kept,
            and shared among groups by the largest remainders. None leaves it open.
        **options : dict
            Further arguments of `Quota`.

        Returns
        -------
        quota : Quota
            One group competes as a whole.
        """
        if sparsity is None:
            return cls(sizes, None, **options)  # type: ignore[arg-type]
        d = sum(sizes)
        counts = split_count(d - round(sparsity * d), list(sizes))
        return cls(sizes, counts, **options)  # type: ignore[arg-type]

    @property
    def n_variables(self) -> int:
        """The number d of variables."""
        return sum(self.sizes)

    @property
    def sparsities(self) -> list[float | None]:
        """Fraction of zeros that each group is to end with; None where open."""
        if self.counts is None:
            return [None] * len(self.sizes)
        groups = zip(self.counts, self.sizes, strict=True)
        return [1 - k / size if size else 0.0 for k, size in groups]

    @property
    def sparsity(self) -> float | None:
        """Fraction of zeros over all groups, or None."""
        if self.counts is None:
            return None
        return 1 - sum(self.counts) / max(1, self.n_variables)

    @property
    def cost_sparsity(self) -> float | None:
        """Fraction of zeros over all groups, each variable by its cost, or None."""
        if self.counts is None or self.costs is None:
            return self.sparsity
        return self._mean_sparsity()

    def group_means(self, values: torch.Tensor) -> list[float]:
        """Return the mean of each group, each variable by its cost.

        Parameters
        ----------
        values : torch.Tensor of shape (d,)
            One value a variable.

        Returns
        -------
        means : list of float
            One a group; 0 for a group that costs nothing.
        """
        if self.costs is not None:
            values = values * self.costs.to(values)
        sums = [float(part.sum()) for part in values.split(self.sizes)]
        return [x / max(t, 1e-30) for x, t in zip(sums, self.totals, strict=True)]

    def _mean_sparsity(self) -> float:
        """The mean of the sparsities of the groups, by their cost."""
        shares = [share or 0.0 for share in self.sparsities]
        zeros = sum(s * total for s, total in zip(shares, self.totals, strict=True))
        return zeros / max(sum(self.totals), 1e-30)

    def select(self, scores: torch.Tensor, fraction: float = 1.0) -> torch.Tensor:
        """Return the mask of the best variables, with exactly as many as promised.

        Parameters
        ----------
        scores : torch.Tensor of shape (d,)
            Higher is kept longer.
        fraction : float, default=1.0
            How much of the way from all ones to the final zeros is gone, in [0, 1].

        Returns
        -------
        mask : torch.Tensor of bool, shape (d,)
            Ties never change a count. Where the number is open, all with a score of at
            least 0.
        """
        scores = self._with_required(scores)
        if self.counts is None:
            return scores >= 0
        return self._choose(scores, fraction)

    def _choose(self, scores: torch.Tensor, fraction: float) -> torch.Tensor:
        assert self.counts is not None
        groups = zip(scores.split(self.sizes), self.sizes, self.counts, strict=True)
        return torch.cat(
            [
                top_k_mask(s, size - round(fraction * (size - k)))
                for s, size, k in groups
            ]
        )

    def _with_required(self, scores: torch.Tensor) -> torch.Tensor:
        if not self.at_least_one:
            return scores
        scores = scores.clone()
        for part in scores.split(self.at_least_one):
            if len(part):
                part[part.argmax()] = torch.inf
        return scores


class CellQuota(Quota):
    """n ones in each cell of m variables: an N:M pattern.

    Parameters
    ----------
    cells : torch.Tensor of int64, shape (n_cells, m)
        The variables of each cell; -1 pads cells that are not full. Every variable
        lies in one cell.
    n : int
        Number of ones a cell ends with; all that there are, if they are fewer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import CellQuota
    >>> quota = CellQuota(torch.arange(8).view(2, 4), n=2)
    >>> quota.select(torch.arange(8.0)).int()
    tensor([0, 0, 1, 1, 0, 0, 1, 1], dtype=torch.int32)
    """

    def __init__(self, cells: torch.Tensor, n: int) -> None:
        self.cells = cells
        self.n = n
        filled = (cells >= 0).sum(1)
        super().__init__([int(filled.sum())], [int(filled.clamp(max=n).sum())])

    def _choose(self, scores: torch.Tensor, fraction: float) -> torch.Tensor:
        m = self.cells.shape[1]
        k = m - round(fraction * (m - self.n))
        padded = torch.cat([scores, scores.new_full((1,), -torch.inf)])
        cells = self.cells.to(scores.device)
        best = padded[cells].argsort(dim=1, descending=True, stable=True)[:, :k]
        chosen = cells.gather(1, best)
        mask = torch.zeros(len(padded), dtype=torch.bool, device=scores.device)
        mask[chosen.flatten()] = True
        return mask[:-1]
