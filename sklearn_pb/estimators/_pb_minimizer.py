"""Minimisation of a pseudo-Boolean function as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import OptimizeResult
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from ..budget import Budget
from ..constraints import L0Penalty
from ..exceptions import ObjectiveError
from ..functions import PseudoBooleanFunction, SubsetSelection, remembered
from ..methods import PRESETS, Method
from ..solvers import (
    SOLVERS,
    ProgressLines,
    RunState,
    Solver,
    as_function,
    minimize,
)
from ..utils import torch_threads
from ..utils._sklearn import HasMethods, Interval, fit_context
from ._feature_methods import FeatureMethods
from ._nested_parameters import NestedParameters

DEFAULT_BUDGET = Budget(evaluations=2000, no_improvement=500)


class PBMinimizer(FeatureMethods, SelectorMixin, NestedParameters):
    """Find the zeros and ones that minimise a pseudo-Boolean function.

    With an objective over features this is a feature selector: `fit` binds the
    objective to the data, and the solution says which columns are kept. With a
    function, it minimises that function, and the data are ignored.

    Parameters
    ----------
    objective : object with `bind`, function, callable or None, default=None
        What is minimised. ``bind(X, y)`` gives a function with one variable a
        feature; None stands for `sklearn_pb.functions.SubsetSelection()`, the
        choice of features for a linear or logistic model. An objective with
        ``checks_data = True``, such as `EstimatorSubset`, is given X and y as they
        come: with missing values, strings, sparse, y of any shape; and one with
        ``needs_targets = False`` may go without y. A callable is given a batch of
        points, a tensor (n, d) of zeros and ones, and returns their n costs.
    n_variables : int, default=None
        The number d of variables; needed for a callable only.
    method : str, Method or Solver, default="auto"
        As in `sklearn_pb.minimize`: "auto" picks by what the function can do;
        otherwise the name of a gradient estimator or of a solver, or an object of
        `sklearn_pb.methods` or `sklearn_pb.solvers`. On
        subsets of features, "continuous" and "straight-through" are prone to stop at
        all of them, the more so with more than two classes: the gradient at a
        fraction of a feature speaks for more of it.
    budget : Budget, default=None
        When to stop; None means ``Budget(evaluations=2000, no_improvement=500)``.
    constraint : L0Penalty, default=None
        A price of each one on top of the objective.
    initial : array-like of shape (d,), default=None
        A warm start: a solution, or probabilities. None is left to the objective:
        subsets of features begin with none of them, where there are fewer than 5 rows
        for each column.
    n_restarts : int, default=1
        Number of independent runs, which share the budget; the best is kept.
    n_jobs : int, default=None
        How many of them run at a time; None means 1.
    n_threads : int or None, default=1
        Threads of torch on the CPU. With a number, results are the same for every
        `n_jobs` around the estimator; None leaves torch's own setting, which joblib
        makes smaller in its workers. More than one is faster for many variables only.
    checkpoint : str or pathlib.Path, default=None
        A file that keeps the state of the search; a fit that was killed goes on from
        it when `fit` is called again.
    state : RunState, default=None
        The `state_` of an earlier fit to go on from, for a larger budget.
    callback : callable, default=None
        Called with the record of each step (see `history_`). If it raises
        StopIteration, the search ends.
    random_state : int, numpy.random.RandomState or None, default=None
        An int gives the same result in every call of `fit`.
    verbose : int, default=0
        If 1, a line is printed at steps 1, 2, 4, 8, ...; if more, at every step.

    Attributes
    ----------
    solution_ : ndarray of bool, shape (d,)
        The best point found.
    cost_ : float
        Its cost.
    probabilities_ : ndarray of shape (d,) or None
        The method's last probability of a one for each variable.
    history_ : list of dict
        How the search went, one record a step; ``pandas.DataFrame(history_)`` works.
    n_evaluations_ : int
        Evaluations used.
    n_iter_ : int
        Steps of the method.
    stop_reason_ : str
        The limit of the budget that ended the search: "evaluations", "seconds",
        "target" or "no_improvement"; "optimal", if no point is better; "callback"; or
        "error", if the function failed.
    method_ : Method or Solver
        What searched; tells what "auto" picked.
    state_ : RunState
        What a later fit needs to go on.
    n_features_in_ : int
        Number of features seen in `fit`, if it saw any.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if all of them are strings.

    See Also
    --------
    sklearn_pb.minimize : The same as a function, with a scipy result.

    Notes
    -----
    A bound objective computes the cost of a point once; coming back to it counts as
    an evaluation, but takes no time.

    Comparing methods on a function with `GridSearchCV` works too, as the score is
    then the negative cost of the solution: give any X of the right length.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_pb.estimators import PBMinimizer
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> selector = PBMinimizer(random_state=0).fit(X, y)
    >>> selector.get_feature_names_out()
    array(['sex', 'bmi', 'bp', 's3', 's5'], dtype=object)
    """

    _shorthands = {"method": {**PRESETS, **SOLVERS}}
    _parameter_constraints: dict = {
        "objective": [HasMethods(["bind"]), PseudoBooleanFunction, callable, None],
        "n_variables": [Interval(Integral, 1, None, closed="left"), None],
        "method": [str, Method, Solver],
        "budget": [Budget, None],
        "constraint": [L0Penalty, None],
        "initial": ["array-like", None],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "checkpoint": [str, Path, None],
        "state": [RunState, None],
        "callback": [callable, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        objective: Any = None,
        *,
        n_variables: int | None = None,
        method: str | Method | Solver = "auto",
        budget: Budget | None = None,
        constraint: L0Penalty | None = None,
        initial: Any = None,
        n_restarts: int = 1,
        n_jobs: int | None = None,
        n_threads: int | None = 1,
        checkpoint: str | Path | None = None,
        state: RunState | None = None,
        callback: Callable[[dict[str, Any]], object] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.objective = objective
        self.n_variables = n_variables
        self.method = method
        self.budget = budget
        self.constraint = constraint
        self.initial = initial
        self.n_restarts = n_restarts
        self.n_jobs = n_jobs
        self.n_threads = n_threads
        self.checkpoint = checkpoint
        self.state = state
        self.callback = callback
        self.random_state = random_state
        self.verbose = verbose

    # The objective and the method are estimators too: they check their parameters.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any = None, y: Any = None) -> PBMinimizer:
        """Bind the objective to the data and minimise it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            The features; ignored if `objective` is a function.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The targets; ignored if `objective` is a function.

        Returns
        -------
        self : PBMinimizer
            The fitted estimator.

        Raises
        ------
        TypeError
            If the objective binds to something that is no function.
        ObjectiveError
            If the function does not give one finite cost a row. What was found until
            then is kept in the fitted attributes.
        """
        function = self._bound(X, y, reset=True)
        if not self._has_function():
            function = remembered(function)
        try:
            with torch_threads(self.n_threads):
                result = minimize(
                    function,
                    method=self.method,
                    budget=DEFAULT_BUDGET if self.budget is None else self.budget,
                    constraint=self.constraint,
                    initial=self.initial,
                    n_restarts=self.n_restarts,
                    n_jobs=self.n_jobs,
                    checkpoint=self.checkpoint,
                    state=self.state,
                    random_state=self.random_state,
                    callback=self._watcher(),
                )
        except ObjectiveError as error:
            if hasattr(error, "result"):
                self._keep(error.result)
            raise
        self._keep(result)
        return self

    def score(self, X: Any = None, y: Any = None) -> float:
        """Return minus the cost of the solution.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), default=None
            Data that the objective is bound to anew; None means the data of `fit`.
        y : array-like of shape (n_samples,), default=None
            Their targets.

        Returns
        -------
        score : float
            Higher is better.
        """
        check_is_fitted(self)
        if X is None or self._has_function():
            return -self.cost_
        point = torch.from_numpy(self.solution_.astype(np.float64))
        cost = float(self._bound(X, y, reset=False)(point[None])[0])
        return -(cost + self._price() * float(point.sum()))

    def _bound(self, X: Any, y: Any, *, reset: bool) -> PseudoBooleanFunction:
        """The function to minimise."""
        if self._has_function():
            return as_function(self.objective, self.n_variables)
        objective = SubsetSelection() if self.objective is None else self.objective
        if X is None:
            raise ValueError(
                f"X=None, but the objective {objective!r} chooses features of data; "
                "call fit(X, y)."
            )
        if self._passes_data_on():
            validate_data(self, X, y, reset=reset, skip_check_array=True)
        else:
            X, y = validate_data(self, X, y, reset=reset)
        function = objective.bind(X, y)
        if not isinstance(function, PseudoBooleanFunction):
            raise TypeError(
                f"objective={objective!r}: its bind(X, y) returned {function!r}, a "
                f"{type(function).__name__}; it must return a PseudoBooleanFunction, "
                "such as BlackBoxFunction(callable, n_variables=X.shape[1])."
            )
        return function

    def _watcher(self) -> Callable[[dict[str, Any]], object] | None:
        if not self.verbose:
            return self.callback
        return ProgressLines(self.verbose, "PBMinimizer", self.callback)

    def _has_function(self) -> bool:
        """Whether the objective needs no data."""
        return callable(self.objective) and not hasattr(self.objective, "bind")

    def _passes_data_on(self) -> bool:
        """Whether the objective judges the data itself."""
        return getattr(self.objective, "checks_data", False)

    def _price(self) -> float:
        return 0.0 if self.constraint is None else float(self.constraint.strength)

    def _keep(self, result: OptimizeResult) -> None:
        self.solution_ = result.x.astype(bool)
        self.cost_ = result.fun
        self.probabilities_ = result.probabilities
        self.history_ = result.history
        self.n_evaluations_ = result.nfev
        self.n_iter_ = result.nit
        self.stop_reason_ = result.stop_reason
        self.method_ = result.method
        self.state_ = result.state

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return self.solution_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        needs_targets = getattr(self.objective, "needs_targets", True)
        tags.target_tags.required = needs_targets and not self._has_function()
        if self._passes_data_on():
            tags.input_tags.allow_nan = tags.input_tags.sparse = True
            tags.input_tags.string = tags.target_tags.multi_output = True
        return tags
