"""The terms of a multilinear polynomial as arrays: what exact solvers work on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..functions import PseudoBooleanFunction, QuadraticFunction


@dataclass(frozen=True)
class Terms:
    """J(z) = constant + sum over degrees k and rows m of weights[m] prod z[rows[m]].

    Parameters
    ----------
    n_variables : int
        The number d of variables.
    constant : float
        The cost of the point 0.
    groups : dict of int to tuple
        For each degree, in rising order, the variables, ascending in each row, an
        array of int of shape (m, degree), and the weights (m,), none of them 0.
    """

    n_variables: int
    constant: float
    groups: dict[int, tuple[np.ndarray, np.ndarray]]

    @property
    def degree(self) -> int:
        """The largest number of variables in a term."""
        return max(self.groups, default=0)

    @property
    def weights(self) -> np.ndarray:
        """The weights of all terms but the constant, by rising degree."""
        return np.concatenate([np.zeros(0), *(w for _, w in self.groups.values())])

    @property
    def magnitude(self) -> float:
        """The sum of the absolute weights: no cost is farther from the constant."""
        return math.fsum(np.abs(self.weights))

    @property
    def linear(self) -> np.ndarray:
        """The costs of single variables (d,)."""
        dense = np.zeros(self.n_variables)
        variables, weights = self.group(1)
        dense[variables[:, 0]] = weights
        return dense

    @property
    def pairs(self) -> np.ndarray:
        """The dense symmetric matrix (d, d) of the weights of the pairs."""
        dense = np.zeros((self.n_variables, self.n_variables))
        (i, j), weights = self.group(2)[0].T, self.group(2)[1]
        dense[i, j] = dense[j, i] = weights
        return dense

    def group(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        """Return variables (m, degree) and weights (m,) of one degree.

        Parameters
        ----------
        degree : int
            Variables in a term.

        Returns
        -------
        variables, weights : numpy.ndarray
            Empty where there is no such term.
        """
        nothing = np.zeros((0, degree), np.int64), np.zeros(0)
        return self.groups.get(degree, nothing)

    def step(self) -> float:
        """Return a number that every difference of two costs is a multiple of.

        Returns
        -------
        step : float
            Or 0; see `common_step`.
        """
        return common_step(self.weights)


def common_step(weights: np.ndarray) -> float:
    """Return the greatest common divisor of weights that are nearly integers.

    Parameters
    ----------
    weights : numpy.ndarray of float64
        Any.

    Returns
    -------
    step : float
        0 unless multiplication by 1024 makes integers of all of them.
    """
    scaled = weights * 2.0**10
    if not len(scaled) or np.abs(weights).sum() > 2.0**40 or (scaled % 1).any():
        return 0.0
    return float(np.gcd.reduce(scaled.astype(np.int64))) / 2.0**10


def terms_of(function: PseudoBooleanFunction) -> Terms | None:
    """Return the terms of a function that knows them.

    Parameters
    ----------
    function : PseudoBooleanFunction
        One with ``to_quadratic()`` or ``to_polynomial()``.

    Returns
    -------
    terms : Terms or None
        None where the function has neither, or where they refuse with a ValueError.
    """
    quadratic = as_quadratic(function)
    if quadratic is not None:
        return _quadratic_terms(quadratic)
    polynomial = _expanded(function, "to_polynomial")
    if polynomial is None:
        return None
    groups = polynomial.by_degree()
    (constant,) = groups.pop(0, ((), np.zeros(1)))[1]
    return Terms(polynomial.n_variables, float(constant), _without_zeros(groups))


def as_quadratic(function: PseudoBooleanFunction) -> QuadraticFunction | None:
    """Return an equal quadratic function of the same variables, if there is one.

    Parameters
    ----------
    function : PseudoBooleanFunction
        Any.

    Returns
    -------
    quadratic : QuadraticFunction or None
        What its ``to_quadratic()`` gives; None where it has none, where that refuses
        with a ValueError, or where it needs more variables.
    """
    return _expanded(function, "to_quadratic")


def _expanded(function: PseudoBooleanFunction, method: str) -> Any:
    expand = getattr(function, method, None)
    if expand is None:
        return None
    try:
        expanded = expand()
    except ValueError:  # the degree is too high, or the terms are too many
        return None
    return expanded if expanded.n_variables == function.n_variables else None


def _quadratic_terms(function: QuadraticFunction) -> Terms:
    Q = function.Q
    if Q.layout == torch.strided:
        i, j = np.triu_indices(function.n_variables, 1)
        entries = Q.numpy()[i, j]
    else:
        counts = np.diff(Q.crow_indices().numpy())
        i = np.repeat(np.arange(function.n_variables), counts)
        upper = i < Q.col_indices().numpy()
        i, j = i[upper], Q.col_indices().numpy()[upper]
        entries = Q.values().numpy()[upper]
    linear = function.linear.numpy().astype(np.float64)
    found = {
        1: (np.arange(function.n_variables)[:, None], linear),
        2: (np.stack([i, j], axis=1), 2.0 * entries.astype(np.float64)),
    }
    return Terms(function.n_variables, function.constant, _without_zeros(found))


def _without_zeros(groups: dict[int, tuple]) -> dict[int, tuple]:
    kept = {}
    for degree, (variables, weights) in sorted(groups.items()):
        some = weights != 0
        if some.any():
            rows = variables if some.all() else variables[some]
            kept[degree] = rows.astype(np.int64, copy=False), weights[some]
    return kept
