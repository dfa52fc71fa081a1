"""Subproblems of a polynomial, many at a time, and how low they can get.

The same face as `QuadraticTree`. What is left of a node at depth k is a polynomial in
the other variables: a row of weights, one for each monomial that can occur there.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from ._quadratic_tree import all_points
from ._terms import Terms

_LEAF_BITS = 8  # so many variables left are enumerated

Monomial = tuple[int, ...]


class PolynomialTree:
    """The nodes of a branch and bound search.

    Parameters
    ----------
    terms : Terms
        Of any degree.

    Attributes
    ----------
    order : numpy.ndarray of int, shape (d,)
        The variables in the order in which they are decided.
    depth : int
        The depth of the leaves, whose other variables are enumerated.
    """

    def __init__(self, terms: Terms) -> None:
        d = terms.n_variables
        self.order = _order(terms)
        self.depth = max(0, d - _LEAF_BITS)
        places = np.argsort(self.order)
        weights: dict[Monomial, float] = {}
        for variables, values in terms.groups.values():
            rows = np.sort(places[variables], axis=1).tolist()
            weights.update(zip(map(tuple, rows), values.tolist(), strict=True))
        self._levels = [_Level(0, d, list(weights))]
        for k in range(self.depth):
            above = self._levels[k]
            self._levels.append(_Level(k + 1, d, above.left()))
            above.link(self._levels[k + 1])
        row = [weights.get(m, 0.0) for m in self._levels[0].monomials]
        self._root = np.full(1, terms.constant), np.array([row])

    def root(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (1,) and weights (1, monomials) of the node at depth 0."""
        return self._root

    def children(
        self, k: int, values: np.ndarray, weights: np.ndarray, bits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decide the next variable.

        Parameters
        ----------
        k : int
            The depth.
        values : numpy.ndarray of shape (m,)
            Of the nodes.
        weights : numpy.ndarray of shape (m, monomials)
            Of the nodes.
        bits : numpy.ndarray of bool, shape (m,)
            The value of the next variable in each.

        Returns
        -------
        values, weights : numpy.ndarray
            Of the nodes at depth k + 1.
        """
        here, n_below = self._levels[k], len(self._levels[k + 1].monomials)
        left = np.zeros((len(values), n_below))
        left[:, here.same] = weights[:, here.without]
        on = np.flatnonzero(bits)[:, None]
        left[on, here.shorter] += weights[on, here.within]
        return values + bits * weights[:, 0], left

    def slopes(self, k: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest change of cost by the next variable."""
        here = self._levels[k]
        others = weights[:, here.within]
        least = np.minimum(others, 0).sum(axis=1)
        most = np.maximum(others, 0).sum(axis=1)
        return weights[:, 0] + least, weights[:, 0] + most

    def bounds(self, k: int, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return a lower bound (m,) of the costs within each node.

        A monomial of negative weight is at most the mean of its variables, one of
        positive weight at least 0.
        """
        here = self._levels[k]
        n = here.n_free
        shared = np.minimum(weights[:, n:], 0) @ here.shares
        return values + np.minimum(weights[:, :n] + shared, 0).sum(axis=1)

    def leaves(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the costs (m, n) of all points in nodes at the last depth."""
        return values[:, None] + weights @ self._ends_within

    def ends(self, numbers: np.ndarray) -> np.ndarray:
        """Return the last bits (m, d - depth) of the points of these numbers."""
        return self._ends[numbers].astype(np.uint8)

    @cached_property
    def _ends(self) -> np.ndarray:
        return all_points(len(self.order) - self.depth)

    @cached_property
    def _ends_within(self) -> np.ndarray:
        """Which monomials (rows) are 1 at which points (columns)."""
        monomials = self._levels[-1].monomials
        rows = [self._ends[:, np.array(m) - self.depth].all(axis=1) for m in monomials]
        return np.array(rows, np.float64)


class _Level:
    """The monomials that can occur at one depth: the single variables come first."""

    def __init__(self, k: int, d: int, monomials: list[Monomial]) -> None:
        self.n_free = d - k
        longer = sorted(m for m in monomials if len(m) > 1)
        self.monomials: list[Monomial] = [*((i,) for i in range(k, d)), *longer]
        first = np.array([m[0] == k for m in self.monomials])
        self.without = np.flatnonzero(~first)
        self.within = np.flatnonzero(first)[1:]  # but not the variable itself
        rows = [i for i, m in enumerate(longer) for _ in m]
        columns = [v - k for m in longer for v in m]
        parts = [1 / len(m) for m in longer for _ in m]
        shape = (len(longer), self.n_free)
        self.shares = sparse.csr_array((parts, (rows, columns)), shape)

    def left(self) -> list[Monomial]:
        """What can occur one depth further down."""
        return list({*self._kept(), *self._shortened()})

    def link(self, below: _Level) -> None:
        """Find out where the monomials stand one depth further down."""
        place = {m: i for i, m in enumerate(below.monomials)}
        self.same = np.array([place[m] for m in self._kept()], np.int64)
        self.shorter = np.array([place[m] for m in self._shortened()], np.int64)

    def _kept(self) -> list[Monomial]:
        return [self.monomials[i] for i in self.without]

    def _shortened(self) -> list[Monomial]:
        return [self.monomials[i][1:] for i in self.within]


def _order(terms: Terms) -> np.ndarray:
    """Variables by the weights of the terms that they are in, the largest first."""
    strength = np.zeros(terms.n_variables)
    for degree, (variables, weights) in terms.groups.items():
        if degree > 1:
            for column in variables.T:
                np.add.at(strength, column, np.abs(weights))
    return np.argsort(-strength, kind="stable")
