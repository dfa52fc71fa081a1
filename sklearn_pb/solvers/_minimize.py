"""Minimise a pseudo-Boolean function within a budget."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import OptimizeResult

from ..budget import Budget, Evaluator
from ..constraints import L0Penalty
from ..functions import BlackBoxFunction, PseudoBooleanFunction
from ..methods import Method, Search, SearchSpace, resolve_method
from ..utils import RandomStream
from ._checks import check_budget, check_device, check_fits, check_price
from ._history import probabilities
from ._logit_search import Callback, SearchCourse, run_search

DEFAULT_BUDGET = Budget(evaluations=10_000)

_MESSAGES = {
    "target": "The target cost was reached.",
    "evaluations": "All evaluations of the budget were used.",
    "seconds": "The time of the budget was used.",
    "no_improvement": "The budget's last evaluations brought no better cost.",
    "callback": "The callback stopped the search.",
    "error": "The function did not give one finite cost a row.",
}


def minimize(
    function: PseudoBooleanFunction | Callable[[torch.Tensor], Any],
    n_variables: int | None = None,
    *,
    method: str | Method = "loorf",
    budget: Budget | None = None,
    constraint: L0Penalty | None = None,
    random_state: int | np.random.RandomState | None = None,
    device: torch.device | str = "cpu",
    callback: Callback | None = None,
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
    method : str or Method, default="loorf"
        "arms", "continuous", "exact", "loorf", "reinforce", "straight-through", or an
        object of `sklearn_pb.methods` with hyperparameters of its own. "continuous"
        and "straight-through" need a differentiable function.
    budget : Budget, default=None
        When to stop; None means ``Budget(evaluations=10_000)``.
    constraint : L0Penalty, default=None
        The price of each one in a solution; it needs a number as its strength. The
        cost that is minimised and reported is then J plus the price of the ones.
    random_state : int, numpy.random.RandomState or None, default=None
        An int gives the same result every time. Global generators are neither used
        nor changed.
    device : torch.device or str, default="cpu"
        Where the points lie that `function` is given.
    callback : callable, default=None
        Called with the record of each step (see `history`). If it raises
        StopIteration, the search ends.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        With the attributes

        - ``x``: the best point evaluated, int8 array (d,);
        - ``fun``: its cost;
        - ``nfev``: evaluations of `function`, never more than the budget's;
        - ``nit``: steps of the method;
        - ``success``: whether a point of finite cost was found;
        - ``stop_reason``: "evaluations", "seconds", "target", "no_improvement" or
          "callback"; ``status`` and ``message`` say the same as a number and as a
          sentence;
        - ``probabilities``: the method's last probability of a one for each
          variable (d,), or None if it has none;
        - ``history``: list of dicts with `step`, `n_evaluations`, `best_cost`,
          `mean_cost` (of what the step evaluated), `density`, `entropy` (mean over
          the variables, in nats) and `seconds`; at most about 1000, evenly spaced;
        - ``seconds``: wall-clock time.

    Raises
    ------
    ValueError
        If a parameter is out of its range, `method` is unknown or does not fit
        `function`, or there are too many variables to enumerate.
    TypeError
        If a parameter is of the wrong type.
    ObjectiveError
        If `function` does not give one finite cost a row. If that happens after a
        good start, the attribute ``result`` of the error keeps what was found.

    Notes
    -----
    Points are in torch's default dtype, or in float64 for a black box of arrays. The
    cost of the solution is computed once more in float64, which counts as an
    evaluation; that of a black box is reported as it was found. A limit in seconds is
    kept to within one evaluation, and that last one.

    Examples
    --------
    >>> from sklearn_pb.budget import Budget
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import minimize
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    >>> result = minimize(J, budget=Budget(evaluations=100), random_state=0)
    >>> result.x, result.fun
    (array([1, 1], dtype=int8), -1.0)
    """
    function = _as_function(function, n_variables)
    resolved = resolve_method(method)
    budget = check_budget(budget, DEFAULT_BUDGET)
    check_fits(resolved, method, function, budget)
    space = SearchSpace(
        function.n_variables,
        RandomStream.from_random_state(random_state),
        penalty=constraint,
        device=check_device(device),
        dtype=_dtype_of_points(function),
    )
    price = check_price(constraint)
    return _search(resolved, function, budget, space, price, callback)


def _as_function(function: Any, n_variables: int | None) -> PseudoBooleanFunction:
    if isinstance(function, PseudoBooleanFunction):
        if n_variables not in (None, function.n_variables):
            raise ValueError(
                f"n_variables={n_variables!r} contradicts the function, a "
                f"{type(function).__name__} of {function.n_variables} variables; "
                "leave it out."
            )
        return function
    if hasattr(function, "bind"):
        raise TypeError(
            f"function={function!r} is an objective that needs data: pass "
            "function.bind(X, y), or use PBMinimizer."
        )
    if not callable(function):
        raise TypeError(
            f"function={function!r} must be a PseudoBooleanFunction or a callable."
        )
    if n_variables is None:
        raise ValueError(
            f"n_variables=None: a callable such as {function!r} does not say how many "
            "variables it has; give a positive integer."
        )
    return BlackBoxFunction(function, n_variables)


def _dtype_of_points(function: PseudoBooleanFunction) -> torch.dtype:
    if isinstance(function, BlackBoxFunction) and function.input == "numpy":
        return torch.float64
    return torch.get_default_dtype()


def _search(
    method: Method,
    function: PseudoBooleanFunction,
    budget: Budget,
    space: SearchSpace,
    price: float,
    callback: Callback | None,
) -> OptimizeResult:
    again = not isinstance(function, BlackBoxFunction)
    evaluator = Evaluator(function, _spare_one(budget) if again else budget, price)
    search = method.start(space)
    course = run_search(search, evaluator, callback)
    result = _result(evaluator, search, course)
    if course.error is not None:
        course.error.result = result  # type: ignore[attr-defined]
        raise course.error
    if again and result.nfev != budget.evaluations:
        _report_exactly(result, evaluator)
    result.seconds = evaluator.seconds
    return result


def _result(
    evaluator: Evaluator, search: Search, course: SearchCourse
) -> OptimizeResult:
    assert evaluator.best_point is not None
    theta = probabilities(search)
    return OptimizeResult(
        x=evaluator.best_point.cpu().numpy().astype(np.int8),
        fun=evaluator.best_cost,
        nfev=evaluator.n_evaluations,
        nit=course.n_steps,
        success=bool(np.isfinite(evaluator.best_cost)),
        status=list(_MESSAGES).index(course.stop_reason),
        message=_MESSAGES[course.stop_reason],
        stop_reason=course.stop_reason,
        probabilities=None if theta is None else theta.cpu().numpy(),
        history=course.history,
        seconds=evaluator.seconds,
    )


def _spare_one(budget: Budget) -> Budget:
    """Keep an evaluation for the cost that is reported, if there is more than one."""
    if budget.evaluations is None or budget.evaluations == 1:
        return budget
    fewer = budget.evaluations - 1
    patience = budget.no_improvement
    if patience is not None:
        patience = min(patience, fewer)
    return replace(budget, evaluations=fewer, no_improvement=patience)


def _report_exactly(result: OptimizeResult, evaluator: Evaluator) -> None:
    """Compute the cost of the solution in float64."""
    assert evaluator.best_point is not None
    point = evaluator.best_point.double()
    result.nfev += 1
    # A function of the user's may know single precision only.
    with torch.no_grad(), suppress(RuntimeError):
        cost = float(evaluator.function(point[None])[0])
        result.fun = cost + evaluator.price * float(point.sum())
