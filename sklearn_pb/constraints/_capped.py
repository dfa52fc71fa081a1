"""What constraints on the expected number of ones share: the number, and the groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch

from ..schedules import CubicSparsity
from ..utils import check_number
from ._base import Constraint, ConstraintRun
from ._quota import Quota
from ._scratch import Scratch

Schedule = Callable[[float], float] | str | None


class CappedConstraint(Constraint):
    """Settings of a constraint on the sum of the probabilities of each group.

    A subclass has the parameters `sparsity`, `schedule` and `end`.
    """

    schedule: Schedule
    end: float

    def check(self) -> None:
        """Raise if `sparsity`, `schedule` or `end` is out of its range."""
        name = type(self).__name__
        if self.sparsity is not None:
            check_number(
                self.sparsity, f"{name}.sparsity", low=0, high=1, high_open=True
            )
        known = self.schedule is None or self.schedule == "cubic"
        if not known and not callable(self.schedule):
            raise ValueError(
                f"{name}.schedule={self.schedule!r} must be 'cubic', None or a "
                "function of the progress."
            )
        check_number(self.end, f"{name}.end", low=0, high=1, low_open=True)

    def totals(self, quota: Quota, initial_density: float) -> Totals:
        """Return how much the probabilities of each group may sum to, over a search.

        Parameters
        ----------
        quota : Quota
            The groups, and the sparsities unless this constraint has its own.
        initial_density : float
            Mean probability at the start.

        Returns
        -------
        totals : Totals
            A function of the progress.

        Raises
        ------
        TypeError, ValueError
            If a setting is out of its range, nobody says how many ones are wanted, or
            the quota says otherwise than this constraint.
        """
        self.check()
        self._check_quota(quota)
        known = [self.sparsity if s is None else s for s in quota.sparsities]
        wanted = [s for s in known if s is not None]
        return Totals(quota, wanted, initial_density, self._way())

    def _check_quota(self, quota: Quota) -> None:
        name = type(self).__name__
        if self.sparsity is None and quota.sparsity is None:
            raise ValueError(
                f"{name} needs to know how many ones are wanted: set its own "
                "`sparsity`, or that of the estimator or search it serves."
            )
        if self.sparsity is None or quota.sparsity is None:
            return
        if abs(self.sparsity - quota.sparsity) * quota.n_variables > 1:  # not rounding
            raise ValueError(
                f"{name}.sparsity={self.sparsity!r} differs from the sparsity "
                f"{quota.sparsity:.6g} that the mask is to end with; it must be None "
                "or the same."
            )

    def _way(self) -> Callable[[float], float]:
        if self.schedule is None:
            return _at_once
        if isinstance(self.schedule, str):
            return CubicSparsity(final=1.0, initial=0.0, end=self.end)
        return self.schedule


def _at_once(progress: float) -> float:
    return 1.0


class Totals:
    """How much the probabilities of each group may sum to, each by its cost.

    Parameters
    ----------
    quota : Quota
        The groups and costs.
    sparsities : list of float
        Fraction of zeros that each group ends with.
    initial_density : float
        Density that all groups start from.
    way : callable
        Maps the progress to the fraction of the way to the end that is gone.
    """

    def __init__(
        self,
        quota: Quota,
        sparsities: list[float],
        initial_density: float,
        way: Callable[[float], float],
    ) -> None:
        self._full = quota.totals
        self._ends = [1 - sparsity for sparsity in sparsities]
        self._initial_density = initial_density
        self._way = way

    def __call__(self, progress: float) -> list[float]:
        """Return the total of each group at a progress in [0, 1]."""
        way = self._way(progress)
        check_number(way, f"schedule({progress})", low=0, high=1)
        densities = [
            end + max(0.0, self._initial_density - end) * (1 - way)
            for end in self._ends
        ]
        return [d * full for d, full in zip(densities, self._full, strict=True)]


class CappedRun(ConstraintRun, ABC):
    """A run that confines the probabilities, one group after the other.

    Parameters
    ----------
    totals : Totals
        What the groups may sum to.
    quota : Quota
        Sizes of the groups and costs.
    """

    confines: ClassVar[bool] = True

    def __init__(self, totals: Totals, quota: Quota) -> None:
        self._totals = totals
        self._sizes = list(quota.sizes)
        self._costs = quota.costs
        self._prices = [0.0] * len(self._sizes)
        self._scratch = Scratch()

    @property
    def strength(self) -> float | None:  # type: ignore[override]
        """How far the last step lowered the probabilities, averaged over groups.

        It is the multiplier of the sum, for variables whose cost is 1.
        """
        return sum(self._prices) / max(1, len(self._prices))

    @torch.no_grad()
    def confine_(
        self, position: torch.Tensor, before: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Correct a step of the probabilities, in place.

        Parameters
        ----------
        position : torch.Tensor of shape (d,)
            Where the optimizer has moved them; changed.
        before : torch.Tensor of shape (d,)
            Where they were.
        progress : float
            Fraction of the search done, in [0, 1].

        Returns
        -------
        position : torch.Tensor of shape (d,)
            The same tensor. Values that are not finite stay as they are, for the
            training loop to report.
        """
        moved = position.split(self._sizes)
        origins = before.split(self._sizes)
        costs = self._split_costs(position)
        totals = self._totals(progress)
        for i, price in enumerate(self._prices):
            points, self._prices[i] = self._confined(
                moved[i], origins[i], totals[i], costs[i], price
            )
            moved[i].copy_(points)
        return position

    @abstractmethod
    def _confined(
        self,
        position: torch.Tensor,
        before: torch.Tensor,
        total: float,
        costs: torch.Tensor | None,
        start: float,
    ) -> tuple[torch.Tensor, float]:
        """Where a group ends up, and its price."""

    def _split_costs(self, model: torch.Tensor) -> list[torch.Tensor | None]:
        if self._costs is None:
            return [None] * len(self._sizes)
        self._costs = self._costs.to(model)
        return list(self._costs.split(self._sizes))

    def state_dict(self) -> dict[str, Any]:
        """Return the prices, from which the next step starts its search."""
        return {"prices": list(self._prices)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._prices = list(state["prices"])
