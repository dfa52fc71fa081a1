"""Exhaustive search: every point once, as fast as the function allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..budget import BudgetExhausted, Evaluator
from ..functions import PseudoBooleanFunction
from ..functions._flips import EvaluatedNeighbourhood, evaluate
from ._base import Run, Solver, Start
from ._terms import Terms, terms_of

MOST_VARIABLES = 30
_TABLE_BITS = 16  # a table of this many variables' costs stays in the L2 cache
_PRODUCT_BITS = 5  # of these a matrix product does the first variables faster
_WALKERS_BITS = 10
_MOST_TERMS = 1 << _TABLE_BITS  # more would cost more than the table itself
_STEP = 1 << 18  # points in one step of the run
_BATCH = 1 << 12  # points in one call of a function that knows no terms and no flips


class ExhaustiveSearch(Solver):
    """Evaluate all 2^d points; what is found is the least cost.

    Of a function that knows changes of cost by a flip, 1024 replicas go through the
    points in the order of a Gray code, one flip a step; if it also has
    ``to_quadratic()`` or ``to_polynomial()``, its terms are added up in tables of 2^16
    points. Any other is evaluated in batches.

    Notes
    -----
    Every point is an evaluation, and the end of all of them is the stop reason
    "optimal". Costs that differ by less than 1e-9, relatively, count as equal. At most
    30 variables.

    Examples
    --------
    >>> from sklearn_pb.solvers import ExhaustiveSearch
    >>> ExhaustiveSearch()
    ExhaustiveSearch()
    """

    def check(self) -> None:
        """There is nothing to check."""

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise if there are too many points.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it has more than 30 variables.
        """
        d = function.n_variables
        if d > MOST_VARIABLES:
            raise ValueError(
                f"ExhaustiveSearch evaluates all 2^d points, and n_variables={d} of "
                f"{function._label} is too large for that: at most {MOST_VARIABLES}. "
                "BranchAndBound may prove an optimum of a polynomial all the same."
            )

    def start(self, start: Start) -> ExhaustiveRun:
        """Begin a run."""
        return ExhaustiveRun(start.function)


class ExhaustiveRun(Run):
    """A run of `ExhaustiveSearch`: points are numbered, and the next number is kept.

    Parameters
    ----------
    function : PseudoBooleanFunction
        What is minimised.
    """

    def __init__(self, function: PseudoBooleanFunction) -> None:
        self._source = _source(function)
        self._n_points = 1 << function.n_variables
        self._next = 0

    def advance(self, evaluator: Evaluator) -> None:
        """Evaluate the next 2^18 points, or one batch."""
        self.step += 1
        until = min(self._next + self._source.step, self._n_points)
        try:
            while self._next < until:
                self._take(evaluator, until)
        except BudgetExhausted:
            if self._next < self._n_points:
                raise
        if self._next == self._n_points:
            raise BudgetExhausted("optimal")

    def _take(self, evaluator: Evaluator, until: int) -> None:
        before = evaluator.n_evaluations
        try:
            self._source.take(evaluator, self._next, until)
        finally:  # a limit is reached after the last point that it allows
            self._next += evaluator.n_evaluations - before

    def state_dict(self) -> dict[str, Any]:
        """Return the number of the next point."""
        return {"step": self.step, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step, self._next = state["step"], state["next"]


def _source(function: PseudoBooleanFunction) -> _Batches:
    # Without flips, as a table, the expansion takes longer than the evaluations.
    terms = terms_of(function) if function.has_flips else None
    if terms is not None and len(terms.weights) <= _MOST_TERMS:
        return _Tables(terms)
    if function.has_flips:
        walk = _GrayWalk(function)
        if walk.is_cheap:
            return walk
    return _Batches(function.n_variables)


class _Batches:
    """Numbered points evaluated by the evaluator."""

    step = _BATCH

    def __init__(self, d: int) -> None:
        self._shifts = np.arange(d)

    def points(self, numbers: np.ndarray) -> np.ndarray:
        return ((numbers[:, None] >> self._shifts) & 1).astype(np.uint8)

    def take(self, evaluator: Evaluator, first: int, until: int) -> None:
        """Evaluate points from `first` on, but not `until`."""
        evaluate(evaluator, self.points(np.arange(first, until)))


class _Known(_Batches):
    """Numbered points whose costs are known more cheaply."""

    step = _STEP

    def take(self, evaluator: Evaluator, first: int, until: int) -> None:
        if evaluator.best_point is None:  # something to compare with
            return super().take(evaluator, first, first + 1)
        costs = self.costs(first, evaluator.allowance(until - first))

        def point_of(row: int) -> np.ndarray:
            return self.points(np.array([first + row]))[0]

        evaluator.charge(len(costs), costs, point_of)
        return None

    def costs(self, first: int, most: int) -> np.ndarray:
        """Costs of at least one and at most `most` points from number `first` on."""
        raise NotImplementedError


class _Tables(_Known):
    """Costs of all values of the first variables, for one value of the others.

    The table of a multilinear polynomial at z is the sum of the weights of the terms
    within z: a zeta transform of the weights.
    """

    def __init__(self, terms: Terms) -> None:
        super().__init__(terms.n_variables)
        self._bits = min(terms.n_variables, _TABLE_BITS)
        masks = [np.zeros(1, np.int64)]
        for variables, _ in terms.groups.values():
            masks.append((1 << variables).sum(axis=1))
        both = np.concatenate(masks)
        self._high, self._low = both >> self._bits, both & ((1 << self._bits) - 1)
        self._weights = np.concatenate([[terms.constant], terms.weights])
        few = np.arange(1 << min(_PRODUCT_BITS, self._bits))
        self._within = ((few[:, None] & few) == few[:, None]).astype(np.float64)
        self._table, self._number = np.zeros(0), -1

    def costs(self, first: int, most: int) -> np.ndarray:
        number, offset = divmod(first, 1 << self._bits)
        if number != self._number:
            self._table, self._number = self._compute(number), number
        return self._table[offset : offset + most]

    def _compute(self, number: int) -> np.ndarray:
        inside = (self._high & number) == self._high
        low, weights = self._low[inside], self._weights[inside]
        table = np.bincount(low, weights, minlength=1 << self._bits)
        table = (table.reshape(-1, len(self._within)) @ self._within).ravel()
        for bit in range(min(_PRODUCT_BITS, self._bits), self._bits):
            halves = table.reshape(-1, 2, 1 << bit)
            halves[:, 1] += halves[:, 0]
        return table


class _GrayWalk(_Known):
    """Replicas that differ in the last variables and walk together over the others.

    Point number s R + r is where replica r of R is after s steps.
    """

    def __init__(self, function: PseudoBooleanFunction) -> None:
        d = function.n_variables
        super().__init__(d)
        self._bits = min(_WALKERS_BITS, d)
        self._walked = d - self._bits
        self._step = 0
        self._rows = np.arange(1 << self._bits)
        self._replicas = function.neighbourhood(self.points(self._rows))

    @property
    def is_cheap(self) -> bool:
        """Whether the replicas know their changes without evaluations."""
        return not isinstance(self._replicas, EvaluatedNeighbourhood)

    def points(self, numbers: np.ndarray) -> np.ndarray:
        steps, rows = np.divmod(numbers, 1 << self._bits)
        return super().points(steps ^ (steps >> 1) | rows << self._walked)

    def costs(self, first: int, most: int) -> np.ndarray:
        step, row = divmod(first, 1 << self._bits)
        if step == self._step + 1:
            bit = (step & -step).bit_length() - 1
            self._replicas.flip(self._rows, np.full(len(self._rows), bit))
        elif step != self._step:  # a run that is resumed
            here = self.points(first - row + self._rows)
            self._replicas.place(self._rows, here)
        self._step = step
        return self._replicas.costs[row : row + most].copy()
