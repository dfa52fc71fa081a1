"""Exact minimisation of submodular quadratic functions by a minimum cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from scipy.sparse import csgraph

from ..budget import BudgetExhausted, Evaluator
from ..functions import PseudoBooleanFunction, QuadraticFunction
from ..functions._flips import evaluate
from ._base import Run, Solver, Start
from ._max_flow import MinimumCut
from ._terms import Terms, as_quadratic, terms_of

_BITS = 60  # of the sum of all capacities
_FEW = 64  # variables of a dense function that may tell enough of all


class MinCut(Solver):
    """Find the least cost of a submodular quadratic function by a minimum cut.

    A quadratic function is submodular if no pair of variables costs more than nothing.
    One that becomes so when some of the variables are exchanged for their complements
    is solved as well: max-cut of a bipartite graph is an example.

    Notes
    -----
    The cost is that of a cut between the variables at 1, beside the source, and those
    at 0, beside the sink, plus a constant. The maximum flow is computed in rounds; each
    but the last gives a point within a known distance of the least cost, and is one
    evaluation. The end of the last is the stop reason "optimal". A round of a large
    problem may overrun a limit in seconds.

    Weights are used exactly if they are multiples of one power of two that is not less
    than 2^-55 of their sum of magnitudes, integers for instance. Others are rounded to
    such multiples, which is finer than the rounding errors of the cost itself.

    References
    ----------
    Boros and Hammer (2002), "Pseudo-Boolean optimization", section 4.3: submodular
    quadratic functions and minimum cuts.

    Examples
    --------
    >>> from sklearn_pb.solvers import MinCut
    >>> MinCut()
    MinCut()
    """

    def check(self) -> None:
        """There is nothing to check."""

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise if the least cost is not that of a cut.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it is not quadratic, or not submodular whichever variables are exchanged
            for their complements.
        """
        if as_quadratic(function) is None:
            raise ValueError(
                f"MinCut needs a quadratic function, and {function._label} has no "
                "to_quadratic() that gives an equal one of the same variables."
            )
        if not is_submodular(function, up_to_complements=True):
            raise ValueError(
                f"MinCut needs a submodular function, and {function._label} stays one "
                "with pairs of positive cost whichever variables are exchanged for "
                "their complements. Use BranchAndBound for a proof, or a heuristic "
                "search."
            )

    def start(self, start: Start) -> MinCutRun:
        """Begin a run."""
        return MinCutRun(start)


class MinCutRun(Run):
    """A run of `MinCut`.

    Parameters
    ----------
    start : Start
        The function and the warm start, whose likeliest point is evaluated first.

    Attributes
    ----------
    lower_bound : float
        No point costs less, up to rounding; minus infinity before the first round.
    """

    def __init__(self, start: Start) -> None:
        self.lower_bound = -np.inf
        self._function = start.function
        self._first = start.points(1, start.generator())
        self._rounds: Iterator[tuple[np.ndarray, float]] | None = None

    def advance(self, evaluator: Evaluator) -> None:
        """Evaluate the first point, or that of the next round of the flow."""
        self.step += 1
        if self._rounds is None:
            evaluate(evaluator, self._first)
            self._rounds = _rounds(self._function)
            return
        evaluator.allowance(1)
        point, gap = next(self._rounds)
        cost = float(evaluate(evaluator, point[None])[0])
        self.lower_bound = max(self.lower_bound, cost - gap)
        if gap == 0:
            raise BudgetExhausted("optimal")

    def state_dict(self) -> dict[str, Any]:
        """Return the step; a resumed run computes the flow again."""
        return {"step": self.step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step = state["step"]


def is_submodular(
    function: PseudoBooleanFunction, *, up_to_complements: bool = False
) -> bool:
    """Return whether a function is quadratic and submodular.

    Parameters
    ----------
    function : PseudoBooleanFunction
        Any function; one without ``to_quadratic()`` is not known to be submodular.
    up_to_complements : bool, default=False
        Whether variables may be exchanged for their complements. `MinCut` solves
        exactly the functions for which the answer is then yes.

    Returns
    -------
    submodular : bool
        True if no pair of variables has a positive cost.

    Examples
    --------
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.solvers import is_submodular
    >>> is_submodular(QuadraticFunction([[1.0, -4.0], [0.0, 2.0]]))
    True
    >>> J = QuadraticFunction([[1.0, 4.0], [0.0, 2.0]])
    >>> is_submodular(J), is_submodular(J, up_to_complements=True)
    (False, True)
    """
    quadratic = as_quadratic(function)
    if quadratic is None:
        return False
    if quadratic.Q.layout == torch.strided and function.n_variables > _FEW:
        few = QuadraticFunction(quadratic.Q[:_FEW, :_FEW])
        if not is_submodular(few, up_to_complements=up_to_complements):
            return False
    terms = terms_of(quadratic)
    assert terms is not None  # it is quadratic
    if up_to_complements:
        return _complements(terms) is not None
    return bool((terms.group(2)[1] <= 0).all())


def _complements(terms: Terms) -> np.ndarray | None:
    """Variables (d,) of bool to complement for pairs without positive costs, or None.

    A pair of positive cost must be torn apart, one of negative cost must not. So each
    variable gets two nodes, and edges lead from the nodes of one variable to the same
    or to the opposite ones of the other: it is possible unless the nodes of a variable
    are connected.
    """
    d = terms.n_variables
    (i, j), weights = terms.group(2)[0].T, terms.group(2)[1]
    across = d * (weights > 0)
    tails = np.concatenate([i, i + d])
    heads = np.concatenate([j + across, j + d - across])
    edges = sparse.coo_array((np.ones(len(tails)), (tails, heads)), (2 * d, 2 * d))
    _, labels = csgraph.connected_components(edges, directed=False)
    if (labels[:d] == labels[d:]).any():
        return None
    return labels[:d] > labels[d:]


def _rounds(function: PseudoBooleanFunction) -> Iterator[tuple[np.ndarray, float]]:
    """Points (d,) of uint8, each with a bound on how far it is from the least cost."""
    terms = terms_of(function)
    assert terms is not None  # check_fits saw to it
    flipped = _complements(terms)
    assert flipped is not None
    cut, unit = _network(terms, flipped)
    for inside in cut.rounds():
        yield (inside[: len(flipped)] != flipped).astype(np.uint8), cut.gap * unit


def _network(terms: Terms, flipped: np.ndarray) -> tuple[MinimumCut, float]:
    """The cut problem of the complemented function, and the cost of one unit.

    With y = z, or 1 - z where flipped, and a pair of cost -2a,
    -2a y_i y_j = -a (y_i + y_j) + a y_i (1 - y_j) + a y_j (1 - y_i).
    """
    d = terms.n_variables
    _, exponent = np.frexp(8 * terms.magnitude)
    unit = 2.0 ** (int(exponent) - _BITS)
    (i, j) = pairs = terms.group(2)[0].T
    half = np.rint(terms.group(2)[1] / (2 * unit)).astype(np.int64)
    single = np.rint(terms.linear / unit).astype(np.int64)
    for one, other in (pairs, pairs[::-1]):  # z_i (1 - y_j) = z_i - z_i y_j
        np.add.at(single, one, np.where(flipped[other], 2 * half, 0))
    single = np.where(flipped, -single, single)
    a = np.abs(half)
    for one in pairs:
        np.subtract.at(single, one, a)
    on, off = np.flatnonzero(single < 0), np.flatnonzero(single > 0)
    tails = np.concatenate([i, j, np.full(len(on), d), off])
    heads = np.concatenate([j, i, on, np.full(len(off), d + 1)])
    capacities = np.concatenate([a, a, -single[on], single[off]])
    return MinimumCut(tails, heads, capacities, d + 2), unit
