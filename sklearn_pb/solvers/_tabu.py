"""Tabu search: replicas that take the best flip which they have not just undone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions._flips import Neighbourhood
from ..utils import check_number
from ._base import Solver, Start
from ._elite import Elite
from ._replica_run import (
    ReplicaRun,
    affordable,
    check_number_or_auto,
    check_replicas,
    copy_of,
)

_REPLICAS = (16, 64)  # the most for many variables, and for few
_CELLS = 2**12  # changes of cost that are looked through as fast as one
_FEWEST_STEPS = 20  # for each variable and replica, before there are more replicas
_KEEP_TENURE = 8  # steps
_TOLERANCE = 1e-9


class TabuSearch(Solver):
    """Flip the variable that lowers the cost most, or raises it least, again and again.

    A variable that was flipped stays as it is for a few steps, its tenure, unless
    flipping it gives a better point than its replica has seen. A replica that finds
    nothing better for long goes on from a cross of two of the best points so far.

    Parameters
    ----------
    tenure : int or "auto", default="auto"
        For how many steps a flipped variable stays. "auto" varies it at random from
        min(20, d / 4) up to twice that.
    n_replicas : int or "auto", default="auto"
        How many points move side by side. "auto" takes up to 64, as long as each can
        do some 20 d steps; fewer, down to 16, where there are many variables.
    patience : int or "auto", default="auto"
        Steps without a better point after which a replica goes elsewhere; "auto" is
        4 d, and at least 100.
    n_elite : int, default=16
        How many of the best points are remembered.

    Notes
    -----
    A step looks at the d flips of each replica, which is d evaluations.

    References
    ----------
    Glover (1989), Tabu search, part I. Palubeckis (2006), Iterated tabu search for the
    unconstrained binary quadratic optimization problem.

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import TabuSearch
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> minimize(J, method=TabuSearch(), budget=Budget(evaluations=100)).fun
    -1.0
    """

    def __init__(
        self,
        *,
        tenure: int | str = "auto",
        n_replicas: int | str = "auto",
        patience: int | str = "auto",
        n_elite: int = 16,
    ) -> None:
        self.tenure = tenure
        self.n_replicas = n_replicas
        self.patience = patience
        self.n_elite = n_elite

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_replicas(self.n_replicas)
        check_number_or_auto(self.tenure, "tenure", low=0, integer=True)
        check_number_or_auto(self.patience, "patience", low=1, integer=True)
        check_number(self.n_elite, "n_elite", low=1, integer=True)

    def start(self, start: Start) -> TabuRun:
        """Begin a run."""
        return TabuRun(start, self)

    def tenures(self, n_variables: int) -> tuple[int, int]:
        """Return the shortest and the longest tenure.

        Parameters
        ----------
        n_variables : int
            The number d.

        Returns
        -------
        shortest, longest : int
            Less than d.
        """
        if isinstance(self.tenure, str):
            shortest = min(20, n_variables // 4)
            longest = shortest + min(shortest, 10 + n_variables // 20)
        else:
            shortest = longest = int(self.tenure)
        return min(shortest, n_variables - 1), min(longest, n_variables - 1)


class TabuRun(ReplicaRun):
    """A run of `TabuSearch`.

    Parameters
    ----------
    start : Start
        Where it begins.
    solver : TabuSearch
        The hyperparameters.
    """

    _replicas: Neighbourhood

    def __init__(self, start: Start, solver: TabuSearch) -> None:
        super().__init__(start, solver.n_replicas)
        d = start.function.n_variables
        self._shortest, self._longest = solver.tenures(d)
        patience = max(100, 4 * d) if solver.patience == "auto" else solver.patience
        self._patience = int(patience)
        self._elite = Elite(solver.n_elite, d)
        self._n_flips = 0
        self._tenure = self._longest
        self._last = self._stale = self._best_points = self._best_costs = np.zeros(0)

    def _auto(self, evaluator: Evaluator, seconds_a_row: float | None) -> int:
        d = evaluator.n_variables
        fast = evaluator.function.has_flips
        seconds = None if fast else seconds_a_row
        most = min(max(_REPLICAS[0], _CELLS // d), _REPLICAS[1])
        return affordable(evaluator, _FEWEST_STEPS * d * d, most, seconds)

    def _make(self, points: np.ndarray, costs: np.ndarray | None) -> Neighbourhood:
        return self._moves.neighbourhood(points, costs)

    def _begin(self) -> None:
        n, d = self._replicas.points.shape
        self._last = np.full((n, self._longest), d)  # d stands for none
        self._stale = np.zeros(n, np.int64)
        self._best_points = self._replicas.points.copy()
        self._best_costs = np.array(self._replicas.costs)

    def _resume(self) -> None:
        n, d = self._replicas.points.shape
        self._rows = np.arange(n)
        self._open_deltas = np.empty((n, d + 1))

    def _advance(self) -> None:
        """Do some quick steps, or a slow one, until a point is better than before.

        How many does not depend on the clock: others that take turns would.
        """
        n, d = self._replicas.points.shape
        steps = max(1, min(64, 2**18 // (n * d))) if self._moves.counts else 1
        best = self._best_costs.min()
        allowed = self._moves.allowance(steps * n * d)
        left = allowed
        while left > 0:
            left -= self._step(left)
            if self._best_costs.min() < best:
                break
        point_of = self._best_points.__getitem__
        self._moves.charge(allowed - left, self._best_costs, point_of)
        self._leave()

    def _step(self, allowed: int) -> int:
        """Flip a variable in each replica, and return the evaluations that took."""
        n, d = self._replicas.points.shape
        deltas = self._replicas.deltas
        costs = self._replicas.costs
        rows, variables = self._choose(deltas, costs, allowed)
        self._replicas.flip(rows, variables)
        self._remember(rows, variables)
        costs = self._replicas.costs
        better = costs < self._best_costs - _TOLERANCE * np.abs(self._best_costs)
        self._stale += 1
        if better.any():
            self._best_costs[better] = costs[better]
            self._best_points[better] = self._replicas.points[better]
            self._stale[better] = 0
        return min(allowed, n * d)

    def _choose(
        self, deltas: np.ndarray, costs: np.ndarray, allowed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best flip of each replica: not tabu, or better than all before."""
        n, d = deltas.shape
        if self._n_flips % _KEEP_TENURE == 0:
            self._tenure = int(
                self._generator.integers(self._shortest, self._longest + 1)
            )
        scores, rows = self._open_deltas, self._rows
        scores[:, :d] = deltas
        scores[:, d] = np.inf
        if allowed < n * d:
            for row in range(n):
                scores[row, max(0, allowed - row * d) :] = np.inf
        if self._tenure:
            tabu = self._last[:, self._recent()]
            tempting = scores[rows[:, None], tabu]
            scores[rows[:, None], tabu] = np.inf
        begin = int(self._generator.integers(d))
        variables = _first_least(scores, begin)
        if self._tenure:
            least = scores[rows, variables]
            nicest = tempting.argmin(axis=1)
            gain = tempting[rows, nicest]
            bar = self._best_costs - _TOLERANCE * np.abs(self._best_costs)
            aspiring = (gain < least) & (costs + gain < bar)
            variables = np.where(aspiring, tabu[rows, nicest], variables)
            least = np.where(aspiring, gain, least)
        else:
            least = scores[rows, variables]
        movable = np.isfinite(least)
        if movable.all():
            return rows, variables
        return rows[movable], variables[movable]

    def _recent(self) -> np.ndarray:
        """Places in the memory of the flips that are still tabu."""
        return (self._n_flips - 1 - np.arange(self._tenure)) % self._longest

    def _remember(self, rows: np.ndarray, variables: np.ndarray) -> None:
        if self._longest:
            place = self._n_flips % self._longest
            self._last[:, place] = self._replicas.points.shape[1]
            self._last[rows, place] = variables
        self._n_flips += 1

    def _leave(self) -> None:
        """Send replicas elsewhere that have found nothing better for long."""
        rows = np.flatnonzero(self._stale >= self._patience)
        if not len(rows):
            return
        for row in rows:
            self._elite.add(self._best_points[row], self._best_costs[row])
        points = np.stack([self._elite.cross(self._generator) for _ in rows])
        rows = self._moves.place(self._replicas, rows, points)
        self._last[rows] = self._replicas.points.shape[1]
        self._stale[rows] = 0
        self._best_points[rows] = self._replicas.points[rows]
        self._best_costs[rows] = self._replicas.costs[rows]

    def state_dict(self) -> dict[str, Any]:
        """Return the replicas, what is tabu for them, and the best points."""
        return {
            **super().state_dict(),
            "n_flips": self._n_flips,
            "tenure": self._tenure,
            "last": copy_of(self._last),
            "stale": copy_of(self._stale),
            "best_points": copy_of(self._best_points),
            "best_costs": copy_of(self._best_costs),
            "elite": self._elite.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._n_flips, self._tenure = state["n_flips"], state["tenure"]
        self._last, self._stale = state["last"].copy(), state["stale"].copy()
        self._best_points = state["best_points"].copy()
        self._best_costs = state["best_costs"].copy()
        self._elite.load_state_dict(state["elite"])


def _first_least(scores: np.ndarray, begin: int) -> np.ndarray:
    """Number of the least entry of each row; of equal ones the next after `begin`."""
    after = begin + scores[:, begin:].argmin(axis=1)
    if begin == 0:
        return after
    before = scores[:, :begin].argmin(axis=1)
    rows = np.arange(len(scores))
    return np.where(scores[rows, before] < scores[rows, after], before, after)
