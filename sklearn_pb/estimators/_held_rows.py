"""Rows that training never sees, and how trained networks are judged on them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..constraints import split_count
from ..utils import RandomStream

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


def without_fit(estimator: Any) -> Any:
    """Return a copy of an estimator that predicts once it is given a net.

    Parameters
    ----------
    estimator : NetworkEstimator
        It has checked its data, and may have been fitted before.

    Returns
    -------
    judge : NetworkEstimator
        For `HeldRows`; it shares the parameters and knows no names of columns.
    """
    judge = copy.copy(estimator)
    names = (*estimator.get_params(deep=False), *_LEARNED)
    judge.__dict__ = {k: v for k, v in vars(estimator).items() if k in names}
    return judge.set_params(random_state=None)


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
