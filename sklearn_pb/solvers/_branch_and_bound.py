"""Branch and bound: a proved optimum of quadratic functions and polynomials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..budget import BudgetExhausted, Evaluator
from ..functions import PseudoBooleanFunction
from ..functions._flips import evaluate
from ..functions._product_function import ProductFunction
from ..utils import check_number
from ._base import Run, Solver, Start
from ._polynomial_tree import PolynomialTree
from ._quadratic_tree import QuadraticTree
from ._tabu import TabuSearch
from ._terms import Terms, terms_of

MOST_VARIABLES = 1000
_BATCH = 1 << 10  # nodes at once
_EQUAL = 1e-9  # costs nearer than this, relatively, count as equal
_ROUNDING = 1e-12  # of a bound, in units of the sum of all weights
_WHOLE = 0.999  # of the step of integer costs, for rounding's sake


class BranchAndBound(Solver):
    """Decide one variable after the other and leave out what cannot be better.

    Tabu search looks for a good point first. Then the tree of partial points is
    searched depth first, many nodes at once; a node is dropped when a lower bound of
    its costs is no better than the best point. Works for any function with
    ``to_quadratic()`` or ``to_polynomial()``, and ends with a proof.

    Parameters
    ----------
    tabu_steps : int, default=200
        Steps of tabu search before the tree, each of d evaluations; at least 1.

    Notes
    -----
    Every node that is branched counts as an evaluation, and so does every point whose
    cost is computed. The end of the tree is the stop reason "optimal": no point costs
    less by more than 1e-9, relatively. The run's `lower_bound` is what no point can be
    below so far.

    The bound of a quadratic function is that of a sphere around the hypercube, after
    a change of the diagonal that semidefinite programming has found; dense problems
    of 50 to 60 variables take seconds. The bound of a polynomial of higher degree
    shares its negative terms among their variables, which is much weaker.

    References
    ----------
    Pardalos and Rodgers (1990), "Computational aspects of a branch and bound algorithm
    for quadratic zero-one programming". Poljak and Wolkowicz (1995), "Convex
    relaxations of (0, 1)-quadratic programming".

    Examples
    --------
    >>> from sklearn_pb.solvers import BranchAndBound
    >>> BranchAndBound(tabu_steps=1000)
    BranchAndBound(tabu_steps=1000)
    """

    def __init__(self, *, tabu_steps: int = 200) -> None:
        self.tabu_steps = tabu_steps

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.tabu_steps, "tabu_steps", low=1, integer=True)

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise if the function does not know its terms, or has too many variables.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it has neither ``to_quadratic()`` nor ``to_polynomial()``, or more than
            1000 variables.
        """
        d = function.n_variables
        if d > MOST_VARIABLES:
            raise ValueError(
                f"BranchAndBound takes at most {MOST_VARIABLES} variables, and "
                f"{function._label} has n_variables={d}; use TabuSearch or "
                "SimulatedAnnealing, or MinCut if it is submodular."
            )
        if terms_of(function) is None:
            raise ValueError(
                f"BranchAndBound needs the terms of the function, and "
                f"{function._label} has neither to_quadratic() nor to_polynomial(); "
                "use ExhaustiveSearch if it has few variables."
            )

    def start(self, start: Start) -> BranchAndBoundRun:
        """Begin a run."""
        return BranchAndBoundRun(start, self)


@dataclass
class _Block:
    """Nodes of one depth, the most promising last.

    Parameters
    ----------
    depth : int
        How many variables are decided.
    bits : numpy.ndarray of uint8, shape (m, depth)
        What they are, in the order of the tree.
    values, rest : numpy.ndarray
        What is left of the function, as the tree keeps it.
    bounds : numpy.ndarray of shape (m,)
        No point in the node costs less.
    """

    depth: int
    bits: np.ndarray
    values: np.ndarray
    rest: np.ndarray
    bounds: np.ndarray

    def take(self, rows: Any) -> _Block:
        """Some of the nodes."""
        parts = self.bits, self.values, self.rest, self.bounds
        return _Block(self.depth, *(part[rows] for part in parts))


class BranchAndBoundRun(Run):
    """A run of `BranchAndBound`.

    Parameters
    ----------
    start : Start
        The function, and where tabu search begins.
    solver : BranchAndBound
        The hyperparameters.

    Attributes
    ----------
    lower_bound : float
        No point costs less, up to rounding.
    """

    def __init__(self, start: Start, solver: BranchAndBound) -> None:
        terms = terms_of(start.function)
        assert terms is not None  # check_fits saw to it
        self._tree = _tree(terms)
        self._smallest_step = _WHOLE * terms.step()
        self._rounding = _ROUNDING * terms.magnitude
        self._tabu = TabuSearch(n_replicas=4).start(start)
        self._tabu_evaluations = solver.tabu_steps * terms.n_variables
        values, rest = self._tree.root()
        bounds = self._tree.bounds(0, values, rest) - self._rounding
        bounds = np.maximum(bounds, _floor(start.function))
        bits = np.zeros((1, 0), np.uint8)
        self._blocks = [_Block(0, bits, values, rest, bounds)]
        self._best_cost = np.inf
        self._best_point: np.ndarray | None = None

    @property
    def lower_bound(self) -> float:
        """What no point costs less than, up to the tolerance for equal costs."""
        least = [float(block.bounds.min()) for block in self._blocks]
        return min([self._best_cost, *least])

    def advance(self, evaluator: Evaluator) -> None:
        """Do a step of tabu search, or branch up to 1024 nodes, or enumerate leaves."""
        self.step += 1
        if self._tabu_evaluations > 0:
            before = evaluator.n_evaluations
            self._tabu.advance(evaluator)
            self._tabu_evaluations -= evaluator.n_evaluations - before
            self._remember(evaluator)
            return
        if evaluator.best_cost > self._best_cost:  # resumed with another evaluator
            assert self._best_point is not None
            evaluate(evaluator, self._best_point[None])
        self._drop(evaluator.best_cost)
        if self._blocks and self._blocks[-1].depth < self._tree.depth:
            self._branch(evaluator)
        elif self._blocks:
            self._enumerate(evaluator)
        self._remember(evaluator)
        if not self._blocks:
            raise BudgetExhausted("optimal")

    def _remember(self, evaluator: Evaluator) -> None:
        assert evaluator.best_point is not None
        self._best_cost = evaluator.best_cost
        self._best_point = evaluator.best_point.cpu().numpy().copy()

    def _drop(self, best_cost: float) -> None:
        """Leave out nodes without a better point, until the last block has others."""
        margin = max(self._smallest_step, _EQUAL * max(1.0, abs(best_cost)))
        while self._blocks:
            block = self._blocks.pop()
            better = block.bounds < best_cost - margin
            if better.any():
                self._blocks.append(block.take(better))
                return

    def _branch(self, evaluator: Evaluator) -> None:
        nodes, left = self._split(evaluator.allowance(_BATCH))
        k = nodes.depth
        least, most = self._tree.slopes(k, nodes.rest)
        rows = np.concatenate([np.flatnonzero(most > 0), np.flatnonzero(least <= 0)])
        on = np.arange(len(rows)) >= np.count_nonzero(most > 0)
        values, rest = self._tree.children(k, nodes.values[rows], nodes.rest[rows], on)
        bounds = self._tree.bounds(k + 1, values, rest) - self._rounding
        bounds = np.maximum(bounds, nodes.bounds[rows])
        bits = np.column_stack([nodes.bits[rows], on.astype(np.uint8)])
        children = _Block(k + 1, bits, values, rest, bounds)
        self._blocks[-1:] = [*left, children.take(np.argsort(-bounds, kind="stable"))]
        best = self._best_point
        assert best is not None
        evaluator.charge(len(nodes.values), np.array([self._best_cost]), lambda _: best)

    def _enumerate(self, evaluator: Evaluator) -> None:
        n_ends = 1 << (evaluator.n_variables - self._tree.depth)
        allowed = evaluator.allowance(_BATCH * n_ends)
        leaves, left = self._split(max(1, allowed // n_ends))
        costs = self._tree.leaves(leaves.values, leaves.rest).ravel()[:allowed]
        if len(costs) % n_ends == 0:  # else one leaf must be done again
            self._blocks[-1:] = left

        def point_of(number: int) -> np.ndarray:
            row, end = divmod(number, n_ends)
            point = np.empty(evaluator.n_variables, np.uint8)
            last = self._tree.ends(np.array([end]))[0]
            point[self._tree.order] = np.concatenate([leaves.bits[row], last])
            return point

        evaluator.charge(len(costs), costs, point_of)

    def _split(self, n: int) -> tuple[_Block, list[_Block]]:
        """The last n nodes, and the rest of their block if there is one."""
        block = self._blocks[-1]
        left = [block.take(slice(0, -n))] if len(block.values) > n else []
        return block.take(slice(-n, None)), left

    def state_dict(self) -> dict[str, Any]:
        """Return the open nodes, and the state of tabu search before.

        Arrays of nodes are never changed, so that none of them, and there may be a
        gigabyte, has to be copied.
        """
        return {
            "step": self.step,
            "best_cost": self._best_cost,
            "best_point": self._best_point,
            "tabu_evaluations": self._tabu_evaluations,
            "tabu": self._tabu.state_dict(),
            "blocks": {
                str(i): dict(vars(block)) for i, block in enumerate(self._blocks)
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step = state["step"]
        self._best_cost = state["best_cost"]
        self._best_point = state["best_point"]
        self._tabu_evaluations = state["tabu_evaluations"]
        self._tabu.load_state_dict(state["tabu"])
        blocks = (state["blocks"][str(i)] for i in range(len(state["blocks"])))
        self._blocks = [_Block(**block) for block in blocks]


def _tree(terms: Terms) -> QuadraticTree | PolynomialTree:
    return QuadraticTree(terms) if terms.degree <= 2 else PolynomialTree(terms)


def _floor(function: PseudoBooleanFunction) -> float:
    """What no sum of products of literals is below; for clauses, no violation."""
    if not isinstance(function, ProductFunction):
        return -np.inf
    products = function._products
    return products.constant + float(np.minimum(products.weights, 0).sum())
