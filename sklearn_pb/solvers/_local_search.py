"""Local search: descend until no flip helps, then from somewhere else again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions._flips import Sweep
from ..utils import check_choice, check_number
from ._base import Solver, Start
from ._replica_run import (
    ReplicaRun,
    affordable,
    check_number_or_auto,
    check_replicas,
    copy_of,
    lowering,
    visit,
)

_FEWEST_SWEEPS = 300
_MOST_REPLICAS = 32
_MOST_LOOKS = 32  # at neighbours in a step, where each is an evaluation


class LocalSearch(Solver):
    """Make every flip that lowers the cost; where none does, start again nearby.

    Iterated local search: a replica that has come to a local minimum keeps it if it is
    no worse than the one before, and goes on from it with some variables flipped.

    Parameters
    ----------
    n_replicas : int or "auto", default="auto"
        How many points descend side by side. "auto" takes up to 32, as long as each
        can do some 300 sweeps; one for a function without cheap changes of cost.
    restart : {"perturb", "random"}, default="perturb"
        Where to go from a local minimum: near it, or to a random point.
    strength : float or "auto", default="auto"
        Fraction of the variables that a perturbation flips, on average. "auto" draws
        it anew each time, from 2 variables up to a quarter of them, or a twentieth
        where there are many.
    patience : int, default=50
        Perturbations without a better minimum after which a replica starts again from
        a random point.

    Notes
    -----
    Flips that leave the cost as it is are made by lot on the way, which leads across
    plateaus. A flip that is tried is an evaluation.

    References
    ----------
    Lourenço, Martin and Stützle (2003), Iterated local search.

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import LocalSearch
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> minimize(J, method=LocalSearch(), budget=Budget(evaluations=50)).fun
    -1.0
    """

    def __init__(
        self,
        *,
        n_replicas: int | str = "auto",
        restart: str = "perturb",
        strength: float | str = "auto",
        patience: int = 50,
    ) -> None:
        self.n_replicas = n_replicas
        self.restart = restart
        self.strength = strength
        self.patience = patience

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_replicas(self.n_replicas)
        check_choice(self.restart, "restart", ("perturb", "random"))
        check_number_or_auto(self.strength, "strength", low=0, high=1, low_open=True)
        check_number(self.patience, "patience", low=1, integer=True)

    def start(self, start: Start) -> LocalSearchRun:
        """Begin a run."""
        return LocalSearchRun(start, self)


class LocalSearchRun(ReplicaRun):
    """A run of `LocalSearch`.

    Parameters
    ----------
    start : Start
        Where it begins.
    solver : LocalSearch
        The hyperparameters.
    """

    _replicas: Sweep

    def __init__(self, start: Start, solver: LocalSearch) -> None:
        super().__init__(start, solver.n_replicas)
        self._solver = solver
        self._position = 0
        self._quiet = self._failures = np.zeros(0, np.int64)
        self._homes = np.zeros((0, 0), np.uint8)
        self._home_costs = np.zeros(0)

    def _auto(self, evaluator: Evaluator, seconds_a_row: float | None) -> int:
        if not evaluator.function.has_flips:
            return 1
        sweeps = _FEWEST_SWEEPS * evaluator.n_variables
        return affordable(evaluator, sweeps, _MOST_REPLICAS)

    def _make(self, points: np.ndarray, costs: np.ndarray | None) -> Sweep:
        return self._moves.sweep(points, costs)

    def _begin(self) -> None:
        d, n = self._replicas.points.shape
        self._quiet = np.zeros(n, np.int64)  # variables looked at since the last flip
        self._failures = np.zeros(n, np.int64)
        self._homes = np.zeros((n, d), np.uint8)
        self._home_costs = np.full(n, np.inf)

    def _resume(self) -> None:
        self._classes = self._replicas.classes

    def _advance(self) -> None:
        d, self._looks = self._start.function.n_variables, 0
        if (self._quiet < d).all():
            self._position = visit(
                self._replicas, self._moves, self._position, self._lower, self._settled
            )
        settled = np.flatnonzero(self._quiet >= d)
        if len(settled):
            self._leave(settled)

    def _lower(self, k: int, deltas: np.ndarray) -> np.ndarray:
        """Flips that lower the cost, and by lot those that leave it as it is."""
        chosen, self._lowered = lowering(deltas, self._generator)
        return chosen

    def _settled(self, k: int, chosen: np.ndarray) -> bool:
        """Whether a replica has come to a local minimum, or the step takes long."""
        self._quiet += len(self._classes[k])
        self._quiet[self._lowered] = len(self._classes[k])
        self._looks += chosen.size
        takes_long = not self._moves.counts and self._looks >= _MOST_LOOKS
        settled = self._quiet >= self._start.function.n_variables
        return takes_long or bool(settled.any())

    def _leave(self, settled: np.ndarray) -> None:
        """Keep minima that are no worse than those before, and go elsewhere."""
        costs = np.array(self._replicas.costs)[settled]
        homes = self._home_costs[settled]
        self._failures[settled] += 1
        self._failures[settled[costs < homes]] = 0
        kept = settled[costs <= homes]
        self._home_costs[kept] = self._replicas.costs[kept]
        self._homes[kept] = self._replicas.points.T[kept]
        points = np.stack([self._next(row) for row in settled])
        moved = self._moves.place(self._replicas, settled, points)
        self._quiet[moved] = 0

    def _next(self, row: int) -> np.ndarray:
        d = self._homes.shape[1]
        if self._solver.restart == "random" or self._is_stuck(row):
            self._home_costs[row] = np.inf
            self._failures[row] = 0
            return self._start.anywhere(1, self._generator)[0]
        strength = self._solver.strength
        if isinstance(strength, str):
            fewest, most = min(2.0, d), max(2.0, min(d / 4, 10 + d / 20))
            strength = fewest * (most / fewest) ** self._generator.random() / d
        flipped = self._generator.random(d) < strength
        flipped[self._generator.integers(d)] = True
        return self._homes[row] ^ flipped.astype(np.uint8)

    def _is_stuck(self, row: int) -> bool:
        return bool(self._failures[row] >= self._solver.patience)

    def state_dict(self) -> dict[str, Any]:
        """Return the replicas, their minima, and how long nothing was better."""
        return {
            **super().state_dict(),
            "position": self._position,
            "quiet": copy_of(self._quiet),
            "failures": copy_of(self._failures),
            "homes": copy_of(self._homes),
            "home_costs": copy_of(self._home_costs),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._position = state["position"]
        self._quiet, self._failures = state["quiet"].copy(), state["failures"].copy()
        self._homes = state["homes"].copy()
        self._home_costs = state["home_costs"].copy()
