"""A quadratic function as the arrays that its flips work with."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ._colouring import colour_classes

# Rows of A are added whole where A is small, or so dense that a pass over a row takes
# no longer than scattering to some of its places.
_SMALL_MATRIX = 2**20
_CELLS_AN_ENTRY = 16
# From this density on, the rows of a class are multiplied as a dense matrix.
_DENSE_CLASSES = 0.4
# Of the units tried for coefficients that are no integers.
_FINEST_UNIT = 2.0**-12


class QuadraticTerms:
    """What flips need to know of a quadratic function, as arrays.

    Parameters
    ----------
    twice : scipy.sparse.csr_array of float64, shape (d, d)
        A = 2Q, symmetric with an empty diagonal.
    linear : numpy.ndarray of float64, shape (d,)
        The costs of single variables.
    constant : float
        The cost of the point 0.
    """

    def __init__(
        self, twice: sparse.csr_array, linear: np.ndarray, constant: float
    ) -> None:
        self.twice = twice
        self.linear = linear
        self.constant = constant
        d = len(linear)
        self._sparse = twice.nnz < _DENSE_CLASSES * d * (d - 1)
        self._reach = float((abs(twice).sum(1) + np.abs(linear)).max())

    @property
    def has_rows(self) -> bool:
        """Whether a neighbourhood adds dense rows."""
        cells = len(self.linear) ** 2
        return cells <= _SMALL_MATRIX + _CELLS_AN_ENTRY * self.twice.nnz

    @cached_property
    def unit(self) -> float:
        """A power of two that all coefficients are multiples of; 0 if none is found."""
        coefficients = np.concatenate([self.twice.data, self.linear])
        few = coefficients[:: 1 + len(coefficients) // 4096]
        unit = 1.0
        while unit >= _FINEST_UNIT:
            if not (few % unit).any() and not (coefficients % unit).any():
                return unit
            unit /= 2
        return 0.0

    @cached_property
    def float_dtype(self) -> np.dtype[Any]:
        """The floating point dtype of changes: single where that is exact."""
        exact = self.unit > 0 and self._reach < 2**24 * self.unit
        return np.dtype(np.float32 if exact else np.float64)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of sweeps: 16-bit integers where they suffice for a sparse A."""
        short = self.unit == 1.0 and self._reach <= np.iinfo(np.int16).max
        return np.dtype(np.int16) if short and self._sparse else self.float_dtype

    @cached_property
    def rows(self) -> np.ndarray:
        """A as a dense array."""
        return self.twice.toarray().astype(self.float_dtype)

    @cached_property
    def classes(self) -> list[np.ndarray]:
        """Sets of variables without a common term."""
        return colour_classes(self.twice.indptr, self.twice.indices)

    @cached_property
    def slices(self) -> list[Any]:
        """The rows of A of each class, its columns in the order of the classes."""
        order = np.concatenate(self.classes)
        matrix: Any = sparse.csr_array(self.twice[order][:, order], dtype=self.dtype)
        if not self._sparse:
            matrix = matrix.toarray()
        ends = np.cumsum([len(members) for members in self.classes])
        return [
            matrix[end - len(members) : end]
            for members, end in zip(self.classes, ends, strict=True)
        ]

    def fields(self, points: np.ndarray) -> np.ndarray:
        """Return (Az)_i + linear_i at points (n, d), in float64, shape (n, d).

        Parameters
        ----------
        points : numpy.ndarray of shape (n, d)
            Zeros and ones.

        Returns
        -------
        fields : numpy.ndarray of float64, shape (n, d)
            The change of cost by setting a variable that is 0.
        """
        return (self.twice @ points.T.astype(np.float64)).T + self.linear

    def costs(self, points: np.ndarray) -> np.ndarray:
        """Return the costs of points (n, d) in float64.

        Parameters
        ----------
        points : numpy.ndarray of shape (n, d)
            Zeros and ones.

        Returns
        -------
        costs : numpy.ndarray of float64, shape (n,)
            One a row.
        """
        halves = (self.fields(points) + self.linear) / 2
        return np.einsum("nd,nd->n", halves, points) + self.constant
