"""The objective of choosing features for any estimator, by cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv, cross_val_score
from sklearn.utils import check_consistent_length, check_random_state, get_tags
from sklearn.utils.parallel import Parallel, delayed

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables
from ._remembered import remembered
from ._subset_function import few_features

_LARGEST_SEED = 2**31 - 1


class EstimatorSubset(BaseEstimator):
    """Choose the features with which an estimator has the best cross-validated score.

    ``bind(X, y)`` gives the function J of the subset z: minus the mean score of the
    estimator on the chosen columns, plus the price of each of them.

    Parameters
    ----------
    estimator : estimator object
        A classifier, regressor, clustering, pipeline or other estimator that
        `sklearn.model_selection.cross_val_score` takes. It is cloned for every fit.
    scoring : str or callable, default=None
        The score, higher is better; None takes the estimator's own ``score``.
    cv : int, cross-validation generator or iterable, default=5
        The splits. They are made once for each `bind`, and all subsets share them.
    price : float or array-like of shape (n_features,), default=0.0
        Cost of each feature that is chosen, in units of the score.
    empty : {"dummy"} or float, default="dummy"
        Cost of choosing no feature. "dummy" takes minus the score of the most
        frequent class or the mean, fitted and scored on the same splits.
    n_jobs : int, default=None
        Subsets of one batch that are scored at the same time; see joblib. Costs do
        not depend on it.
    random_state : int, numpy.random.RandomState or None, default=0
        Seed of every part of the estimator whose own ``random_state`` is None.
        Each subset is scored with the same seeds, so that J is a function.

    See Also
    --------
    SubsetSelection : Much faster, and differentiable, for linear and logistic models.

    Notes
    -----
    One evaluation costs as many fits as there are splits; scores are remembered, so
    that a point that comes again costs nothing. Errors and warnings of the estimator
    pass unchanged. The best of many cross-validated scores is an optimistic one:
    measure what was selected on data that took no part.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_pb.functions import EstimatorSubset
    >>> X, y = load_iris(return_X_y=True)
    >>> J = EstimatorSubset(KNeighborsClassifier(), price=0.01).bind(X, y)
    >>> J(torch.tensor([[0.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]).double()).round(
    ...     decimals=3
    ... )
    tensor([-0.3330, -0.7470, -0.9470], dtype=torch.float64)
    """

    def __init__(
        self,
        estimator: Any,
        *,
        scoring: Any = None,
        cv: Any = 5,
        price: Any = 0.0,
        empty: str | float = "dummy",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.estimator = estimator
        self.scoring = scoring
        self.cv = cv
        self.price = price
        self.empty = empty
        self.n_jobs = n_jobs
        self.random_state = random_state

    checks_data = True  # X and y are for the estimator to judge, which gets them raw

    @property
    def needs_targets(self) -> bool:
        """Whether there is nothing to fit or score without y."""
        estimator = self.estimator
        if isinstance(estimator, type) or not hasattr(estimator, "__sklearn_tags__"):
            return True
        if is_classifier(estimator) or is_regressor(estimator):
            return True  # a pipeline's tags may be those of its first step
        return bool(get_tags(estimator).target_tags.required)

    def bind(self, X: Any, y: Any = None) -> PseudoBooleanFunction:
        """Return the cost of a subset of the columns of X.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, d)
            Features, passed on to the estimator as they are.
        y : array-like of shape (n,) or (n, n_outputs), default=None
            Targets, for an estimator that needs some.

        Returns
        -------
        function : PseudoBooleanFunction
            A function of d variables.

        Raises
        ------
        ValueError
            If the data or a parameter is invalid.
        TypeError
            If `estimator` is a class or cannot be fitted, or a number is none.
        """
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise TypeError(
                "estimator must be an instance with a method fit, got "
                f"{self.estimator!r}."
            )
        if y is None and self.needs_targets:
            raise ValueError(f"y=None, but {self.estimator!r} needs targets.")
        X, y = _as_columns(X), None if y is None else np.asarray(y)
        check_consistent_length(X, y)
        estimator = _seeded(self.estimator, self.random_state)
        scorer = check_scoring(estimator, self.scoring)
        cv = check_cv(self.cv, y, classifier=is_classifier(estimator))
        task = _CrossValidation(estimator, X, y, scorer, list(cv.split(X, y)))
        prices = _as_prices(self.price, X.shape[1])
        task.empty_score = self._empty_score(task)
        return remembered(EstimatorSubsetFunction(task, prices, self.n_jobs))

    def _empty_score(self, task: _CrossValidation) -> float:
        if self.empty != "dummy":
            check_number(self.empty, "empty")
            return -float(self.empty)
        if is_classifier(self.estimator):
            return task.score_of(DummyClassifier(strategy="prior"))
        if is_regressor(self.estimator):
            return task.score_of(DummyRegressor())
        raise ValueError(
            "empty='dummy' needs a classifier or a regressor, got estimator="
            f"{self.estimator!r}; give the cost of choosing no feature as a number."
        )


class EstimatorSubsetFunction(PseudoBooleanFunction):
    """Minus the cross-validated score on a subset, plus its price.

    Parameters
    ----------
    task : _CrossValidation
        Scores a set of columns.
    prices : numpy.ndarray of shape (d,)
        Price of each feature.
    n_jobs : int or None
        Subsets that are scored at the same time.
    """

    def __init__(
        self,
        task: _CrossValidation,
        prices: np.ndarray,
        n_jobs: int | None,
    ) -> None:
        self.n_variables = check_n_variables(len(prices))
        self.n_jobs = n_jobs
        self._task = task
        self._prices = prices

    @property
    def points_dtype(self) -> torch.dtype:
        """Scores are in float64: none is worth computing again."""
        return torch.float64

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        chosen = Z.detach().cpu().numpy() > 0.5
        scores = Parallel(n_jobs=self.n_jobs)(
            delayed(self._task.score)(row) for row in chosen
        )
        costs = chosen @ self._prices - np.asarray(scores)
        return torch.as_tensor(costs, dtype=Z.dtype, device=Z.device)

    @property
    def initial_probabilities(self) -> np.ndarray | None:
        """Few features where there are few rows."""
        return few_features(self._task.n_rows, self.n_variables)


class _CrossValidation:
    """The scores of an estimator on fixed splits of some columns."""

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: np.ndarray | None,
        scorer: Any,
        splits: list[Any],
    ) -> None:
        self.estimator = estimator
        self.X = X
        self.y = y
        self.scorer = scorer
        self.splits = splits
        self.empty_score = 0.0

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.X.shape[0])

    def score(self, chosen: np.ndarray) -> float:
        """Mean score on the columns where `chosen` is true."""
        columns = chosen.nonzero()[0]
        if not len(columns):
            return self.empty_score
        frame = getattr(self.X, "iloc", self.X)
        return self._mean_score(self.estimator, frame[:, columns])

    def score_of(self, estimator: Any) -> float:
        """Mean score of an estimator that does not look at the features."""
        return self._mean_score(estimator, np.zeros((self.n_rows, 1)))

    def _mean_score(self, estimator: Any, X: Any) -> float:
        scores = cross_val_score(
            estimator,
            X,
            self.y,
            scoring=self.scorer,
            cv=self.splits,
            error_score="raise",
        )
        return float(np.mean(scores))


def _seeded(estimator: Any, random_state: Any) -> Any:
    """A clone whose parts without a seed have one."""
    estimator = clone(estimator)
    generator = check_random_state(random_state)
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if name.rpartition("__")[2] == "random_state" and value is None:
            estimator.set_params(**{name: int(generator.randint(_LARGEST_SEED))})
    return estimator


def _as_columns(X: Any) -> Any:
    """X in a form that `[:, columns]` works on, data frames by their iloc."""
    if hasattr(X, "iloc"):
        return X
    X = X.tocsr() if sparse.issparse(X) else np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must have 2 dimensions, got shape {X.shape}.")
    return X


def _as_prices(price: Any, d: int) -> np.ndarray:
    prices = np.asarray(price)
    if prices.dtype.kind not in "iuf":
        raise TypeError(f"price must be a number or an array of them, got {price!r}.")
    if prices.shape not in ((), (d,)):
        raise ValueError(
            f"price has shape {prices.shape}, but must be one number or one a feature "
            f"({d},)."
        )
    if not (np.isfinite(prices).all() and (prices >= 0).all()):
        raise ValueError(f"price must be finite and at least 0, got {price!r}.")
    return np.broadcast_to(prices.astype(np.float64), (d,))
