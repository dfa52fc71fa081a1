"""Changes of cost by flips of a quadratic function.

With A = 2Q the change by a flip of z_i is (1 - 2 z_i) ((Az)_i + linear_i). A sweep
multiplies the rows of a class of A afresh, a neighbourhood keeps all changes and adds
the rows of A that belong to what was flipped.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from ._flips import Neighbourhood, Sweep
from ._quadratic_terms import QuadraticTerms


class QuadraticSweep(Sweep):
    """Classes of variables of a quadratic function.

    Parameters
    ----------
    terms : QuadraticTerms
        The function.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.

    Notes
    -----
    The changes of a class are one product of a matrix with the points, which for
    replicas side by side takes less time than looking after fields that change with
    every accepted flip: it streams through memory, where those would be scattered to.
    They are 16-bit integers where all coefficients are integers, no change exceeds 16
    bits, and Q is sparse; float32 where every sum is exact in it; else float64.
    `points` is assembled when it is asked for: ask once a sweep.
    """

    def __init__(self, terms: QuadraticTerms, points: np.ndarray) -> None:
        self.classes = terms.classes
        self.costs = terms.costs(points)
        self._terms = terms
        self._order = np.concatenate(self.classes)
        self._inverse = np.argsort(self._order)
        # Everything below has its rows in the order of the classes.
        dtype = terms.dtype
        self._z = np.ascontiguousarray(points.T[self._order], dtype)
        self._signs = 1 - 2 * self._z
        self._points: np.ndarray | None = np.ascontiguousarray(points.T)
        self._sum_dtype = np.int64 if dtype.kind == "i" else np.float64
        self._views = self._views_of_classes()
        self._last = np.empty((0, len(points)), dtype)

    def _views_of_classes(self) -> list[tuple[Any, ...]]:
        """For each class its matrix, linear term, values, signs, and room to work."""
        dtype, replicas = self._terms.dtype, self._z.shape[1]
        linear = self._terms.linear[self._order, None].astype(dtype)
        room = np.empty((max(map(len, self.classes)), replicas), dtype)
        views, begin = [], 0
        for matrix in self._terms.slices:
            end = begin + matrix.shape[0]
            block = slice(begin, end)
            views.append(
                (
                    matrix,
                    linear[block] if linear[block].any() else None,
                    self._z[block],
                    self._signs[block],
                    room[: end - begin],
                )
            )
            begin = end
        return views

    @property
    def points(self) -> np.ndarray:  # type: ignore[override]
        """The replicas now, one a column; a new array after a flip."""
        if self._points is None:
            self._points = self._z.astype(np.uint8)[self._inverse]
        return self._points

    def deltas(self, k: int) -> np.ndarray:
        """Return the changes of cost of the flips of one class."""
        matrix, linear, _, signs, room = self._views[k]
        deltas = matrix @ self._z
        if linear is not None:
            deltas += linear
        deltas *= signs
        room[...] = deltas
        self._last = deltas
        return room

    def flip(self, k: int, chosen: np.ndarray) -> None:
        """Flip variables of the class whose `deltas` were asked for last."""
        _, _, z, signs, _ = self._views[k]
        np.multiply(self._last, chosen, out=self._last)
        self.costs += np.add.reduce(self._last, axis=0, dtype=self._sum_dtype)
        np.not_equal(z, chosen, out=z)
        np.multiply(z, -2, out=signs)
        signs += 1
        self._points = None

    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        self._z[:, columns] = points.T[self._order]
        self._signs[:, columns] = 1 - 2 * self._z[:, columns]
        self.costs[columns] = self._terms.costs(points)
        self._points = None


class QuadraticNeighbourhood(Neighbourhood):
    """All changes of a quadratic function; a flip adds a row of A to a replica's.

    Parameters
    ----------
    terms : QuadraticTerms
        The function.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.

    Notes
    -----
    Changes are float32 where every sum is exact in it, else float64. Subclasses say
    how a row of A is added.
    """

    def __init__(self, terms: QuadraticTerms, points: np.ndarray) -> None:
        super().__init__(points)
        self._terms = terms
        dtype = terms.float_dtype
        self.costs = np.zeros(len(points))
        self._deltas = np.zeros(points.shape, dtype)
        self._signs = np.zeros(points.shape, dtype)
        self._all = np.arange(len(points))
        self.place(self._all, points)

    @property
    def deltas(self) -> np.ndarray:
        """The changes of cost."""
        return self._deltas

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        """The costs and the changes."""
        return self.costs, self._deltas

    def flip(self, rows: np.ndarray, variables: np.ndarray) -> None:
        """Flip one variable in some of the replicas."""
        signs = self._signs[rows, variables]
        changes = self._deltas[rows, variables]
        self.costs[rows] += changes
        self._add(rows, variables, signs)
        self._deltas[rows, variables] = -changes
        self._signs[rows, variables] = -signs
        self.points[rows, variables] ^= 1

    @abstractmethod
    def _add(self, rows: np.ndarray, variables: np.ndarray, signs: np.ndarray) -> None:
        """Add to the changes of others what flips of variables with signs do."""

    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        self.points[rows] = points
        signs = 1.0 - 2.0 * points
        self._signs[rows] = signs
        self._deltas[rows] = signs * self._terms.fields(points)
        self.costs[rows] = self._terms.costs(points)


class DenseRowsNeighbourhood(QuadraticNeighbourhood):
    """Rows of A are added whole.

    Parameters
    ----------
    terms : QuadraticTerms
        The function.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.
    """

    def __init__(self, terms: QuadraticTerms, points: np.ndarray) -> None:
        super().__init__(terms, points)
        self._room = np.empty_like(self._deltas)

    def _add(self, rows: np.ndarray, variables: np.ndarray, signs: np.ndarray) -> None:
        added = self._room[: len(rows)]
        self._terms.rows.take(variables, axis=0, out=added, mode="clip")
        added *= signs[:, None]
        if len(rows) == len(self._all) and (rows == self._all).all():
            added *= self._signs
            self._deltas += added
        else:
            added *= self._signs[rows]
            self._deltas[rows] += added


class SparseRowsNeighbourhood(QuadraticNeighbourhood):
    """Only the neighbours in A are touched.

    Parameters
    ----------
    terms : QuadraticTerms
        The function.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.
    """

    def __init__(self, terms: QuadraticTerms, points: np.ndarray) -> None:
        super().__init__(terms, points)
        self._weights = terms.twice.data.astype(terms.float_dtype)
        self._starts = terms.twice.indptr[:-1].astype(np.int64)
        self._degrees = np.diff(terms.twice.indptr).astype(np.int64)

    def _add(self, rows: np.ndarray, variables: np.ndarray, signs: np.ndarray) -> None:
        degrees = self._degrees[variables]
        before = np.cumsum(degrees) - degrees
        entries = np.arange(degrees.sum())
        entries += np.repeat(self._starts[variables] - before, degrees)
        d = self._deltas.shape[1]
        places = np.repeat(rows * d, degrees) + self._terms.twice.indices[entries]
        added = self._weights[entries] * np.repeat(signs, degrees)
        added *= self._signs.reshape(-1)[places]
        # A replica flips one variable at a time, so no place occurs twice.
        self._deltas.reshape(-1)[places] += added


def quadratic_neighbourhood(
    terms: QuadraticTerms, points: np.ndarray
) -> QuadraticNeighbourhood:
    """Return the neighbourhood that suits the density of the function.

    Parameters
    ----------
    terms : QuadraticTerms
        The function.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.

    Returns
    -------
    neighbourhood : QuadraticNeighbourhood
        At these points.
    """
    if terms.has_rows:
        return DenseRowsNeighbourhood(terms, points)
    return SparseRowsNeighbourhood(terms, points)
