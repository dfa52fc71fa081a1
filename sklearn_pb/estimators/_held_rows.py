"""Rows that training never sees, and how trained networks are judged on them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, validate_data

from ..constraints import split_count
from ..training import is_regression
from ..utils import RandomStream
from ._network_estimator import NetworkEstimator, Rows

# What a network estimator has learned from the data before any training.
_LEARNED = ("classes_", "n_features_in_", "_keeps_integers", "_target_ndim")


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows that are put aside, and the scorer that judges networks on them.

    Parameters
    ----------
    judge : NetworkEstimator
        Predicts with the net that it is given as `estimator_`.
    scorer : callable
        As of scikit-learn: maps an estimator, X and y to a score.
    X, y : numpy.ndarray
        The rows, with their labels or values.
    """

    judge: Any
    scorer: Callable[..., float]
    X: np.ndarray
    y: np.ndarray

    @classmethod
    def of(cls, estimator: Any, X: np.ndarray, y: np.ndarray) -> HeldRows:
        """Return the rows, with the scorer that an estimator asks for.

        Parameters
        ----------
        estimator : NetworkEstimator
            It has checked its data; has `scoring`.
        X, y : numpy.ndarray
            The rows, with their labels or values.

        Returns
        -------
        held : HeldRows
            It holds nothing that an earlier `fit` has found.

        Raises
        ------
        ValueError
            If `scoring` is unknown, or there is one row and R^2 to be computed.
        """
        scoring, regresses = estimator.scoring, is_regression(estimator.estimator)
        if regresses and scoring in (None, "r2") and len(y) < 2:
            raise ValueError(
                f"scoring={scoring!r} is R^2, which needs two rows or more to judge "
                f"on; there is {len(y)}."
            )
        judge = _without_fit(estimator)
        return cls(judge, check_scoring(judge, scoring), X, y)

    def __call__(self, net: Any) -> float:
        """Return the score of a trained net.

        Parameters
        ----------
        net : skorch.NeuralNet
            Trained.

        Returns
        -------
        score : float
            Higher is better.
        """
        judge = copy.copy(self.judge)
        judge.estimator_ = net
        return float(self.scorer(judge, self.X, self.y))


def _without_fit(estimator: Any) -> Any:
    """A copy of an estimator that predicts once it is given a net.

    It shares the parameters and knows no names of columns.
    """
    judge = copy.copy(estimator)
    names = (*estimator.get_params(deep=False), *_LEARNED)
    judge.__dict__ = {k: v for k, v in vars(estimator).items() if k in names}
    return judge.set_params(random_state=None)


def given_rows(
    estimator: NetworkEstimator, rows: Rows, X: Any, y: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to judge on that the user gave, checked and cast.

    Parameters
    ----------
    estimator : NetworkEstimator
        It has checked its data.
    rows : Rows
        That data.
    X, y : array-like
        What the user gave as `X_val` and `y_val`.

    Returns
    -------
    X, y : numpy.ndarray
        Inputs, and labels or values.

    Raises
    ------
    ValueError
        If one is missing, or they are not like the data.
    """
    if X is None or y is None:
        raise ValueError("X_val and y_val must be given together, or neither.")
    X = validate_data(estimator, X, reset=False, allow_nd=True, dtype="numeric")
    regresses = is_regression(estimator.estimator)
    dtype = "numeric" if regresses else None
    y = check_array(y, ensure_2d=False, allow_nd=True, dtype=dtype, input_name="y_val")
    check_consistent_length(X, y)
    if regresses and y.size * len(rows.y) != rows.y.size * len(y):
        raise ValueError(
            f"y_val has shape {y.shape}, which does not go with y of shape "
            f"{rows.y.shape}."
        )
    if not regresses:
        unknown = np.setdiff1d(y, estimator.classes_)
        if len(unknown):
            raise ValueError(f"y_val has labels that y has not: {unknown!r}.")
    return estimator._cast(X), y


def put_aside(
    estimator: Any, rows: Rows, stream: RandomStream
) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Return rows to train on, and rows to judge on.

    Parameters
    ----------
    estimator : NetworkEstimator
        It has checked its data; has `validation`.
    rows : Rows
        That data.
    stream : RandomStream
        Where the choice is drawn.

    Returns
    -------
    rows : Rows
        To train on.
    X, y : numpy.ndarray
        Inputs, and labels or values, to judge on.

    Raises
    ------
    ValueError
        If there are too few rows, or none with a weight is left to train on.
    """
    classifies = not is_regression(estimator.estimator)
    train, held = held_out(rows.y, estimator.validation, classifies, stream)
    weight, y_held = rows.sample_weight, rows.y[held]
    if weight is not None:
        weight = weight[train]
        if not weight.any():
            raise ValueError(
                "sample_weight is zero for every row that is left to train on; put "
                "fewer rows aside (validation), or give X_val and y_val."
            )
    kept = replace(rows, X=rows.X[train], y=rows.y[train], sample_weight=weight)
    return kept, rows.X[held], estimator.classes_[y_held] if classifies else y_held


def held_out(
    y: np.ndarray, validation: float | int, classifies: bool, stream: RandomStream
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows to train on and rows to put aside.

    Parameters
    ----------
    y : numpy.ndarray of shape (n, ...)
        Encoded labels, or values.
    validation : float or int
        The fraction or number of rows to put aside.
    classifies : bool
        Whether classes are put aside in equal shares; each keeps a row to train on.
    stream : RandomStream
        Where the choice is drawn.

    Returns
    -------
    train, held : numpy.ndarray of int
        In the order of the rows.

    Raises
    ------
    ValueError
        If there are too few rows.
    """
    n = len(y)
    n_held = validation if validation >= 1 else max(1, round(validation * n))
    labels = y if classifies else np.zeros(n, dtype=int)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    most = n - len(groups)
    if not 1 <= n_held <= most:
        raise ValueError(
            f"validation={validation!r} puts {n_held} of n_samples={n} rows aside; it "
            f"must be at least one row and leave one of each class to train on."
        )
    shares = split_count(int(n_held), [len(group) - 1 for group in groups])
    generator = np.random.default_rng(stream.key)
    held = np.concatenate(
        [
            generator.permutation(group)[:share]
            for group, share in zip(groups, shares, strict=True)
        ]
    )
    return np.setdiff1d(np.arange(n), held), np.sort(held)
