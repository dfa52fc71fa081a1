"""One budget for every search, and the counter that keeps to it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import torch

from .functions import PseudoBooleanFunction
from .utils import check_number

__all__ = ["Budget", "BudgetExhausted", "Evaluator"]


@dataclass(frozen=True)
class Budget:
    """When a search stops: at the first limit reached.

    Parameters
    ----------
    evaluations : int, default=None
        Number of evaluations of the function.
    seconds : float, default=None
        Wall-clock seconds.
    target : float, default=None
        Stop as soon as a cost at most this is found.
    no_improvement : int, default=None
        Stop after this many evaluations without a better cost.

    Examples
    --------
    >>> from sklearn_pb import Budget
    >>> Budget(evaluations=1000, target=-5.0)
    Budget(evaluations=1000, seconds=None, target=-5.0, no_improvement=None)
    """

    evaluations: int | None = None
    seconds: float | None = None
    target: float | None = None
    no_improvement: int | None = None

    def check(self) -> Budget:
        """Raise if the limits make no sense, and return the budget.

        Returns
        -------
        budget : Budget
            The same object.

        Raises
        ------
        ValueError
            If a limit is not positive, if two contradict, or if nothing ends the
            search for certain.
        """
        for name in ("evaluations", "no_improvement"):
            value = getattr(self, name)
            if value is not None:
                check_number(value, f"Budget.{name}", low=1, integer=True)
        if self.seconds is not None:
            check_number(self.seconds, "Budget.seconds", low=0, low_open=True)
        if self.target is not None:
            check_number(self.target, "Budget.target")
        if self.evaluations is None and self.seconds is None:
            if self.no_improvement is None:
                raise ValueError(
                    f"{self} never ends for certain; give at least one of evaluations, "
                    "seconds, no_improvement."
                )
        elif (
            None not in (self.evaluations, self.no_improvement)
            and self.no_improvement > self.evaluations  # type: ignore[operator]
        ):
            raise ValueError(
                f"Budget.no_improvement={self.no_improvement} can never be reached with "
                f"Budget.evaluations={self.evaluations}; it must not be larger."
            )
        return self


class BudgetExhausted(Exception):
    """Raised by an `Evaluator` to end a search; `reason` names the limit reached."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Evaluator(PseudoBooleanFunction):
    """A function that counts its evaluations, keeps the best point and ends on time.

    Parameters
    ----------
    function : PseudoBooleanFunction
        The function to evaluate.
    budget : Budget
        The limits.

    Attributes
    ----------
    n_evaluations : int
        Rows evaluated so far.
    best_cost : float
        The lowest cost of a binary point so far (infinite before the first).
    best_point : torch.Tensor of shape (d,) or None
        Where it was found.
    """

    def __init__(self, function: PseudoBooleanFunction, budget: Budget) -> None:
        self.function = function
        self.budget = budget.check()
        self.n_variables = function.n_variables
        self.relaxable = function.relaxable
        self.n_evaluations = 0
        self.best_cost = math.inf
        self.best_point: torch.Tensor | None = None
        self._last_improvement = 0
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self._start

    def __call__(self, Z: torch.Tensor) -> torch.Tensor:
        """Evaluate binary rows, remember the best, end the search at a limit.

        Parameters
        ----------
        Z : torch.Tensor of shape (n, d)
            Points of {0, 1}^d.

        Returns
        -------
        costs : torch.Tensor of shape (n,)
            Their costs.

        Raises
        ------
        BudgetExhausted
            When a limit is reached; rows over the limit are not evaluated.
        """
        allowed = Z[: self._allowed(len(Z))]
        costs = super().__call__(allowed)
        self._record(allowed, costs)
        self._stop_if_done()
        return costs

    def relaxed(self, z: torch.Tensor) -> torch.Tensor:
        """Evaluate one point of [0, 1]^d with its gradient; it counts as one evaluation.

        Parameters
        ----------
        z : torch.Tensor of shape (d,)
            The point; its autograd graph is kept.

        Returns
        -------
        cost : torch.Tensor, scalar
            The cost, which is not a candidate for the best.
        """
        self.n_evaluations += 1
        cost = self.function(z[None])[0]
        self._stop_if_done()
        return cost

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        return self.function(Z)

    def _allowed(self, n: int) -> int:
        if self.budget.evaluations is None:
            return n
        return min(n, self.budget.evaluations - self.n_evaluations)

    def _record(self, Z: torch.Tensor, costs: torch.Tensor) -> None:
        best = int(costs.argmin())
        if costs[best] < self.best_cost:
            self.best_cost = float(costs[best])
            self.best_point = Z[best].detach().clone()
            self._last_improvement = self.n_evaluations + best + 1
        self.n_evaluations += len(costs)

    def _stop_if_done(self) -> None:
        budget = self.budget
        if budget.target is not None and self.best_cost <= budget.target:
            raise BudgetExhausted("target")
        if budget.evaluations is not None and self.n_evaluations >= budget.evaluations:
            raise BudgetExhausted("evaluations")
        if budget.seconds is not None and self.seconds >= budget.seconds:
            raise BudgetExhausted("seconds")
        if (
            budget.no_improvement is not None
            and self.n_evaluations - self._last_improvement >= budget.no_improvement
        ):
            raise BudgetExhausted("no_improvement")
