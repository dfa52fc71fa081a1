"""Minimise a pseudo-Boolean function within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import OptimizeResult

from ..budget import Budget
from ..constraints import L0Penalty
from ..functions import PseudoBooleanFunction
from ..methods import Method
from ..utils import Checkpoint, RandomStream, check_number, saved_label
from ._as_function import as_function
from ._auto import choose, picks
from ._base import Solver
from ._begin import prepare_optimizers
from ._checks import (
    check_budget,
    check_device,
    check_enough,
    check_fits,
    check_initial,
    check_n_jobs,
    check_price,
    check_reports,
)
from ._course import Callback, RunState, check_state
from ._presets import resolve
from ._progress_lines import ProgressLines
from ._restarts import Restarts
from ._task import Task

DEFAULT_BUDGET = Budget(evaluations=10_000)


def minimize(
    function: PseudoBooleanFunction | Callable[[torch.Tensor], Any],
    n_variables: int | None = None,
    *,
    method: str | Method | Solver = "auto",
    budget: Budget | None = None,
    constraint: L0Penalty | None = None,
    initial: Any = None,
    n_restarts: int = 1,
    n_jobs: int | None = None,
    checkpoint: str | Path | None = None,
    state: RunState | None = None,
    random_state: int | np.random.RandomState | None = None,
    device: torch.device | str = "cpu",
    callback: Callback | None = None,
    verbose: int = 0,
) -> OptimizeResult:
    """Look for the point of {0, 1}^d where a function is least.

    Parameters
    ----------
    function : PseudoBooleanFunction or callable
        J. A callable is given a batch of points, a tensor (n, d) of zeros and ones,
        and returns their n costs; wrap it in
        `sklearn_pb.functions.BlackBoxFunction` to be given arrays, or to declare it
        differentiable.
    n_variables : int, default=None
        The number d of variables; needed for a callable only.
    method : str, Method or Solver, default="auto"
        "auto" picks by what the function can do; with the state of an earlier run it
        stays with what it picked then. Otherwise the name of a gradient
        estimator ("loorf", "arms", "disarm", ...), "continuation", "straight-through",
        the name of a solver ("annealing", "branch-and-bound", "exhaustive", "genetic",
        "local-search", "min-cut", "tabu", ...), or an object of `sklearn_pb.methods`
        or `sklearn_pb.solvers` with hyperparameters of its own.
    budget : Budget, default=None
        When to stop; None means ``Budget(evaluations=10_000)``.
    constraint : L0Penalty, default=None
        The price of each one in a solution; it needs a number as its strength. The
        cost that is minimised and reported is then J plus the price of the ones.
    initial : array-like of shape (d,), default=None
        A warm start: a solution, or probabilities, whose likeliest point is evaluated
        first. None means the function's own (`SubsetSelection` has one on wide data),
        or the method's.
    n_restarts : int, default=1
        Number of independent runs, which share the limits of evaluations and of
        seconds evenly; the best of them is returned. None begins after the seconds
        are over.
    n_jobs : int, default=None
        How many of them run at a time, as joblib counts; None means 1. With a limit of
        evaluations the result is the same for every `n_jobs`.
    checkpoint : str or pathlib.Path, default=None
        A file that keeps the state every ten seconds and at the end. If it exists, the
        run goes on from it; after a kill nothing older than that is lost.
    state : RunState, default=None
        The ``state`` of an earlier result to go on from. The budget is that of the
        whole: give a larger one to go on for longer. That of several runs is for as
        many; that of one among ``runs`` is for one.
    random_state : int, numpy.random.RandomState or None, default=None
        An int gives the same result every time. Global generators are neither used
        nor changed.
    device : torch.device or str, default="cpu"
        Where the points lie that `function` is given. Solvers work on the CPU.
    callback : callable, default=None
        Called with the record of each step (see `history`), and of several runs also
        with the number of the run, `restart`. With `n_jobs` it is called in this
        process, one record after the other, in another thread. If it raises
        StopIteration, the search ends.
    verbose : int, default=0
        If 1, a line is printed at steps 1, 2, 4, 8, ...; if more, at every step.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        With the attributes

        - ``x``: the best point evaluated, int8 array (d,);
        - ``fun``: its cost;
        - ``nfev``: evaluations of `function`, never more than the budget's; a change
          of cost by a flip counts as one where the function knows it;
        - ``nit``: steps of the method;
        - ``success``: whether a point of finite cost was found;
        - ``stop_reason``: "evaluations", "seconds", "target", "no_improvement",
          "optimal" (no point is better: proved) or "callback"; ``status`` and
          ``message`` say the same as a number and as a sentence;
        - ``probabilities``: the method's last probability of a one for each
          variable (d,), or None if it has none;
        - ``history``: list of dicts with `step`, `n_evaluations`, `best_cost`,
          `mean_cost` (of what the step evaluated), `seconds`, and where there are
          probabilities `density` and `entropy` (mean over the variables, in nats); at
          most about 1000, evenly spaced;
        - ``method``: the object that searched, with its hyperparameters;
        - ``state``: what a later call needs to go on;
        - ``runs``: the results of all restarts, if there were several;
        - ``seconds``: wall-clock time since the call.

    Raises
    ------
    ValueError
        If a parameter is out of its range, `method` is unknown or does not fit
        `function`, there are too many variables to enumerate, or `checkpoint` or
        `state` is of another run.
    TypeError
        If a parameter is of the wrong type.
    ObjectiveError
        If `function` does not give one finite cost a row. If that happens after a
        good start, the attribute ``result`` of the error keeps what was found.

    Notes
    -----
    A callable is given points in torch's default dtype, whatever the method; wrap it in
    a `BlackBoxFunction` to choose another `dtype`. Its costs are reported as they were
    found. Other functions report in float64: where a method over logits works in single
    precision, the cost of each new best point is computed once more, which counts as an
    evaluation.

    The clock of a limit in seconds starts with the call (but for the first call in a
    process, which imports torch's optimizers before), and the search ends within one
    evaluation of it, and that one. One point is evaluated before anything is set up, so
    there is always a result. What cannot be interrupted is the setting up of a method:
    for very large functions, and the first time in a process where it loads compiled
    code.

    Examples
    --------
    >>> from sklearn_pb.budget import Budget
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import minimize
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> result = minimize(J, budget=Budget(evaluations=100), random_state=0)
    >>> result.x, result.fun
    (array([1, 1], dtype=int8), -1.0)
    >>> result.stop_reason, result.method
    ('optimal', MinCut())
    """
    prepare_optimizers()
    begun = time.perf_counter()
    function = as_function(function, n_variables)
    budget = check_budget(budget, DEFAULT_BUDGET)
    price = check_price(constraint)
    resolved = choose(function, budget) if method == "auto" else resolve(method, "auto")
    check_fits(resolved, method, function)
    check_enough(resolved, method, function, budget)
    check_number(n_restarts, "n_restarts", low=1, integer=True)
    check_n_jobs(n_jobs)
    check_reports(callback, verbose)
    check_state(state)
    task = Task(
        function,
        resolved,
        budget,
        RandomStream.from_random_state(random_state),
        price=price,
        penalty=constraint,
        initial=check_initial(
            function.initial_probabilities if initial is None else initial,
            function.n_variables,
        ),
        device=check_device(device),
        begun=begun,
    )
    if verbose:
        callback = ProgressLines(verbose, then=callback)
    job = _job(task, n_restarts, n_jobs)
    if method == "auto":  # which may pick another method for another budget
        job = _going_on(job, _label(checkpoint, state))
    kept, state = _saved(checkpoint, state, job.label)
    return job.run(callback, kept, state)


def _job(task: Task, n_restarts: int, n_jobs: int | None) -> Task | Restarts:
    return task if n_restarts == 1 else Restarts(task, n_restarts, n_jobs)


def _going_on(job: Task | Restarts, label: Any) -> Task | Restarts:
    """The job of a saved state, if "auto" may have picked its method once."""
    for pick in picks():
        if isinstance(job, Task):
            other: Task | Restarts = replace(job, method=pick)
        else:
            other = replace(job, task=replace(job.task, method=pick))
        if other.label == label:
            return other
    return job


def _label(checkpoint: Any, state: RunState | None) -> Any:
    """What a saved state is of, if there is one."""
    if state is not None or checkpoint is None:
        return None if state is None else state.label
    return saved_label(checkpoint)


def _saved(
    checkpoint: Any, state: RunState | None, label: str
) -> tuple[Checkpoint | None, RunState | None]:
    """The file, if one is wanted, and the state to go on from, if there is one."""
    if checkpoint is None:
        return None, state
    kept = Checkpoint(checkpoint, label)
    parts = kept.load() if state is None else None
    return kept, state if parts is None else RunState(label, parts)
