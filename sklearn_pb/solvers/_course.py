"""The loop that lets a run go until its budget ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..budget import BudgetExhausted, Evaluator
from ..exceptions import ObjectiveError
from ._base import Run
from ._history import History

Callback = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, repr=False)
class RunState:
    """What a later run needs to go on; an object, as its parts are for nobody to read.

    Parameters
    ----------
    label : str
        The method and the function.
    parts : dict
        The states of the run, of the evaluator and of the history; of restarts, those
        of all runs, None where one has not begun.
    """

    label: str
    parts: dict[str, Any]

    def __repr__(self) -> str:
        runs = self.parts.get("runs", [self.parts])
        n = sum(run["evaluator"]["n_evaluations"] for run in runs if run is not None)
        return f"<state of {self.label}, after {n} evaluations>"

    def check_label(self, label: str) -> None:
        """Raise unless this is the state of a run.

        Parameters
        ----------
        label : str
            What the run is called.

        Raises
        ------
        ValueError
            If it has another method or function, or another number of restarts.
        """
        if self.label != label:
            raise ValueError(
                f"state is of {self.label}, but this run is of {label}: go on with the "
                "same method, function and number of restarts."
            )


def check_state(state: object) -> None:
    """Raise unless something is the state of a run, or None.

    Parameters
    ----------
    state : object
        What was given.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(state, RunState | None):
        raise TypeError(
            f"state={state!r} must be the state of an earlier result, or None."
        )


class Keeper(Protocol):
    """What keeps states while a run goes: a `Checkpoint`, or one's place in it."""

    def is_due(self) -> bool:
        """Return whether the last one is long ago."""

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state."""


@dataclass(frozen=True)
class Course:
    """How a run went.

    Parameters
    ----------
    stop_reason : str
        The limit of the budget that ended it, "optimal", "callback" or "error".
    history : list of dict
        One record a step, thinned out where there are very many.
    state : dict
        What a later run needs to go on.
    error : ObjectiveError, default=None
        What ended it, if the function failed after it had given costs.
    """

    stop_reason: str
    history: list[dict[str, Any]]
    state: dict[str, Any]
    error: ObjectiveError | None = None


def follow(
    run: Run,
    evaluator: Evaluator,
    callback: Callback | None = None,
    checkpoint: Keeper | None = None,
    state: dict[str, Any] | None = None,
) -> Course:
    """Let a run go until its budget ends; the evaluator keeps the best point.

    Parameters
    ----------
    run : Run
        A run that has just begun.
    evaluator : Evaluator
        The function under its budget.
    callback : callable, default=None
        Called with the record of each step; StopIteration ends the search.
    checkpoint : Keeper, default=None
        Where the state is kept while the run goes.
    state : dict, default=None
        The state of an earlier run to go on from.

    Returns
    -------
    course : Course
        Why it ended, its history, its last state.
    """
    history = History(evaluator, run)
    parts = {"run": run, "evaluator": evaluator, "history": history}
    for name, part in parts.items() if state is not None else ():
        part.load_state_dict(state[name])  # type: ignore[attr-defined, index]
    reason, error = "error", None
    try:
        evaluator.stop_if_done()
        while True:
            evaluator.recent.clear()
            run.advance(evaluator)
            _record(history, callback)
            if checkpoint is not None and checkpoint.is_due():
                checkpoint.save(_state(parts))
    except BudgetExhausted as stop:
        reason = stop.reason
    except ObjectiveError as failure:
        if evaluator.best_point is None:
            raise
        error = failure
    history.add()
    kept = _state(parts)
    if checkpoint is not None:
        checkpoint.save(kept)
    return Course(reason, history.records, kept, error)


def _state(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: part.state_dict() for name, part in parts.items()}


def _record(history: History, callback: Callback | None) -> None:
    if callback is None:
        if history.is_due():
            history.add()
        return
    try:
        callback(history.add())
    except StopIteration as stop:
        raise BudgetExhausted("callback") from stop
