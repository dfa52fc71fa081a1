"""A function under a budget: what is counted, kept and stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..functions import PseudoBooleanFunction
from ._limits import Budget, BudgetExhausted

_SHARE_OF_A_ROW = 4  # one in d of a row at most: the first guess of what a flip takes


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
    begun : float, default=None
        When the clock of the budget started, by ``time.perf_counter()``; None means
        now.

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
    phase_end : float
        Fraction of the budget at which the present phase of a search ends, 1 at first;
        for those that give one method a part of the budget.
    share : float
        Fraction of the budget that the search at its turn can count on, 1 unless
        several take turns.
    row_seconds : float or None
        How long the function took for a row when it was last evaluated.

    Notes
    -----
    The limit in seconds lets the first evaluation pass, so that there is a result
    however long it took to come to it.

    Points are given to the function in its `points_dtype`. Where it has none, and the
    points are not in float64, the cost of each new best one is computed again in
    float64, which counts as an evaluation: so `best_cost` is exact, and a target is
    compared with what is reported.
    """

    def __init__(
        self,
        function: PseudoBooleanFunction,
        budget: Budget,
        price: float = 0.0,
        begun: float | None = None,
    ) -> None:
        self.function = function
        self.budget = budget.check()
        self.price = price
        self.n_variables = function.n_variables
        self.relaxable = function.relaxable
        self.n_evaluations = 0
        self.best_cost = math.inf
        self.best_point: torch.Tensor | None = None
        self._least_found = math.inf  # in the precision of the search
        self.recent: list[torch.Tensor] = []
        self.phase_end = 1.0
        self.share = 1.0
        self._last_improvement = 0
        self._progress = 0.0
        self.row_seconds: float | None = None
        self._change_seconds: float | None = None
        self._asked = time.perf_counter()
        self._start = self._asked if begun is None else begun

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the best point and the seconds used.

        Returns
        -------
        state : dict
            Numbers and tensors.
        """
        return {
            "n_evaluations": self.n_evaluations,
            "best_cost": self.best_cost,
            "best_point": self.best_point,
            "least_found": self._least_found,
            "last_improvement": self._last_improvement,
            "progress": self._progress,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.n_evaluations = state["n_evaluations"]
        self.best_cost = state["best_cost"]
        self.best_point = state["best_point"]
        self._least_found = state["least_found"]
        self._last_improvement = state["last_improvement"]
        self._progress = state["progress"]
        self._start -= state["seconds"]

    @property
    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self._start

    @property
    def progress(self) -> float:
        """Fraction of the budget used, in [0, 1]; it never falls.

        The largest used fraction of `evaluations` and `seconds`, or that of
        `no_improvement` where neither is limited. Up to `phase_end` it is the fraction
        of that part.
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
        return min(1.0, used / self.phase_end)

    def __call__(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Evaluate rows, remember the best binary one, end the search at a limit.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, d)
            Points of {0, 1}^d; or of [0, 1]^d if Z requires a gradient, and then the
            costs carry it.

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
        self.stop_if_done()
        Z = torch.as_tensor(Z, dtype=self.function.points_dtype)
        if not len(Z):
            return self.function(Z)
        spare = int(self._is_rough(Z))  # for the exact cost of a new best point
        parts = []
        while left := len(Z):
            allowed = self._allowed(left + spare, self.row_seconds) - spare
            if allowed:
                parts.append(self._evaluate(Z if allowed == left else Z[:allowed]))
            else:  # with only one evaluation left, it has to be exact at once
                allowed = 1
                parts.append(self._evaluate(Z[:1].double()).to(Z.dtype))
            Z = Z[allowed:]
            self.stop_if_done()
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def allowance(self, n: int) -> int:
        """Return how many evaluations may be made now.

        For searches that know costs as differences from a neighbour's: they ask for an
        allowance, use it, and report it with `charge`.

        Parameters
        ----------
        n : int
            How many are wanted, at least 1.

        Returns
        -------
        allowed : int
            From 1 to n.

        Raises
        ------
        BudgetExhausted
            When a limit is reached.
        """
        self.stop_if_done()
        self._asked = time.perf_counter()
        seconds = self._change_seconds
        if seconds is None and self.row_seconds is not None:
            seconds = _SHARE_OF_A_ROW * self.row_seconds / self.n_variables
        return self._allowed(n, seconds)

    def charge(
        self,
        n: int,
        costs: np.ndarray,
        point_of: Callable[[int], np.ndarray],
        *,
        timed: bool = True,
    ) -> None:
        """Count evaluations that were made as differences.

        Parameters
        ----------
        n : int
            How many costs the search has come to know since its last allowance.
        costs : numpy.ndarray of shape (m,)
            Costs of points that the search stands at, as far as it knows them: sums of
            differences drift, so a new best is computed afresh.
        point_of : callable
            Gives the point (d,) of one of these numbers.
        timed : bool, default=True
            Whether they took as long as the next ones will.
        """
        if timed:
            self._change_seconds = (time.perf_counter() - self._asked) / max(1, n)
        self.n_evaluations += n
        values = np.asarray(costs, np.float64)
        self.recent.append(torch.from_numpy(values.copy()))
        row = int(values.argmin())
        # Nearer than this, a difference may be rounding, and is not worth a look.
        margin = 1e-9 * abs(self.best_cost) if math.isfinite(self.best_cost) else 0.0
        if values[row] < self.best_cost - margin:
            point = torch.from_numpy(point_of(row).astype(np.float64))
            self._improve(point, self._exact_cost(point), self.n_evaluations)

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
        with torch.enable_grad():
            return self(z[None])[0]

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        relaxed = Z.requires_grad and torch.is_grad_enabled()
        with torch.set_grad_enabled(relaxed):
            costs = self.function(Z)
        points, values = Z.detach(), costs.detach()
        if relaxed:
            binary = ((points == 0) | (points == 1)).all(dim=1)
            self.n_evaluations += int((~binary).sum())
            self._record(points[binary], values[binary])
        else:
            self._record(points, values)
        self.recent.append(values)
        self.row_seconds = (time.perf_counter() - start) / len(Z)
        return costs

    def _allowed(self, n: int, seconds: float | None) -> int:
        """How many of n, each of which takes some seconds, may come now, at least 1."""
        budget = self.budget
        if budget.evaluations is not None:
            n = min(n, budget.evaluations - self.n_evaluations)
        if budget.no_improvement is not None:
            n = min(n, budget.no_improvement - self._without_improvement)
        if budget.seconds is not None:  # the first one alone tells how long one takes
            left = budget.seconds - self.seconds
            n = 1 if seconds is None else min(n, int(left / max(seconds, 1e-12)))
        return max(1, n)

    @property
    def _without_improvement(self) -> int:
        return self.n_evaluations - self._last_improvement

    def _record(self, Z: torch.Tensor, costs: torch.Tensor) -> None:
        ranked = costs + self.price * Z.sum(dim=1) if self.price else costs
        values = ranked.tolist()
        least = min(values, default=math.inf)
        before = self.n_evaluations
        self.n_evaluations += len(values)
        if least < self._least_found:
            self._least_found = least
            row = values.index(least)
            point = Z[row].detach().clone()
            if self._is_rough(Z):
                point = point.double()
                least = self._exact_cost(point)
                self.n_evaluations += 1
            self._improve(point, least, before + row + 1)

    def _is_rough(self, Z: torch.Tensor) -> bool:
        """Whether the costs of points are to be computed again if they matter."""
        return self.function.points_dtype is None and Z.dtype != torch.float64

    def _exact_cost(self, point: torch.Tensor) -> float:
        with torch.no_grad():
            cost = float(self.function(point[None])[0])
        return cost + self.price * float(point.sum()) if self.price else cost

    def _improve(self, point: torch.Tensor, cost: float, when: int) -> None:
        """Keep a point if its cost is the lowest so far."""
        if cost < self.best_cost:
            self.best_cost, self.best_point = cost, point
            self._least_found = min(self._least_found, cost)
            self._last_improvement = when

    def stop_if_done(self) -> None:
        """End the search if a limit is reached; for whoever sets up for long.

        Raises
        ------
        BudgetExhausted
            With the name of the limit.
        """
        budget = self.budget
        if budget.target is not None and self.best_cost <= budget.target:
            raise BudgetExhausted("target")
        if budget.evaluations is not None and self.n_evaluations >= budget.evaluations:
            raise BudgetExhausted("evaluations")
        late = budget.seconds is not None and self.seconds >= budget.seconds
        if late and self.n_evaluations:
            raise BudgetExhausted("seconds")
        if (
            budget.no_improvement is not None
            and self._without_improvement >= budget.no_improvement
        ):
            raise BudgetExhausted("no_improvement")
