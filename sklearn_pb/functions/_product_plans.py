"""What a sweep gathers and sums for each class of variables."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ._literal_products import LiteralProducts, ranges

# Up to so many variables a dense matrix multiplies the counts of a class fastest.
_DENSE_CLASS = 32
# A count costs as much as so many gathered products: conversion and multiplication.
_COUNT_COST = 6
# Counts are bytes.
_WIDEST = 128


class Group(NamedTuple):
    """Products of a class that have about as many other literals.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (m, c, n)
        The rows of the other m literals of the c products of each of n counts.
    begin, end : int
        The places of these counts among those of the class.
    """

    rows: np.ndarray
    begin: int
    end: int


class ClassPlan(NamedTuple):
    """What is gathered and summed for one class.

    Parameters
    ----------
    groups : list of Group
        Where the counts of the class come from.
    matrix : numpy.ndarray or scipy.sparse.csr_array of shape (class, counts)
        The signed weights of the products that are counted.
    """

    groups: list[Group]
    matrix: np.ndarray | sparse.csr_array


class SweepPlan:
    """How all classes are swept; replicas of one sum share it.

    Parameters
    ----------
    products : LiteralProducts
        The sum.

    Attributes
    ----------
    products : LiteralProducts
        The sum.
    order : numpy.ndarray of int, shape (d,)
        The variables class by class: the row of each is its place here. Its complement
        is d rows below; row 2d holds ones, row 2d + 1 zeros.
    place : numpy.ndarray of int, shape (d,)
        The row of each variable.
    classes : list of ClassPlan
        In the order of the classes of `products`.
    """

    def __init__(self, products: LiteralProducts) -> None:
        self.products = products
        self.order = np.concatenate(products.classes)
        self.place = np.argsort(self.order)
        planner = _Planner(products, self.place)
        self.classes = [planner.plan(variables) for variables in products.classes]

    @property
    def most_gathered(self) -> int:
        """The largest number of rows that are gathered at once."""
        groups = (group for plan in self.classes for group in plan.groups)
        return max((group.rows.size for group in groups), default=0)

    @property
    def most_counts(self) -> int:
        """The largest number of counts of a class."""
        return max(plan.matrix.shape[1] for plan in self.classes)


class _Planner:
    """Finds the literals that stand beside those of a class."""

    def __init__(self, products: LiteralProducts, place: np.ndarray) -> None:
        self._products = products
        d = len(place)
        self._ones, self._zeros = 2 * d, 2 * d + 1
        rows = place[products.variables] + d * products.negated
        self._rows = np.append(rows, self._ones)

    @cached_property
    def _widths(self) -> np.ndarray:
        """Other literals of each product, rounded up to a power of two, at least 1."""
        others = np.maximum(self._products.lengths - 1, 1)
        return 2 ** np.ceil(np.log2(others)).astype(np.int64)

    def plan(self, variables: np.ndarray) -> ClassPlan:
        """The plan of one class."""
        products = self._products
        order, starts = products.occurrences
        sizes = starts[variables + 1] - starts[variables]
        literals = order[ranges(starts[variables], sizes)]
        owners = np.repeat(np.arange(len(variables)), sizes)
        weights = products.weights[products.product_of_literal[literals]]
        signed = np.where(products.negated[literals], -weights, weights)
        widths = self._widths[products.product_of_literal[literals]]
        groups, entries, begin = [], [], 0
        for width in np.unique(widths):
            some = np.lexsort((signed, owners, widths != width))
            some = some[: np.count_nonzero(widths == width)]
            count, slot = _counts(owners[some], signed[some])
            n = int(count[-1]) + 1
            others = self._others(literals[some], int(width))
            rows = np.full((int(width), int(slot.max()) + 1, n), self._zeros)
            rows[:, slot, count] = others
            groups.append(Group(rows, begin, begin + n))
            first = some[slot == 0]
            entries.append((owners[first], signed[first]))
            begin += n
        return ClassPlan(groups, _matrix(entries, len(variables), products.dtype))

    def _others(self, literals: np.ndarray, width: int) -> np.ndarray:
        """The rows (width, n) of the literals beside these in their products."""
        products = self._products
        number = products.product_of_literal[literals]
        first, length = products.indptr[number], products.lengths[number]
        others = first + np.arange(width)[:, None]
        others += others >= literals
        inside = others < first + length
        return self._rows[np.where(inside, others, len(self._rows) - 1)]


def _counts(owners: np.ndarray, signed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The count of each product, and its place there; sorted by owner and weight.

    Products of one owner with one weight make a run, and a run one or several counts
    of at most c products: c where gathering and summing cost least, fillings included.
    """
    new = np.ones(len(owners), bool)
    new[1:] = (owners[1:] != owners[:-1]) | (signed[1:] != signed[:-1])
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(owners)))
    widest = min(int(sizes.max()), _WIDEST)
    chunks = np.unique(np.rint(np.geomspace(1, widest, 16)).astype(np.int64))
    costs = [np.ceil(sizes / c).sum() * (c + _COUNT_COST) for c in chunks]
    c = int(chunks[np.argmin(costs)])
    within = np.arange(len(owners)) - np.repeat(starts, sizes)
    return np.cumsum(within % c == 0) - 1, within % c


def _matrix(
    entries: list[tuple[np.ndarray, np.ndarray]], n_rows: int, dtype: type
) -> np.ndarray | sparse.csr_array:
    """The weights by variable and count."""
    if not entries:
        return np.zeros((n_rows, 0), dtype)
    owners, weights = map(np.concatenate, zip(*entries, strict=True))
    places = owners, np.arange(len(owners))
    matrix = sparse.csr_array(
        (weights.astype(dtype), places), shape=(n_rows, len(owners))
    )
    return matrix.toarray() if n_rows <= _DENSE_CLASS else matrix
