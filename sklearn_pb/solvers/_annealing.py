"""Simulated annealing: replicas that cool down together, class by class."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions._flips import Sweep
from ..utils import check_choice, check_number
from ._base import Solver, Start
from ._metropolis import MetropolisThresholds
from ._replica_run import (
    ReplicaRun,
    affordable,
    check_number_or_auto,
    check_replicas,
    visit,
)

_FEWEST_SWEEPS = 150  # below, fewer replicas do better than more
_MOST_REPLICAS = 64
_FIRST_REPLICAS = 32  # until the first sweep has told how long one takes
_QUENCH = 0.05  # the last part of the budget only descends


class SimulatedAnnealing(Solver):
    """Metropolis sweeps at a falling temperature.

    The whole budget is one anneal: the temperature is a function of the part of the
    budget that is used. Several replicas share it; they are independent, and are
    visited together.

    Parameters
    ----------
    n_replicas : int or "auto", default="auto"
        How many. "auto" takes up to 64, as long as each can do some 150 sweeps.
    initial_temperature : float or "auto", default="auto"
        In units of the cost. "auto" is the mean change of cost by a flip in the first
        sweep; a warm start begins half way down instead.
    final_temperature : float or "auto", default="auto"
        "auto" makes the small ones among the changes of cost in the first sweep rare.
    schedule : {"geometric", "linear"}, default="geometric"
        How the temperature falls in between.

    Notes
    -----
    A flip that changes the cost by delta is made with probability
    min(1, exp(-delta / temperature)), that is if delta < temperature x E with a
    standard exponential E. The first sweep and the last part of the budget only make
    flips that lower the cost. Variables without a common term of J are decided on at
    once. A limit on evaluations without improvement is taken as an anneal as well: it
    cools down while no better point is found.

    References
    ----------
    Kirkpatrick, Gelatt and Vecchi (1983), Optimization by simulated annealing.

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import SimulatedAnnealing
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> minimize(J, method=SimulatedAnnealing(), budget=Budget(evaluations=100)).fun
    -1.0
    """

    def __init__(
        self,
        *,
        n_replicas: int | str = "auto",
        initial_temperature: float | str = "auto",
        final_temperature: float | str = "auto",
        schedule: str = "geometric",
    ) -> None:
        self.n_replicas = n_replicas
        self.initial_temperature = initial_temperature
        self.final_temperature = final_temperature
        self.schedule = schedule

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_replicas(self.n_replicas)
        hot, cold = self.initial_temperature, self.final_temperature
        check_number_or_auto(hot, "initial_temperature", low=0, low_open=True)
        check_number_or_auto(cold, "final_temperature", low=0, low_open=True)
        if not isinstance(hot, str) and not isinstance(cold, str):
            check_number(cold, "final_temperature", low=0, high=hot, low_open=True)
        check_choice(self.schedule, "schedule", ("geometric", "linear"))

    def start(self, start: Start) -> AnnealingRun:
        """Begin a run."""
        return AnnealingRun(start, self)


class AnnealingRun(ReplicaRun):
    """A run of `SimulatedAnnealing`.

    Parameters
    ----------
    start : Start
        Where it begins.
    solver : SimulatedAnnealing
        The hyperparameters.

    Attributes
    ----------
    hot, cold : float or None
        The first and the last temperature, once they are known.
    """

    _replicas: Sweep

    def __init__(self, start: Start, solver: SimulatedAnnealing) -> None:
        super().__init__(start, solver.n_replicas)
        self._solver = solver
        self.hot: float | None = None
        self.cold: float | None = None
        self._position = 0
        self._impatience = 0.0
        self._best = math.inf
        self._improved = 0
        self._saved_pool: dict[str, Any] | None = None

    def _auto(self, evaluator: Evaluator, seconds_a_row: float | None) -> int:
        fast = evaluator.function.has_flips
        most = _MOST_REPLICAS
        if evaluator.budget.seconds is not None and fast:
            most = _FIRST_REPLICAS
        sweeps = _FEWEST_SWEEPS * evaluator.n_variables
        return affordable(evaluator, sweeps, most, None if fast else seconds_a_row)

    def _make(self, points: np.ndarray, costs: np.ndarray | None) -> Sweep:
        return self._moves.sweep(points, costs)

    def _begin(self) -> None:
        """The temperatures come from the first sweep."""

    def _resume(self) -> None:
        classes = self._replicas.classes
        largest = max(map(len, classes)) * len(self._replicas.costs)
        self._thresholds = MetropolisThresholds(self._generator, largest, len(classes))
        if self._saved_pool is not None:
            self._thresholds.load_state_dict(self._saved_pool)
            self._saved_pool = None

    def _advance(self) -> None:
        if self.hot is None:
            self._first_sweep()
        else:
            self._visit(self.temperature())
        assert self._evaluator is not None
        if self._evaluator.best_cost < self._best:
            self._best = self._evaluator.best_cost
            self._improved = self._evaluator.n_evaluations

    def _visit(self, temperature: float) -> None:
        thresholds = self._thresholds

        def decide(k: int, deltas: np.ndarray) -> np.ndarray:
            return deltas < (thresholds(deltas) if temperature else 0)

        thresholds.cool(temperature)
        self._position = visit(self._replicas, self._moves, self._position, decide)

    def _first_sweep(self) -> None:
        """Descend once, and learn from the changes of cost and from the time."""
        seen: list[np.ndarray] = []

        def decide(k: int, deltas: np.ndarray) -> np.ndarray:
            seen.append(np.abs(deltas).reshape(-1)[:: 1 + deltas.size // 4096])
            return deltas < 0

        begun = time.perf_counter()
        self._position = visit(self._replicas, self._moves, 0, decide)
        seconds = time.perf_counter() - begun
        self._set_temperatures(np.concatenate(seen))
        self._fit_into(seconds)

    def _set_temperatures(self, changes: np.ndarray) -> None:
        solver = self._solver
        hot, cold = default_temperatures(changes)
        if self._start.probabilities is not None:
            hot = math.sqrt(hot * cold)
        if not isinstance(solver.initial_temperature, str):
            hot = float(solver.initial_temperature)
        if not isinstance(solver.final_temperature, str):
            cold = float(solver.final_temperature)
        self.hot, self.cold = max(hot, cold), min(hot, cold)

    def _fit_into(self, seconds: float) -> None:
        """Go on with fewer replicas if the time allows for few sweeps only."""
        assert self._evaluator is not None
        budget = self._evaluator.budget
        n = len(self._replicas.costs)
        if self._n_replicas != "auto" or budget.seconds is None or n == 1:
            return
        sweeps = budget.seconds * self._evaluator.phase_end / seconds
        if sweeps < _FEWEST_SWEEPS:
            self._keep_best(max(1, int(n * sweeps / _FEWEST_SWEEPS)))
            self._resume()

    def temperature(self) -> float:
        """Return the temperature at the present state of the budget.

        Returns
        -------
        temperature : float
            0 in the last part, which only descends.
        """
        assert self.hot is not None and self.cold is not None
        progress = self._progress() / (1 - _QUENCH)
        if progress >= 1:
            return 0.0
        if self._solver.schedule == "linear":
            return self.hot + (self.cold - self.hot) * progress
        return self.hot * math.exp(progress * math.log(self.cold / self.hot))

    def _progress(self) -> float:
        """Fraction of the budget used, where patience wears out as well."""
        assert self._evaluator is not None
        budget = self._evaluator.budget
        if budget.no_improvement is not None:
            without = self._evaluator.n_evaluations - self._improved
            used = without / budget.no_improvement
            self._impatience = max(self._impatience, used)
        return max(self._evaluator.progress, self._impatience)

    def state_dict(self) -> dict[str, Any]:
        """Return the replicas and how far the anneal has come."""
        opened = self._replicas is not None
        return {
            **super().state_dict(),
            "pool": self._thresholds.state_dict() if opened else self._saved_pool,
            "hot": self.hot,
            "cold": self.cold,
            "position": self._position,
            "impatience": self._impatience,
            "best": self._best,
            "improved": self._improved,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._saved_pool = state["pool"]
        self.hot, self.cold = state["hot"], state["cold"]
        self._position = state["position"]
        self._impatience = state["impatience"]
        self._best, self._improved = state["best"], state["improved"]


def default_temperatures(changes: np.ndarray) -> tuple[float, float]:
    """Return temperatures that fit changes of cost.

    Parameters
    ----------
    changes : numpy.ndarray of shape (n,)
        Sizes of the changes of cost by flips at random points.

    Returns
    -------
    hot, cold : float
        The mean change; and that at which a small one is made once in 3000 tries.
    """
    scale = float(changes.max(initial=0.0))
    changes = changes[changes > 1e-12 * scale]
    if not len(changes):
        return 1.0, 1.0
    hot = float(changes.mean())
    small = float(np.quantile(changes, 0.05))
    return hot, max(small / 8, hot / 200)
