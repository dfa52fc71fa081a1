"""The loop that lets a method search the points of a pseudo-Boolean function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..budget import BudgetExhausted, Evaluator
from ..exceptions import ObjectiveError
from ..methods import Search
from ._history import History

Callback = Callable[[dict[str, Any]], object]

HARDEN_EVERY = 10  # steps of a sampling method between two looks at its likeliest point


@dataclass(frozen=True)
class SearchCourse:
    """How a search went.

    Parameters
    ----------
    stop_reason : str
        The limit of the budget that ended it, "callback" or "error".
    n_steps : int
        Steps begun.
    history : list of dict
        One record a step, thinned out where there are very many.
    error : ObjectiveError, default=None
        What ended it, if the function failed after it had given costs.
    """

    stop_reason: str
    n_steps: int
    history: list[dict[str, Any]]
    error: ObjectiveError | None = None


def run_search(
    search: Search, evaluator: Evaluator, callback: Callback | None = None
) -> SearchCourse:
    """Run a search until its budget ends; the evaluator keeps the best point.

    Parameters
    ----------
    search : Search
        A search that has just begun.
    evaluator : Evaluator
        The function under its budget.
    callback : callable, default=None
        Called with the record of each step; StopIteration ends the search.

    Returns
    -------
    course : SearchCourse
        Why and when it ended, and its history.
    """
    history = History(evaluator, search)
    hardened = _HardenedCandidate(search, evaluator)
    reason, error = "error", None
    try:
        while True:
            _step(search, evaluator, hardened, history, callback)
    except BudgetExhausted as stop:
        reason = stop.reason
    except ObjectiveError as failure:
        if evaluator.best_point is None:
            raise
        error = failure
    history.add()
    return SearchCourse(reason, search.step, history.records, error)


def _step(
    search: Search,
    evaluator: Evaluator,
    hardened: _HardenedCandidate,
    history: History,
    callback: Callback | None,
) -> None:
    evaluated = evaluator.n_evaluations
    evaluator.recent.clear()
    search.advance(evaluator.progress)
    _learn(search, evaluator)
    hardened.consider(must=evaluator.n_evaluations == evaluated)
    if callback is not None:
        _call(callback, history.add())
    elif history.is_due():
        history.add()


def _call(callback: Callback, record: dict[str, Any]) -> None:
    try:
        callback(record)
    except StopIteration as stop:
        raise BudgetExhausted("callback") from stop


def _learn(search: Search, evaluator: Evaluator) -> None:
    """One step of the search: what it evaluates, and how it learns from that."""
    if not search.needs_slope:
        search.update(evaluator, None)
        return
    point = search.mask().detach().requires_grad_()
    cost = evaluator.relaxed(point)
    (slope,) = torch.autograd.grad(cost, point)
    if not bool(torch.isfinite(slope).all()):
        raise ObjectiveError(
            f"{evaluator.function._label} has a gradient that is not finite at "
            f"evaluation {evaluator.n_evaluations}."
        )
    search.update(evaluator, slope)


class _HardenedCandidate:
    """The binary point that the search would end with now, evaluated when it is new.

    A relaxed search evaluates no binary point of its own, so each new one is tried.
    A sampling search gets a look every few steps: with many variables its likeliest
    point is better than any of its samples.
    """

    def __init__(self, search: Search, evaluator: Evaluator) -> None:
        self._search = search
        self._evaluator = evaluator
        self._every = 1 if search.needs_slope else HARDEN_EVERY
        self._last: torch.Tensor | None = None

    def consider(self, *, must: bool = False) -> None:
        """Evaluate it if its turn has come and it has changed, or if it must be."""
        if self._search.step % self._every and not must:
            return
        point = self._search.harden()
        if must or self._last is None or not torch.equal(point, self._last):
            self._last = point
            self._evaluator(point[None].to(self._search.space.dtype))
