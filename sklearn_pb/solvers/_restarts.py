"""Independent runs that share a budget, at a time or one after the other."""

from __future__ import annotations

from dataclasses import replace

from joblib import Parallel, delayed, effective_n_jobs
from scipy.optimize import OptimizeResult

from ..budget import Budget
from ._course import Callback
from ._task import Task


def run_restarts(
    task: Task, n_restarts: int, n_jobs: int | None, callback: Callback | None
) -> OptimizeResult:
    """Run a task several times with draws of its own and return the best result.

    Parameters
    ----------
    task : Task
        What is run.
    n_restarts : int
        How many runs, at least 2.
    n_jobs : int or None
        How many at a time, as joblib counts.
    callback : callable or None
        Called with the record of each step of each run.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        The best run's, with the evaluations, steps and seconds of all, and ``runs``.

    Raises
    ------
    ValueError
        If there are more restarts than evaluations.
    """
    limit = task.budget.evaluations
    if limit is not None and limit < n_restarts:
        raise ValueError(
            f"n_restarts={n_restarts} is more than Budget.evaluations={limit}."
        )
    at_once = min(effective_n_jobs(n_jobs), n_restarts)
    tasks = [
        replace(
            task,
            stream=task.stream.child(i),
            budget=_part(task.budget, i, n_restarts, at_once),
        )
        for i in range(n_restarts)
    ]
    runs: list[OptimizeResult] = []
    with Parallel(n_jobs=at_once) as parallel:
        for i in range(0, n_restarts, at_once):
            together = tasks[i : i + at_once]
            runs += parallel(delayed(_run)(part, callback) for part in together)
            last = _first_end(runs)
            if last is not None:  # later ones would not have been run one by one
                return _joined(runs[: last + 1])
    return _joined(runs)


def _first_end(runs: list[OptimizeResult]) -> int | None:
    """The number of the first run after which no other is needed."""
    ends = ("target", "optimal", "callback")
    return next((i for i, run in enumerate(runs) if run.stop_reason in ends), None)


def _run(task: Task, callback: Callback | None) -> OptimizeResult:
    result = task.run(callback)
    result.state = None
    return result


def _part(budget: Budget, i: int, n: int, at_once: int) -> Budget:
    """The share of one run."""
    parts = {}
    if budget.evaluations is not None:
        parts["evaluations"] = len(range(i, budget.evaluations, n))
        if budget.no_improvement is not None:
            parts["no_improvement"] = min(budget.no_improvement, parts["evaluations"])
    if budget.seconds is not None:
        return replace(budget, seconds=budget.seconds * at_once / n, **parts)
    return replace(budget, **parts)


def _joined(runs: list[OptimizeResult]) -> OptimizeResult:
    best = min(runs, key=lambda run: run.fun)
    result = OptimizeResult(best)
    result.nfev = sum(run.nfev for run in runs)
    result.nit = sum(run.nit for run in runs)
    result.seconds = sum(run.seconds for run in runs)
    result.runs = runs
    return result
