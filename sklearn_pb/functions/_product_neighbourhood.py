"""All changes of cost by flips of a sum of products, kept up to date."""

from __future__ import annotations

import numpy as np

from ._flips import Neighbourhood
from ._literal_products import LiteralProducts, ranges

# Literals of all replicas placed at once.
_CHUNK_CELLS = 2**22


class ProductNeighbourhood(Neighbourhood):
    """The neighbourhood of a sum of weighted products of literals.

    Parameters
    ----------
    products : LiteralProducts
        The sum.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.

    Notes
    -----
    With c the number of literals of a product that are zero, the product changes by a
    flip of one of its literals only if c = 0 (from one to zero) or if c = 1 and it is
    that literal which is zero. A flip costs the literals of the products it is in.
    """

    def __init__(self, products: LiteralProducts, points: np.ndarray) -> None:
        super().__init__(points)
        self._products = products
        self._counts = np.zeros((len(points), len(products.weights)), np.int32)
        self._deltas = np.zeros(points.shape)
        self.costs = np.zeros(len(points))
        order, self._starts = products.occurrences
        self._sizes = np.diff(self._starts)
        self._product = products.product_of_literal[order]
        self._negated = products.negated[order]
        self._weights = products.weights[self._product]
        self._others, self._sides = self._pairs(order)
        self.place(np.arange(len(points)), points)

    def _pairs(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The literals beside each occurrence, and where those of each begin."""
        products = self._products
        sizes = products.lengths[self._product]
        owners = np.repeat(order, sizes)
        literals = ranges(products.indptr[self._product], sizes)
        ends = np.concatenate([[0], np.cumsum(sizes - 1)])
        return literals[literals != owners], ends

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
        sizes = self._sizes[variables]
        places = ranges(self._starts[variables], sizes)
        replicas = np.repeat(rows, sizes)
        values = np.repeat(self.points[rows, variables], sizes)
        # Of each product with the variable: was its literal true, and how many of the
        # other literals are false?
        was_true = values != self._negated[places]
        cells = replicas * self._counts.shape[1] + self._product[places]
        counts = self._counts.reshape(-1)
        before = counts[cells]
        others_false = before - ~was_true
        counts[cells] = others_false + was_true
        self._flip_changes(rows, variables)
        # Only products of which at most one other literal is false matter to others.
        near = np.flatnonzero(others_false <= 1)
        signed = np.where(was_true[near], 1.0, -1.0) * self._weights[places[near]]
        self._update(replicas[near], places[near], others_false[near] == 0, signed)

    def _flip_changes(self, rows: np.ndarray, variables: np.ndarray) -> None:
        changes = self._deltas[rows, variables]
        self.costs[rows] += changes
        self._deltas[rows, variables] = -changes
        self.points[rows, variables] ^= 1

    def _update(
        self,
        replicas: np.ndarray,
        places: np.ndarray,
        all_true: np.ndarray,
        signed: np.ndarray,
    ) -> None:
        """Change what flips of the other literals of some products would do.

        If the others are all true, a flip of any of them matters from now on where it
        did not, or no longer; if one is false, the same holds for that one alone,
        with the opposite sign.
        """
        first = self._sides[places]
        sizes = self._sides[places + 1] - first
        literals = self._others[ranges(first, sizes)]
        d = self.points.shape[1]
        targets = np.repeat(replicas * d, sizes) + self._products.variables[literals]
        amounts = np.repeat(np.where(all_true, signed, -signed), sizes)
        points = self.points.reshape(-1)
        false = points[targets] == self._products.negated[literals]
        amounts *= np.repeat(all_true, sizes) | false
        np.add.at(self._deltas.reshape(-1), targets, amounts)

    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        self.points[rows] = points
        chunk = max(1, _CHUNK_CELLS // max(1, len(self._products.variables)))
        for begin in range(0, len(rows), chunk):
            some = slice(begin, begin + chunk)
            self._place(rows[some], points[some])

    def _place(self, rows: np.ndarray, points: np.ndarray) -> None:
        products = self._products
        counts = products.false_counts(points)
        self._counts[rows] = counts
        self.costs[rows] = (counts == 0) @ products.weights + products.constant
        of_literals = counts[:, products.product_of_literal]
        false = products.falsehoods(points)
        amounts = (of_literals == 1) & false
        amounts = amounts.astype(np.float64) - (of_literals == 0)
        amounts *= products.weights[products.product_of_literal]
        d, n = self.points.shape[1], len(rows)
        targets = np.arange(n)[:, None] * d + products.variables
        sums = np.bincount(targets.reshape(-1), amounts.reshape(-1), n * d)
        self._deltas[rows] = sums.reshape(n, d)
