"""Subproblems of a quadratic function, many at a time, and how low they can get.

At depth k the first k variables of a fixed order are decided. What is left of a node
is ``value + fields . z + sum of w_ij z_i z_j`` over the others: the pairs are the same
in all nodes of a depth, so that everything costly is computed once a depth.
"""

from __future__ import annotations

import numpy as np

from ._terms import Terms

_LEAF_BITS = 10  # so many variables left are enumerated
_MOST_ON_A_SPHERE = 300  # eigenvectors of more would take too long
_SHIFTS = np.concatenate([[0.0], 2.0 ** np.arange(-8, 8)])
_SWEEPS = 60  # of the mixing method


class QuadraticTree:
    """The nodes of a branch and bound search.

    Parameters
    ----------
    terms : Terms
        Of degree 2 at most.

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
        self._root = np.full(1, terms.constant), terms.linear[self.order][None]
        self._pairs = terms.pairs[np.ix_(self.order, self.order)]
        self._u = np.zeros(0)
        self._spheres: dict[int, _Sphere] = {}
        if d <= _MOST_ON_A_SPHERE:
            self._u = _diagonal(self._pairs / 8, _middle(self._pairs, self._root[1][0]))
        ends = self._pairs[self.depth :, self.depth :]
        self._ends = all_points(d - self.depth)
        self._ends_cost = ((self._ends @ ends) * self._ends).sum(axis=1) / 2

    def root(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (1,) and fields (1, d) of the node at depth 0."""
        return self._root

    def children(
        self, k: int, values: np.ndarray, fields: np.ndarray, bits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decide the next variable.

        Parameters
        ----------
        k : int
            The depth.
        values : numpy.ndarray of shape (m,)
            Of the nodes.
        fields : numpy.ndarray of shape (m, d - k)
            Of the nodes.
        bits : numpy.ndarray of bool, shape (m,)
            The value of the next variable in each.

        Returns
        -------
        values, fields : numpy.ndarray
            Of the nodes at depth k + 1.
        """
        row = self._pairs[k, k + 1 :]
        return values + bits * fields[:, 0], fields[:, 1:] + bits[:, None] * row

    def slopes(self, k: int, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the largest change of cost by the next variable."""
        row = self._pairs[k, k + 1 :]
        least, most = np.minimum(row, 0).sum(), np.maximum(row, 0).sum()
        return fields[:, 0] + least, fields[:, 0] + most

    def bounds(self, k: int, values: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Return a lower bound (m,) of the costs within each node."""
        negative = np.minimum(self._pairs[k:, k:], 0).sum(axis=1) / 2
        linear = values + np.minimum(fields + negative, 0).sum(axis=1)
        if not len(self._u):
            return linear
        if k not in self._spheres:
            self._spheres[k] = _Sphere(self._pairs[k:, k:], self._u[k:])
        return np.maximum(linear, values + self._spheres[k].bounds(fields))

    def leaves(self, values: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Return the costs (m, n) of all points in nodes at the last depth."""
        return values[:, None] + (fields @ self._ends.T + self._ends_cost)

    def ends(self, numbers: np.ndarray) -> np.ndarray:
        """Return the last bits (m, d - depth) of the points of these numbers."""
        return self._ends[numbers].astype(np.uint8)


class _Sphere:
    """A bound over all s of length sqrt(n), among them those of {-1, 1}^n.

    With z = (1 + s) / 2 the cost is ``c + h.s + s'As``. Adding ``u_i s_i^2 - u_i``
    changes nothing, and makes A + diag(u) positive semidefinite for the right u. Then,
    in its eigenvectors, ``-n t - sum p_i^2 / (4 (lambda_i + t))`` is a bound for every
    t > -min lambda_i: several are tried, by two matrix products for all nodes.
    """

    def __init__(self, pairs: np.ndarray, u: np.ndarray) -> None:
        n = len(pairs)
        levels, self._vectors = np.linalg.eigh(pairs / 8 + np.diag(u))
        scale = float(np.abs(levels).max()) / 8 or 1.0
        shifts = scale * (_SHIFTS + 1e-6) - levels[0]
        self._weights = 0.25 / (levels[:, None] + shifts)
        self._base = pairs.sum() / 8 - u.sum() - n * shifts
        self._pairs = pairs

    def bounds(self, fields: np.ndarray) -> np.ndarray:
        """Return the bounds (m,) for fields (m, n)."""
        p = _middle(self._pairs, fields) @ self._vectors
        best = (self._base - (p * p) @ self._weights).max(axis=1)
        return best + fields.sum(axis=1) / 2


def _middle(pairs: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """The h of a cost written in s, from its fields."""
    return fields / 2 + pairs.sum(axis=1) / 4


def _diagonal(A: np.ndarray, h: np.ndarray) -> np.ndarray:
    """The u of nearly least sum for which s'As + h.s + u.s^2 is convex.

    It is the dual of ``min sum A_ij v_i.v_j + h_i v_0.v_i`` over unit vectors: there
    ``sum_j A_ij v_j + h_i v_0 / 2 = -u_i v_i``. Each vector in turn is set to its best
    (Wang, Chang and Kolter 2017, the mixing method).
    """
    n = len(A)
    vectors = np.random.default_rng(0).normal(size=(n, int(np.sqrt(2 * n)) + 2))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    field = np.zeros_like(vectors)
    field[:, 0] = h / 2
    for _ in range(_SWEEPS):
        for i in range(n):
            pull = A[i] @ vectors + field[i]
            length = np.sqrt(pull @ pull)
            if length > 0:
                vectors[i] = -pull / length
    return np.linalg.norm(A @ vectors + field, axis=1)


def _order(terms: Terms) -> np.ndarray:
    """Variables by how much they are tied to those after them, the most first."""
    ties = np.abs(terms.pairs)
    strength = ties.sum(axis=1)
    order = []
    for _ in range(terms.n_variables):
        i = int(strength.argmax())
        order.append(i)
        strength -= ties[i]
        strength[i] = -np.inf
    return np.array(order)


def all_points(n: int) -> np.ndarray:
    """Return all points (2^n, n) as floats, the first variable changing fastest.

    Parameters
    ----------
    n : int
        How many variables.

    Returns
    -------
    points : numpy.ndarray of float64
        Zeros and ones.
    """
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.float64)
