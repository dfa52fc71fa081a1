"""What runs of several replicas share: how they begin, are kept and go on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions._flips import Sweep
from ..utils import check_number
from ._base import Run, Start
from ._moves import Moves

_MOST_BITS = 2**26  # of all replicas together
_MOST_BITS_IN_TIME = 2**21  # where the time is short to make them


class ReplicaRun(Run):
    """A search by replicas that flip their variables.

    The replicas are made when the run first meets its evaluator, and made again from
    their points when it goes on from a saved state. What rounding has left in sums of
    changes is saved too, so that it goes on to the last digit as if never stopped.

    Parameters
    ----------
    start : Start
        Where the run begins.
    n_replicas : int or "auto"
        How many replicas.
    """

    def __init__(self, start: Start, n_replicas: int | str) -> None:
        self._start = start
        self._generator = start.generator()
        self._n_replicas = n_replicas
        self._evaluator: Evaluator | None = None
        self._replicas: Any = None
        self._points: np.ndarray | None = None
        self._costs: np.ndarray | None = None
        self._sums: list[np.ndarray] = []

    @abstractmethod
    def _make(self, points: np.ndarray, costs: np.ndarray | None) -> Any:
        """Return the replicas at points (R, d)."""

    @abstractmethod
    def _begin(self) -> None:
        """Set up what belongs to fresh replicas."""

    @abstractmethod
    def _resume(self) -> None:
        """Set up what is not saved."""

    @abstractmethod
    def _advance(self) -> None:
        """Do one step."""

    @abstractmethod
    def _auto(self, evaluator: Evaluator, seconds_a_row: float | None) -> int:
        """Return the number of replicas for a budget."""

    def advance(self, evaluator: Evaluator) -> None:
        """Do one step with all replicas."""
        self.step += 1
        if self._replicas is None or evaluator is not self._evaluator:
            self._open(evaluator)
        self._advance()

    def _open(self, evaluator: Evaluator) -> None:
        self._close()
        self._evaluator, self._moves = evaluator, Moves(evaluator)
        if self._points is None:
            self._points = self._first_points(evaluator)
        fresh = self._costs is None
        self._remake()
        if fresh:
            self._begin()
        self._resume()

    def _remake(self) -> None:
        """Make replicas that go on from what is remembered to the last digit."""
        assert self._points is not None
        self._replicas = self._make(self._points, self._costs)
        if self._costs is not None:
            sums = self._replicas.running_sums
            for fresh, remembered in zip(sums, self._sums, strict=True):
                fresh[...] = remembered

    def _close(self) -> None:
        """Remember where the replicas are and let them go."""
        self._look()
        self._replicas = None

    def _look(self) -> None:
        """Remember where the replicas are."""
        if self._replicas is not None:
            points = self._replicas.points
            if isinstance(self._replicas, Sweep):
                points = points.T
            self._points = np.array(points, order="C")
            self._costs = np.array(self._replicas.costs)
            self._sums = [np.array(part) for part in self._replicas.running_sums]

    def _first_points(self, evaluator: Evaluator) -> np.ndarray:
        n = self._n_replicas
        likeliest = self._start.points(1, self._generator)
        if evaluator.budget.seconds is not None and evaluator.row_seconds is None:
            evaluator(likeliest.astype(np.float64))  # see how long an evaluation takes
        if n == "auto":
            n = self._auto(evaluator, evaluator.row_seconds)
        points = self._start.points(int(n), self._generator)
        points[0] = likeliest[0]
        return points

    def _keep_best(self, n: int) -> np.ndarray:
        """Go on with the n best replicas only, and return their former numbers."""
        best = np.argsort(self._replicas.costs, kind="stable")[:n]
        self._close()
        assert self._points is not None and self._costs is not None
        self._points, self._costs = self._points[best], self._costs[best]
        self._sums = [part[best] for part in self._sums]
        self._remake()
        return best

    def state_dict(self) -> dict[str, Any]:
        """Return the points, their costs, and the state of the generator."""
        self._look()
        return {
            "step": self.step,
            "generator": self._generator.bit_generator.state,
            "points": copy_of(self._points),
            "costs": copy_of(self._costs),
            "sums": [part.copy() for part in self._sums],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._replicas = None
        self.step = state["step"]
        self._generator.bit_generator.state = state["generator"]
        self._points = copy_of(state["points"])
        self._costs = copy_of(state["costs"])
        self._sums = [part.copy() for part in state["sums"]]


def copy_of(array: np.ndarray | None) -> np.ndarray | None:
    """Return a copy of an array that may not be there yet.

    Parameters
    ----------
    array : numpy.ndarray or None
        The array.

    Returns
    -------
    copy : numpy.ndarray or None
        Independent of it.
    """
    return None if array is None else np.array(array)


def affordable(
    evaluator: Evaluator,
    evaluations: int,
    most: int,
    seconds_a_row: float | None = None,
) -> int:
    """Return how many replicas a budget allows, at least 1.

    Parameters
    ----------
    evaluator : Evaluator
        The function under its budget.
    evaluations : int
        How many each of them should at least have.
    most : int
        How many there should be at most.
    seconds_a_row : float, default=None
        How long an evaluation takes, if that is known.

    Returns
    -------
    n_replicas : int
        From 1 to `most`.
    """
    budget, share = evaluator.budget, evaluator.phase_end * evaluator.share
    bits = _MOST_BITS if budget.seconds is None else _MOST_BITS_IN_TIME
    limits = [most, bits // evaluator.n_variables]
    for limit in (budget.evaluations, budget.no_improvement):
        if limit is not None:
            limits.append(int(limit * share / evaluations))
    if budget.seconds is not None and seconds_a_row:
        limits.append(int(budget.seconds * share / seconds_a_row / evaluations))
    return max(1, min(limits))


def check_replicas(n_replicas: object) -> None:
    """Raise unless a number of replicas is "auto" or a positive integer.

    Parameters
    ----------
    n_replicas : object
        What was given.
    """
    check_number_or_auto(n_replicas, "n_replicas", low=1, integer=True)


def check_number_or_auto(value: object, name: str, **limits: Any) -> None:
    """Raise unless a value is "auto" or a number in a range.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    **limits : dict
        As `check_number` takes them.
    """
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(f"{name}={value!r} must be 'auto' or a number.")
        return
    check_number(value, name, **limits)


def visit(
    sweep: Sweep,
    moves: Moves,
    position: int,
    decide: Callable[[int, np.ndarray], np.ndarray],
    stop: Callable[[int, np.ndarray], bool] | None = None,
) -> int:
    """Visit classes one after the other, as far as the budget goes.

    Parameters
    ----------
    sweep : Sweep
        The replicas.
    moves : Moves
        Where the changes of cost are counted.
    position : int
        Number of the class to begin with.
    decide : callable
        Given the number of a class and its changes of cost (size, R), returns which
        variables to flip.
    stop : callable, default=None
        Given the number of a class and what was flipped, returns whether to end.

    Returns
    -------
    position : int
        Number of the class to go on with; 0 after the last one.
    """
    classes = sweep.classes
    wanted = len(sweep.costs) * sum(len(members) for members in classes[position:])
    allowed, used = moves.allowance(wanted), 0
    while used < allowed and position < len(classes):
        chosen = decide(position, sweep.deltas(position))
        if used + chosen.size > allowed:
            chosen.reshape(-1)[allowed - used :] = False
        used = min(allowed, used + chosen.size)
        sweep.flip(position, chosen)
        position += 1
        if stop is not None and stop(position - 1, chosen):
            break
    moves.charge(used, sweep.costs, lambda replica: sweep.points[:, replica])
    return position % len(classes)


def lowering(
    deltas: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the flips of a descent, which also strolls over plateaus.

    Parameters
    ----------
    deltas : numpy.ndarray of shape (size, R)
        Changes of cost of a class of variables.
    generator : numpy.random.Generator
        Where the draws come from.

    Returns
    -------
    chosen : numpy.ndarray of bool, shape (size, R)
        Flips that lower the cost, and half of those that leave it as it is.
    lowered : numpy.ndarray of bool, shape (R,)
        For which replicas the cost falls.
    """
    lower, level = deltas < 0, deltas == 0
    if level.any():
        level &= generator.random(deltas.shape, np.float32) < 0.5
    return lower | level, np.logical_or.reduce(lower, axis=0)
