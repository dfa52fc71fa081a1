"""A genetic algorithm whose children may descend before they compete."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..budget import Evaluator
from ..utils import check_choice, check_number
from ._base import Run, Solver, Start
from ._moves import Moves
from ._replica_run import affordable, check_number_or_auto, copy_of, lowering, visit

_POLISHED_POPULATION = 32
_PLAIN_POPULATION = 64
_LONGEST_STEP = 0.25  # of its share of a limit in seconds


class GeneticAlgorithm(Solver):
    """Cross good points, change a few variables, keep the better ones.

    Steady state: in each generation the children, a quarter as many as the
    population, take the place of its worst members if they are better and new.

    Parameters
    ----------
    population : int or "auto", default="auto"
        How many points compete. "auto" is 64, or 32 with polishing, and fewer if the
        budget is small.
    crossover : {"uniform", "one-point"}, default="uniform"
        How a child takes from its parents: each variable by lot, or the first ones from
        the one and the rest from the other.
    mutation : float or "auto", default="auto"
        Probability that a variable of a child is flipped. "auto" is 1 / d.
    polish : int or "auto", default="auto"
        Sweeps in which a child makes the flips that lower its cost. "auto" is until
        none does, where the function knows changes of cost, and 0 elsewhere.
    patience : int, default=30
        Generations in which no member is replaced by a better one, after which all
        but the best are drawn anew.

    Notes
    -----
    The descent also makes flips that leave the cost as it is, by lot, on its way.

    References
    ----------
    Holland (1975), Adaptation in natural and artificial systems. Syswerda (1989),
    Uniform crossover in genetic algorithms.

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import GeneticAlgorithm
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> minimize(J, method=GeneticAlgorithm(), budget=Budget(evaluations=100)).fun
    -1.0
    """

    def __init__(
        self,
        *,
        population: int | str = "auto",
        crossover: str = "uniform",
        mutation: float | str = "auto",
        polish: int | str = "auto",
        patience: int = 30,
    ) -> None:
        self.population = population
        self.crossover = crossover
        self.mutation = mutation
        self.polish = polish
        self.patience = patience

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number_or_auto(self.population, "population", low=2, integer=True)
        check_choice(self.crossover, "crossover", _CROSSOVERS)
        check_number_or_auto(self.mutation, "mutation", low=0, high=1)
        check_number_or_auto(self.polish, "polish", low=0, integer=True)
        check_number(self.patience, "patience", low=1, integer=True)

    def start(self, start: Start) -> GeneticRun:
        """Begin a run."""
        return GeneticRun(start, self)


class GeneticRun(Run):
    """A run of `GeneticAlgorithm`.

    Parameters
    ----------
    start : Start
        Where it begins.
    solver : GeneticAlgorithm
        The hyperparameters.
    """

    def __init__(self, start: Start, solver: GeneticAlgorithm) -> None:
        self._start = start
        self._generator = start.generator()
        self._cross = _CROSSOVERS[solver.crossover]
        self._solver = solver
        d = start.function.n_variables
        self._mutation = 1 / d if solver.mutation == "auto" else float(solver.mutation)
        self._points: np.ndarray | None = None
        self._costs: np.ndarray | None = None
        self._stale = 0

    def advance(self, evaluator: Evaluator) -> None:
        """Make the first population, or a generation of children."""
        self.step += 1
        if self._points is None or self._costs is None:
            n = self._size(evaluator)
            points = self._start.points(n, self._generator)
            self._points, self._costs = self._evaluated(evaluator, points)
            return
        if self._stale >= self._solver.patience:
            self._draw_anew(evaluator)
            return
        children = self._children(max(1, len(self._points) // 4))
        better = self._compete(*self._evaluated(evaluator, children))
        self._stale = 0 if better else self._stale + 1

    def _draw_anew(self, evaluator: Evaluator) -> None:
        """Replace all members but the best."""
        assert self._points is not None and self._costs is not None
        best = int(self._costs.argmin())
        n = len(self._points)
        fresh = self._start.anywhere(max(1, n - 1), self._generator)
        points, costs = self._evaluated(evaluator, fresh)
        self._points = np.vstack([self._points[best : best + 1], points])
        self._costs = np.append(self._costs[best], costs)
        self._stale = 0

    def _size(self, evaluator: Evaluator) -> int:
        if not isinstance(self._solver.population, str):
            return int(self._solver.population)
        if not self._sweeps(evaluator):
            return max(4, affordable(evaluator, 20, _PLAIN_POPULATION))
        d = evaluator.n_variables
        return max(4, affordable(evaluator, 200 * d, _POLISHED_POPULATION))

    def _sweeps(self, evaluator: Evaluator) -> int:
        """How many sweeps of descent a child does at most."""
        if self._solver.polish == "auto":
            return 50 if evaluator.function.has_flips else 0
        return int(self._solver.polish)

    def _children(self, n: int) -> np.ndarray:
        """Children of parents that won against another."""
        assert self._points is not None and self._costs is not None
        rivals = self._generator.integers(0, len(self._points), (2, n, 2))
        won = self._costs[rivals].argmin(axis=2)
        parents = np.take_along_axis(rivals, won[..., None], 2)[..., 0]
        mothers, fathers = self._points[parents]
        children = self._cross(mothers, fathers, self._generator)
        changed = self._generator.random(children.shape) < self._mutation
        return children ^ changed.astype(np.uint8)

    def _evaluated(
        self, evaluator: Evaluator, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The points and their costs, after they have descended."""
        sweeps = self._sweeps(evaluator)
        if not sweeps:
            costs = evaluator(points.astype(np.float64))
            return points, costs.cpu().numpy().astype(np.float64)
        if evaluator.budget.seconds is not None and evaluator.row_seconds is None:
            evaluator(points[:1].astype(np.float64))  # see how long it takes
        return _descended(evaluator, points, sweeps, self._generator)

    def _compete(self, children: np.ndarray, costs: np.ndarray) -> bool:
        """Let children take the place of worse members that they are no copy of."""
        assert self._points is not None and self._costs is not None
        better = False
        for child, cost in zip(children, costs, strict=True):
            worst = int(self._costs.argmax())
            if cost <= self._costs[worst]:
                twins = np.flatnonzero(self._costs == cost)
                if not (self._points[twins] == child).all(axis=1).any():
                    better |= bool(cost < self._costs[worst])
                    self._points[worst], self._costs[worst] = child, cost
        return better

    def state_dict(self) -> dict[str, Any]:
        """Return the population and the state of the generator."""
        return {
            "step": self.step,
            "generator": self._generator.bit_generator.state,
            "points": copy_of(self._points),
            "costs": copy_of(self._costs),
            "stale": self._stale,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step = state["step"]
        self._generator.bit_generator.state = state["generator"]
        self._points = copy_of(state["points"])
        self._costs = copy_of(state["costs"])
        self._stale = state["stale"]


def _descended(
    evaluator: Evaluator,
    points: np.ndarray,
    sweeps: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The local minima that points descend to, and their costs.

    In large problems a descent may take longer than there is time: it ends early.
    """
    moves, end = Moves(evaluator), 1.0
    if evaluator.budget.seconds is not None:
        end = evaluator.progress + _LONGEST_STEP * evaluator.share
    sweep, position, falls = moves.sweep(points), 0, False

    def decide(k: int, deltas: np.ndarray) -> np.ndarray:
        nonlocal falls
        chosen, lowered = lowering(deltas, generator)
        falls = falls or bool(lowered.any())
        return chosen

    while sweeps and evaluator.progress <= end:
        position = visit(sweep, moves, position, decide)
        if position == 0:
            sweeps = sweeps - 1 if falls else 0
            falls = False
    return np.array(sweep.points.T, order="C"), np.array(sweep.costs)


def _uniform(
    mothers: np.ndarray, fathers: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    return np.where(generator.random(mothers.shape) < 0.5, mothers, fathers)


def _one_point(
    mothers: np.ndarray, fathers: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    n, d = mothers.shape
    cuts = generator.integers(0, d + 1, (n, 1))
    return np.where(np.arange(d) < cuts, mothers, fathers)


_CROSSOVERS = {"uniform": _uniform, "one-point": _one_point}
