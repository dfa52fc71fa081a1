"""Data for the demo: loaded, checked, cut to size and split."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.multiclass import type_of_target

from ..datasets import Dataset, load_arrays
from ._errors import UsageError

_TEST_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class DemoData:
    """What the demo trains on and what it keeps for the end.

    Parameters
    ----------
    name : str
        What the data is called.
    X, y, X_test, y_test : numpy.ndarray
        Features and labels of both parts.
    scaler : transformer or "passthrough"
        First step of the pipeline.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    scaler: Any

    @property
    def n_features(self) -> int:
        """Values a row."""
        return int(np.prod(self.X.shape[1:]))

    @property
    def n_classes(self) -> int:
        """Different labels."""
        return len(np.unique(self.y))


def load_demo_data(options: Namespace) -> DemoData:
    """Load the data that the user asked for.

    Parameters
    ----------
    options : Namespace
        With data, data_home, max_rows, folds and seed.

    Returns
    -------
    data : DemoData
        Checked and split.

    Raises
    ------
    UsageError
        If there is no such data, or a classifier cannot be trained on it.
    """
    try:
        found = load_arrays(options.data, data_home=options.data_home, scale=True)
    except (OSError, ValueError) as error:
        raise UsageError(_as_option(str(error))) from error
    y = _labels(options.data, found.y)
    _check_features(options.data, found.X)
    _check_classes(options.data, y, options.folds + 1)
    X, y, X_test, y_test = _split(found, y, options)
    _check_classes(options.data, y, options.folds)
    X, X_test, scaler = _shape_and_scaler(X, X_test)
    return DemoData(found.name, X, y, X_test, y_test, scaler)


def _as_option(message: str) -> str:
    """Name parameters as the command line does."""
    return message.replace("source=", "--data ").replace("data_home", "--data-home")


def _labels(source: str, y: np.ndarray) -> np.ndarray:
    y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise UsageError(
            f"--data {source}: the demo compares accuracies and needs one class label "
            f"a row, but y is {kind}."
        )
    return y


def _check_features(source: str, X: np.ndarray) -> None:
    if X.dtype.kind not in "biuf" or X.ndim < 2:
        raise UsageError(
            f"--data {source}: X must hold numbers, one row a sample, but has type "
            f"{X.dtype} and shape {X.shape}."
        )
    if not np.isfinite(X).all():
        raise UsageError(f"--data {source}: X holds NaN or infinite values.")


def _check_classes(source: str, y: np.ndarray, least: int) -> None:
    labels, counts = np.unique(y, return_counts=True)
    if len(labels) < 2:
        raise UsageError(f"--data {source}: y has only one class, {labels[0]}.")
    if counts.min() < least:
        raise UsageError(
            f"--data {source}: too few rows to train on of class "
            f"{labels[counts.argmin()]}: {counts.min()}, where {least} are needed; use "
            "more --max-rows or fewer --folds."
        )


def _split(found: Dataset, y: np.ndarray, options: Namespace) -> tuple[Any, ...]:
    """Train and test part, the former of at most `max_rows` rows."""
    X, X_test, y_test = found.X, found.X_test, found.y_test
    draw = {"random_state": options.seed}
    try:
        if X_test is None:
            X, X_test, y, y_test = train_test_split(
                X, y, test_size=_TEST_SHARE, stratify=y, **draw
            )
        if len(y) > options.max_rows:
            X, _, y, _ = train_test_split(
                X, y, train_size=options.max_rows, stratify=y, **draw
            )
    except ValueError as error:  # fewer rows than classes
        raise UsageError(f"--data {options.data}: {error}") from error
    assert y_test is not None
    return X, y, X_test, y_test.ravel()


def _shape_and_scaler(X: np.ndarray, X_test: np.ndarray) -> tuple[Any, ...]:
    """Leave what lies between 0 and 1 alone; scale all else, column by column."""
    if X.min() >= 0 and X.max() <= 1:
        return X, X_test, "passthrough"
    X, X_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    pixels_or_counts = X.min() >= 0 and np.array_equal(X, np.round(X))
    return X, X_test, MinMaxScaler() if pixels_or_counts else StandardScaler()
