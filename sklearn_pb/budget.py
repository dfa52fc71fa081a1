"""One budget for every search, and the counter that keeps to it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
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
                f"Budget.no_improvement={self.no_improvement} can never be reached "
                f"with Budget.evaluations={self.evaluations}; it must not be larger."
            )
        return self


class BudgetExhausted(Exception):
    """Raised by an `Evaluator` to end a search.

    Parameters
    ----------
    reason : str
        The limit that was reached: a field of `Budget`, or a caller's own word.
    """

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
    price : float, default=0.0
        What each one of a point costs on top, when points are compared.

    Attributes
    ----------
    n_evaluations : int
        Rows evaluated so far.
    best_cost : float
        The lowest cost of a binary point so far, with the price of its ones (infinite
        before the first).
    best_point : torch.Tensor of shape (d,) or None
        Where it was found.
    recent : list of torch.Tensor
        Costs of every call, without the price, for the caller to read and to clear.
    """

    def __init__(
        self, function: PseudoBooleanFunction, budget: Budget, price: float = 0.0
    ) -> None:
        self.function = function
        self.budget = budget.check()
        self.price = price
        self.n_variables = function.n_variables
        self.relaxable = function.relaxable
        self.n_evaluations = 0
        self.best_cost = math.inf
        self.best_point: torch.Tensor | None = None
        self.recent: list[torch.Tensor] = []
        self._last_improvement = 0
        self._progress = 0.0
        self._seconds_a_row = math.inf
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self._start

    @property
    def progress(self) -> float:
        """Fraction of the budget used, in [0, 1]; it never falls.

        The largest used fraction of `evaluations` and `seconds`, or that of
        `no_improvement` where neither is limited.
        """
        budget, used = self.budget, self._progress
        if budget.evaluations is not None:
            used = max(used, self.n_evaluations / budget.evaluations)
        if budget.seconds is not None:
            used = max(used, self.seconds / budget.seconds)
        if budget.evaluations is None and budget.seconds is None:
            assert budget.no_improvement is not None  # Budget.check saw to it
            used = max(used, self._without_improvement / budget.no_improvement)
        self._progress = min(1.0, used)
        return self._progress

    def __call__(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Evaluate binary rows, remember the best, end the search at a limit.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, d)
            Points of {0, 1}^d.

        Returns
        -------
        costs : torch.Tensor of shape (n,)
            Their costs.

        Raises
        ------
        BudgetExhausted
            When a limit is reached, and ever after; rows over the limit are not
            evaluated.
        """
        self._stop_if_done()
        Z = torch.as_tensor(Z)
        if not len(Z):
            return self.function(Z)
        parts = []
        while left := len(Z):
            allowed = self._allowed(left)
            parts.append(self._evaluate(Z if allowed == left else Z[:allowed]))
            Z = Z[allowed:]
            self._stop_if_done()
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def relaxed(self, z: torch.Tensor) -> torch.Tensor:
        """Evaluate one point of [0, 1]^d with its gradient, as one evaluation.

        Parameters
        ----------
        z : torch.Tensor of shape (d,)
            The point; its autograd graph is kept.

        Returns
        -------
        cost : torch.Tensor, scalar
            The cost. Only a point of {0, 1}^d is a candidate for the best.
        """
        self._stop_if_done()
        with torch.enable_grad():
            costs = self.function(z[None])
        point = z.detach()[None]
        if bool(((point == 0) | (point == 1)).all()):
            self._record(point, costs.detach())
        else:
            self.n_evaluations += 1
        self.recent.append(costs.detach())
        self._stop_if_done()
        return costs[0]

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        with torch.no_grad():
            costs = self.function(Z)
            self._record(Z, costs)
        self.recent.append(costs)
        self._seconds_a_row = (time.perf_counter() - start) / len(Z)
        return costs

    def _allowed(self, n: int) -> int:
        """How many of n rows may be evaluated at once, at least 1."""
        budget = self.budget
        if budget.evaluations is not None:
            n = min(n, budget.evaluations - self.n_evaluations)
        if budget.no_improvement is not None:
            n = min(n, budget.no_improvement - self._without_improvement)
        if budget.seconds is not None:  # the first row alone tells how long one takes
            n = min(n, int((budget.seconds - self.seconds) / self._seconds_a_row))
        return max(1, n)

    @property
    def _without_improvement(self) -> int:
        return self.n_evaluations - self._last_improvement

    def _record(self, Z: torch.Tensor, costs: torch.Tensor) -> None:
        ranked = costs + self.price * Z.sum(dim=1) if self.price else costs
        values = ranked.tolist()
        cost = min(values)
        if cost < self.best_cost:
            row = values.index(cost)
            self.best_cost = cost
            self.best_point = Z[row].detach().clone()
            self._last_improvement = self.n_evaluations + row + 1
        self.n_evaluations += len(values)

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
            and self._without_improvement >= budget.no_improvement
        ):
            raise BudgetExhausted("no_improvement")
