"""Weighted products of literals: what polynomials and clauses have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from ._colouring import colour_classes


class LiteralProducts:
    """J(z) = constant + sum_t weight_t prod_l literal_tl.

    A literal is a variable z_i or its complement 1 - z_i. A product holds each
    variable once and is not empty.

    Parameters
    ----------
    n_variables : int
        The number d of variables.
    variables : numpy.ndarray of int, shape (L,)
        The variable of each literal, product after product.
    negated : numpy.ndarray of bool, shape (L,)
        Whether a literal is a complement.
    indptr : numpy.ndarray of int, shape (T + 1,)
        Where the literals of each product begin.
    weights : numpy.ndarray of float64, shape (T,)
        The weights of the products.
    constant : float, default=0.0
        What is added to the sum.
    """

    def __init__(
        self,
        n_variables: int,
        variables: np.ndarray,
        negated: np.ndarray,
        indptr: np.ndarray,
        weights: np.ndarray,
        constant: float = 0.0,
    ) -> None:
        self.n_variables = n_variables
        self.variables = variables
        self.negated = negated
        self.indptr = indptr
        self.weights = weights
        self.constant = constant

    @classmethod
    def from_lists(
        cls,
        n_variables: int,
        products: Iterable[Sequence[int]],
        weights: Sequence[float],
        constant: float = 0.0,
    ) -> LiteralProducts:
        """Build from lists of literals.

        Parameters
        ----------
        n_variables : int
            The number d of variables.
        products : iterable of sequences of int
            Variable i is written i, its complement ``~i``.
        weights : sequence of float
            One weight a product.
        constant : float, default=0.0
            What is added to the sum.

        Returns
        -------
        products : LiteralProducts
            As arrays.
        """
        lists = list(products)
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        literals = np.fromiter((l for p in lists for l in p), np.int64, indptr[-1])  # noqa: E741
        negated = literals < 0
        return cls(
            n_variables,
            np.where(negated, ~literals, literals),
            negated,
            indptr,
            np.asarray(weights, np.float64).reshape(-1),
            float(constant),
        )

    @property
    def lengths(self) -> np.ndarray:
        """The number of literals of each product."""
        return np.diff(self.indptr)

    @cached_property
    def product_of_literal(self) -> np.ndarray:
        """The product that each literal stands in."""
        return np.repeat(np.arange(len(self.weights)), self.lengths)

    @cached_property
    def occurrences(self) -> tuple[np.ndarray, np.ndarray]:
        """The literals sorted by their variable, and where those of each begin."""
        order = np.argsort(self.variables, kind="stable")
        counts = np.bincount(self.variables, minlength=self.n_variables)
        return order, np.concatenate([[0], np.cumsum(counts)])

    @cached_property
    def classes(self) -> list[np.ndarray]:
        """Classes of variables, no two of which share a product."""
        shape = (len(self.weights), self.n_variables)
        ones = np.ones(len(self.variables), np.float32)
        incidence = sparse.csr_array((ones, self.variables, self.indptr), shape)
        graph = sparse.csr_array(incidence.T @ incidence)
        return colour_classes(graph.indptr, graph.indices)

    @cached_property
    def dtype(self) -> type:
        """The narrowest of float32 and float64 in which changes of cost are exact."""
        whole = (self.weights == np.rint(self.weights)).all()
        exact = whole and np.abs(self.weights).sum() < 2**24
        return np.float32 if exact else np.float64

    def by_length(self) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Yield the products of each length, and their literals as an array.

        Yields
        ------
        numbers : numpy.ndarray of int, shape (m,)
            The products of one length k.
        literals : numpy.ndarray of int, shape (k, m)
            The places of their literals among all.
        """
        lengths = self.lengths
        for k in np.unique(lengths):
            numbers = np.flatnonzero(lengths == k)
            yield numbers, self.indptr[numbers] + np.arange(k)[:, None]

    def falsehoods(self, points: np.ndarray) -> np.ndarray:
        """Return which literals are zero.

        Parameters
        ----------
        points : numpy.ndarray of uint8, shape (R, d)
            Points of {0, 1}^d.

        Returns
        -------
        false : numpy.ndarray of bool, shape (R, L)
            One row a point.
        """
        return points[:, self.variables] == self.negated

    def false_counts(self, points: np.ndarray) -> np.ndarray:
        """Return how many literals of each product are zero.

        Parameters
        ----------
        points : numpy.ndarray of uint8, shape (R, d)
            Points of {0, 1}^d.

        Returns
        -------
        counts : numpy.ndarray of int32, shape (R, T)
            A product is one where its count is zero.
        """
        if not len(self.weights):
            return np.zeros((len(points), 0), np.int32)
        false = self.falsehoods(points)
        return np.add.reduceat(false, self.indptr[:-1], axis=1, dtype=np.int32)

    def costs(self, points: np.ndarray) -> np.ndarray:
        """Return J at binary points.

        Parameters
        ----------
        points : numpy.ndarray of uint8, shape (R, d)
            Points of {0, 1}^d.

        Returns
        -------
        costs : numpy.ndarray of float64, shape (R,)
            One cost a point.
        """
        return (self.false_counts(points) == 0) @ self.weights + self.constant


def ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the numbers from each start on, as many as its size, one after another.

    Parameters
    ----------
    starts, sizes : numpy.ndarray of int, shape (m,)
        The first number and how many.

    Returns
    -------
    numbers : numpy.ndarray of int
        As many as the sum of the sizes.
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - ends + sizes, sizes)
