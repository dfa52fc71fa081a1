"""Rows of a task: which to test on, and in what order to train on the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_consistent_length

from ..utils import RandomStream, check_number


@dataclass(frozen=True, eq=False)
class NewTask:
    """A task to learn, from few rows or from all.

    Parameters
    ----------
    X, y : numpy.ndarray
        Inputs, and labels or values.
    X_test, y_test : numpy.ndarray or None
        What to test on; None puts rows of `X` and `y` aside.
    test_size : float or int
        The fraction or number of these rows.
    classifies : bool
        Whether `y` are labels.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray | None
    y_test: np.ndarray | None
    test_size: float | int
    classifies: bool

    @classmethod
    def of(
        cls, X: Any, y: Any, X_test: Any, y_test: Any, test_size: Any, classifies: bool
    ) -> NewTask:
        """Return the task of array-likes, or raise if they do not go together."""
        X, y = np.asarray(X), np.asarray(y)
        check_consistent_length(X, y)
        if (X_test is None) != (y_test is None):
            raise ValueError("X_test and y_test must be given together, or neither.")
        if X_test is not None:
            X_test, y_test = np.asarray(X_test), np.asarray(y_test)
            check_consistent_length(X_test, y_test)
        return cls(X, y, X_test, y_test, test_size, classifies)

    def split(self, stream: RandomStream) -> tuple[np.ndarray, np.ndarray | None]:
        """Return rows to train on, and rows put aside.

        Parameters
        ----------
        stream : RandomStream
            Where the choice is drawn.

        Returns
        -------
        train : numpy.ndarray of int
            In an order such that the first n hold the classes in equal shares.
        test : numpy.ndarray of int or None
            None where there is a test part.
        """
        rows, test = np.arange(len(self.y)), None
        if self.y_test is None:
            rows, test = train_test_split(
                rows,
                test_size=self.test_size,
                stratify=self.y if self.classifies else None,
                random_state=stream.child(0).key >> 32,
            )
        generator = np.random.default_rng(stream.child(1).key)
        rows = generator.permutation(rows)
        return (_in_turn(self.y, rows) if self.classifies else rows), test

    def check_sizes(self, sizes: Iterable[int] | None, most: int) -> list[int]:
        """Return numbers of rows, or raise if one cannot be had.

        Parameters
        ----------
        sizes : iterable of int or None
            What the user gave.
        most : int
            Number of rows to train on.

        Returns
        -------
        sizes : list of int
            Empty for None.
        """
        least = len(np.unique(self.y)) if self.classifies else 1
        sizes = [] if sizes is None else list(sizes)
        for size in sizes:
            check_number(size, "train_sizes", low=least, high=most, integer=True)
        return [int(size) for size in sizes]

    def test_rows(self, test: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return what to test on.

        Parameters
        ----------
        test : numpy.ndarray of int or None
            Second part of `split`.

        Returns
        -------
        X, y : numpy.ndarray
            Inputs and targets.
        """
        if test is not None:
            return self.X[test], self.y[test]
        assert self.X_test is not None and self.y_test is not None
        return self.X_test, self.y_test


def _in_turn(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows, with those of each class spread evenly from the start on."""
    when = np.empty(len(rows))
    for label in np.unique(y[rows]):
        own = np.flatnonzero(y[rows] == label)
        when[own] = np.arange(len(own)) / len(own)
    return rows[np.argsort(when, kind="stable")]
