"""Independent runs that share a budget, at a time or one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from joblib import Parallel, delayed, effective_n_jobs
from scipy.optimize import OptimizeResult

from ..budget import Budget
from ..utils import Checkpoint, torch_threads
from ._begin import prepare_optimizers
from ._channel import Channel, Line
from ._course import Callback, RunState
from ._task import Task

_NO_TIME = 1e-9  # seconds in which one point is evaluated all the same
_ENDS = ("target", "optimal")  # after which no other run is needed


@dataclass(frozen=True)
class Restarts:
    """A task that is run several times, each time with draws of its own.

    Parameters
    ----------
    task : Task
        What is run.
    n : int
        How many runs, at least 2.
    n_jobs : int or None
        How many at a time, as joblib counts.
    """

    task: Task
    n: int
    n_jobs: int | None

    @property
    def label(self) -> str:
        """What a saved state must agree on."""
        return f"{self.n} restarts of {self.task.label}"

    def run(
        self,
        callback: Callback | None = None,
        checkpoint: Checkpoint | None = None,
        state: RunState | None = None,
    ) -> OptimizeResult:
        """Run them all within the budget and return the best result.

        Parameters
        ----------
        callback : callable, default=None
            Called in this process with the record of each step of each run, which has
            the number of the run as `restart`.
        checkpoint : Checkpoint, default=None
            Where the states of all runs are kept.
        state : RunState, default=None
            What to go on from.

        Returns
        -------
        result : scipy.optimize.OptimizeResult
            The best run's, with the evaluations and steps of all, and ``runs``.

        Raises
        ------
        ValueError
            If there are more restarts than evaluations.
        """
        limit = self.task.budget.evaluations
        if limit is not None and limit < self.n:
            raise ValueError(
                f"n_restarts={self.n} is more than Budget.evaluations={limit}."
            )
        if state is not None:
            state.check_label(self.label)
        clerk = _Clerk(self, callback, checkpoint, state)
        at_once = min(effective_n_jobs(self.n_jobs), self.n)
        if at_once == 1:
            return clerk.result(self._one_by_one(clerk))
        return clerk.result(self._side_by_side(clerk, at_once))

    def _one_by_one(self, clerk: _Clerk) -> list[OptimizeResult]:
        runs: list[OptimizeResult] = []
        for i in range(self.n):
            if i and clerk.is_late:
                break
            task, parts = clerk.task(i, self.n - i), clerk.parts(i)
            runs.append(_run(task, i, parts, clerk.wishes, clerk.tell))
            if runs[-1].stop_reason in (*_ENDS, "callback"):
                break
        return runs

    def _side_by_side(self, clerk: _Clerk, at_once: int) -> list[OptimizeResult]:
        runs: list[OptimizeResult] = []
        with ExitStack() as stack:
            parallel = stack.enter_context(Parallel(n_jobs=at_once))
            line = None
            if clerk.wishes != _Wishes():
                line = stack.enter_context(Channel(clerk.tell)).line()
            if self.task.budget.seconds is not None:
                parallel(delayed(_arrive)() for _ in range(at_once))
            for i in range(0, self.n, at_once):
                if i and clerk.is_late:
                    break
                numbers = range(i, min(i + at_once, self.n))
                runs += parallel(self._jobs(clerk, numbers, at_once, line))
                reasons = [run.stop_reason for run in runs]
                if "callback" in reasons:
                    break
                ends = [k for k, reason in enumerate(reasons) if reason in _ENDS]
                if ends:  # later ones would not have been run one by one
                    return runs[: ends[0] + 1]
        return runs

    def _jobs(
        self, clerk: _Clerk, numbers: range, at_once: int, line: Line | None
    ) -> list[Any]:
        """The runs of one round, for workers."""
        rounds = -(-(self.n - numbers[0]) // at_once)
        tasks = [(clerk.task(i, rounds), i, clerk.parts(i)) for i in numbers]
        sent, n_threads = time.time(), torch.get_num_threads()
        return [
            delayed(_run_elsewhere)(*task, clerk.wishes, line, sent, n_threads)
            for task in tasks
        ]


@dataclass(frozen=True)
class _Wishes:
    """What a run is to report.

    Parameters
    ----------
    records : bool, default=False
        The record of each step.
    every : float, default=None
        Its state, so often in seconds, and at the end.
    """

    records: bool = False
    every: float | None = None


class _Clerk:
    """Keeps the time and the states of all runs, and passes on what they report."""

    def __init__(
        self,
        restarts: Restarts,
        callback: Callback | None,
        checkpoint: Checkpoint | None,
        state: RunState | None,
    ) -> None:
        self._task, self._n, self._label = restarts.task, restarts.n, restarts.label
        self._callback = callback
        self._checkpoint = checkpoint
        self._states: list[Any] = [None] * restarts.n
        before = 0.0
        if state is not None:
            self._states, before = list(state.parts["runs"]), state.parts["seconds"]
        begun = self._task.begun
        self._begun = (time.perf_counter() if begun is None else begun) - before
        every = None if checkpoint is None else checkpoint.every
        self.wishes = _Wishes(callback is not None, every)

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._begun

    @property
    def is_late(self) -> bool:
        """Whether the time of all runs together is over."""
        limit = self._task.budget.seconds
        return limit is not None and self._seconds >= limit

    def parts(self, i: int) -> dict[str, Any] | None:
        """The state of a run, if it has begun."""
        return self._states[i]

    def task(self, i: int, rounds: int) -> Task:
        """A run with its share, where the time is for so many, one after the other."""
        stream, budget = self._task.stream.child(i), self._share(i, rounds)
        begun = time.perf_counter()
        return replace(self._task, stream=stream, budget=budget, begun=begun)

    def _share(self, i: int, rounds: int) -> Budget:
        budget, limits = self._task.budget, {}
        if budget.evaluations is not None:
            limits["evaluations"] = len(range(i, budget.evaluations, self._n))
            if budget.no_improvement is not None:
                limits["no_improvement"] = min(
                    budget.no_improvement, limits["evaluations"]
                )
        if budget.seconds is not None:
            state = self._states[i]
            used = 0.0 if state is None else state["evaluator"]["seconds"]
            left = (budget.seconds - self._seconds) / rounds
            return replace(budget, seconds=max(_NO_TIME, used + left), **limits)
        return replace(budget, **limits)

    def tell(
        self, i: int, record: dict[str, Any] | None, state: dict[str, Any] | None = None
    ) -> None:
        """Take the record of a step of a run, or its state."""
        if state is not None and self._checkpoint is not None:
            self._states[i] = state
            self._checkpoint.save(self._parts())
        if record is not None and self._callback is not None:
            self._callback({"restart": i, **record})

    def _parts(self) -> dict[str, Any]:
        return {"runs": list(self._states), "seconds": self._seconds}

    def result(self, runs: list[OptimizeResult]) -> OptimizeResult:
        """The best of some runs, with what they used together."""
        for i, run in enumerate(runs):
            self._states[i] = run.state.parts
        result = OptimizeResult(min(runs, key=lambda run: run.fun))
        result.nfev = sum(run.nfev for run in runs)
        result.nit = sum(run.nit for run in runs)
        result.seconds = self._seconds
        result.state = RunState(self._label, self._parts())
        result.runs = runs
        return result


class _Slot:
    """What a run takes for its checkpoint: a place among those of all runs."""

    def __init__(self, save: Callable[..., object], every: float) -> None:
        self._save = save
        self._every = every
        self._saved = time.perf_counter()

    def is_due(self) -> bool:
        return time.perf_counter() - self._saved >= self._every

    def save(self, state: dict[str, Any]) -> None:
        with suppress(StopIteration):  # the next record will say so again
            self._save(None, state)
        self._saved = time.perf_counter()


def _run(
    task: Task,
    i: int,
    parts: dict[str, Any] | None,
    wishes: _Wishes,
    tell: Callable[..., object],
) -> OptimizeResult:
    """One of the runs."""
    report = partial(tell, i)
    callback = report if wishes.records else None
    slot = None if wishes.every is None else _Slot(report, wishes.every)
    state = None if parts is None else RunState(task.label, parts)
    return task.run(callback, slot, state)


def _run_elsewhere(
    task: Task,
    i: int,
    parts: dict[str, Any] | None,
    wishes: _Wishes,
    line: Line | None,
    sent: float,
    n_threads: int,
) -> OptimizeResult:
    """The same in a worker, where the time until it was free counts as well.

    It has as many threads as this process, so that it gives the same bits.
    """
    # Clocks of processes need not agree but for that of the calendar.
    waited = 0.0 if task.budget.seconds is None else max(0.0, time.time() - sent)
    task = replace(task, begun=time.perf_counter() - waited)
    with torch_threads(n_threads):
        if line is None:
            state = None if parts is None else RunState(task.label, parts)
            return task.run(state=state)
        with line:
            return _run(task, i, parts, wishes, line.tell)


def _arrive() -> None:
    """What a worker does first, besides importing all of this."""
    prepare_optimizers()
