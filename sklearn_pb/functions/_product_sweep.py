"""Classes of variables without a common product, swept for all replicas at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from ._flips import Sweep
from ._product_plans import SweepPlan


class _Room(NamedTuple):
    """Where a class is computed."""

    groups: list[tuple[np.ndarray, np.ndarray, np.ndarray, list, np.ndarray]]
    counts: np.ndarray
    matrix: np.ndarray | sparse.csr_array
    ones: np.ndarray
    complements: np.ndarray
    handed: np.ndarray


class ProductSweep(Sweep):
    """The sweep of a sum of weighted products of literals.

    Parameters
    ----------
    plan : SweepPlan
        Of the sum.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.

    Notes
    -----
    The change by a flip of z_i is (1 - 2 z_i) times the sum of the weights of what is
    left of the products of z_i without it, with a minus where z_i is negated. It is
    computed afresh, in bytes as far as possible: the rows of the other literals are
    gathered, multiplied as bits, counted over products of equal weight, and the counts
    multiplied by the matrix of the weights. Changes are float32 where that is exact,
    else float64. `points` is put together when it is asked for: ask once a sweep.
    """

    def __init__(self, plan: SweepPlan, points: np.ndarray) -> None:
        self.classes = plan.products.classes
        self._plan = plan
        d, n_replicas = points.shape[::-1]
        # Rows of the variables in the order of the classes, then of their complements,
        # then one of ones and one of zeros, to fill up with.
        self._literals = np.ones((2 * d + 2, n_replicas), np.uint8)
        self._literals[-1] = 0
        self.costs = np.zeros(n_replicas)
        self._points: np.ndarray | None = None
        self._make_room(n_replicas)
        self.place(np.arange(n_replicas), points)

    def _make_room(self, n_replicas: int) -> None:
        """Views of each class into shared buffers, so that a sweep makes none."""
        d, dtype = len(self._plan.order), self._plan.products.dtype
        gathered = np.empty((self._plan.most_gathered, n_replicas), np.uint8)
        counts = np.empty((self._plan.most_counts, n_replicas), np.uint8)
        size = max(map(len, self.classes))
        handed: np.ndarray = np.empty((size, n_replicas), dtype)
        self._last = handed[:0]
        self._rooms, begin = [], 0
        for plan in self._plan.classes:
            end = begin + plan.matrix.shape[0]
            groups = []
            for rows, first, last in plan.groups:
                room = gathered[: rows.size]
                left, *others = room.reshape(*rows.shape, n_replicas)
                flat = rows.reshape(-1)
                groups.append((flat, room, left, others, counts[first:last]))
            self._rooms.append(
                _Room(
                    groups,
                    counts[: plan.matrix.shape[1]],
                    plan.matrix,
                    self._literals[begin:end],
                    self._literals[d + begin : d + end],
                    handed[: end - begin],
                )
            )
            begin = end

    @property
    def points(self) -> np.ndarray:  # type: ignore[override]
        """The replicas now, one a column; a new array after a flip."""
        if self._points is None:
            self._points = self._literals[self._plan.place]
        return self._points

    def deltas(self, k: int) -> np.ndarray:
        """Return the changes of cost of the flips of one class."""
        groups, counts, matrix, ones, complements, handed = self._rooms[k]
        for rows, room, left, others, sums in groups:
            self._literals.take(rows, axis=0, out=room, mode="clip")
            for other in others:
                np.bitwise_and(left, other, out=left)
            np.add.reduce(left, axis=0, dtype=np.uint8, out=sums)
        slopes = matrix @ counts.astype(matrix.dtype)
        signs = (complements - ones).view(np.int8).astype(matrix.dtype)
        np.multiply(slopes, signs, out=handed)
        slopes[...] = handed
        self._last = slopes
        return handed

    def flip(self, k: int, chosen: np.ndarray) -> None:
        """Flip variables of the class whose `deltas` were asked for last."""
        changes = np.multiply(self._last, chosen.astype(self._last.dtype))
        self.costs += np.add.reduce(changes, axis=0)
        room, bits = self._rooms[k], chosen.view(np.uint8)
        np.bitwise_xor(room.ones, bits, out=room.ones)
        np.bitwise_xor(room.complements, bits, out=room.complements)
        self._points = None

    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        d, values = len(self._plan.order), points.T[self._plan.order]
        self._literals[:d, columns] = values
        self._literals[d : 2 * d, columns] = 1 - values
        self.costs[columns] = self._plan.products.costs(points)
        self._points = None
