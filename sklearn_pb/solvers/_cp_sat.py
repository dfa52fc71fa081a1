"""Exact minimisation of polynomials by the CP-SAT solver of OR-tools."""

from __future__ import annotations

import queue
import threading
import weakref
from typing import Any

import numpy as np

from ..budget import BudgetExhausted, Evaluator
from ..functions import PseudoBooleanFunction
from ..functions._flips import evaluate
from ..functions._literal_products import LiteralProducts
from ..functions._product_function import ProductFunction
from ..utils import check_number
from ._base import Run, Solver, Start
from ._sampler_run import import_engine, known_terms
from ._terms import common_step

_PACKAGE = "ortools"
_MODULE = "ortools.sat.python.cp_model"
_SEEDS = 2**31 - 1
_BITS = 40  # of the sum of all weights, where they have to be rounded
_MOST_LINEARIZED = 5000  # products of two for which a whole linear program pays


class CPSAT(Solver):
    """Find and prove the least cost of a polynomial or of clauses by OR-tools' CP-SAT.

    Each product of variables becomes a variable of its own, tied to them by clauses;
    the clauses of a `MaxSAT` are passed on as they are.

    Parameters
    ----------
    poll : float, default=0.05
        Seconds between two looks at what the solver has found.

    Notes
    -----
    The solver runs in a thread of its own on one core; a point that it finds counts as
    an evaluation, and so does a conflict of its search. The end of the proof is the
    stop reason "optimal". The run's `lower_bound` is what no point can be below so far.

    CP-SAT computes in integers. Weights that a power of two up to 1024 makes integers
    are used exactly. Others are rounded to 2^-40 of their sum of magnitudes or finer,
    and an optimum is then one up to as many such units as there are terms.

    Quadratic functions of up to 5000 products have all their clauses in the linear
    program of CP-SAT (its linearization level 2), which bounds them far better; with
    larger or longer products that takes the time the search needs, and its default
    level stands.

    A run that is resumed starts its proof anew, from the best point as a hint.

    Examples
    --------
    >>> from sklearn_pb.solvers import CPSAT
    >>> CPSAT()
    CPSAT()
    """

    def __init__(self, *, poll: float = 0.05) -> None:
        self.poll = poll

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range, or the package missing."""
        check_number(self.poll, "poll", low=0, low_open=True)
        import_engine(_MODULE, self, _PACKAGE)

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise unless the function knows its terms.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it is no sum of clauses and has neither ``to_quadratic()`` nor
            ``to_polynomial()``.
        """
        _products(self, function)

    def start(self, start: Start) -> CPSATRun:
        """Begin a run."""
        return CPSATRun(start, self)


class CPSATRun(Run):
    """A run of `CPSAT`.

    Parameters
    ----------
    start : Start
        The function, and a point that is evaluated first and given as a hint.
    solver : CPSAT
        The hyperparameters.

    Attributes
    ----------
    lower_bound : float
        No point costs less, up to rounding; minus infinity before there is one.
    """

    def __init__(self, start: Start, solver: CPSAT) -> None:
        self.lower_bound = -np.inf
        self._cp_model = import_engine(_MODULE, solver, _PACKAGE)
        self._model = _Model(self._cp_model, _products(solver, start.function))
        generator = start.generator()
        self._first = start.points(1, generator)
        self._seed = int(generator.integers(_SEEDS))
        self._poll = solver.poll
        self._search: _Search | None = None

    def advance(self, evaluator: Evaluator) -> None:
        """Evaluate what CP-SAT has found since the last step."""
        self.step += 1
        if evaluator.best_point is None:
            evaluate(evaluator, self._first)
            return
        try:
            evaluator.allowance(1)
            if self._search is None:
                self._search = self._begin(evaluator)
            point = self._search.found(self._patience(evaluator))
            if point is not None:
                evaluate(evaluator, point[None])
            elif self._search.ended:
                self._end(evaluator)
        except BudgetExhausted:
            self._stop()
            raise

    def _begin(self, evaluator: Evaluator) -> _Search:
        budget = evaluator.budget
        parameters: dict[str, Any] = {"num_workers": 1, "random_seed": self._seed}
        if self._model.is_linearized:
            parameters["linearization_level"] = 2
        limits = [budget.evaluations, budget.no_improvement]
        most = [limit for limit in limits if limit is not None]
        if most:
            parameters["max_number_of_conflicts"] = evaluator.allowance(min(most))
        assert evaluator.best_point is not None
        hint = evaluator.best_point.cpu().numpy()
        return _Search(self._cp_model, self._model, parameters, hint)

    def _patience(self, evaluator: Evaluator) -> float:
        """Seconds to wait for a point; the evaluator's clock ends the search."""
        if evaluator.budget.seconds is None:
            return self._poll
        left = evaluator.budget.seconds - evaluator.seconds
        return max(1e-3, min(self._poll, left))

    def _end(self, evaluator: Evaluator) -> None:
        assert self._search is not None
        search = self._search
        self._stop()
        if search.is_optimal:
            raise BudgetExhausted("optimal")
        best = np.array([evaluator.best_cost])
        n = evaluator.allowance(max(1, search.n_conflicts))
        evaluator.charge(n, best, lambda row: self._first[0])

    def _stop(self) -> None:
        if self._search is not None:
            bound = self._model.cost(self._search.stop())
            self.lower_bound = max(self.lower_bound, bound)
            self._search = None

    def state_dict(self) -> dict[str, Any]:
        """Return the step and the bound; the proof itself cannot be saved."""
        return {"step": self.step, "lower_bound": self.lower_bound}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._stop()
        self.step, self.lower_bound = state["step"], state["lower_bound"]


def _products(solver: CPSAT, function: PseudoBooleanFunction) -> LiteralProducts:
    if isinstance(function, ProductFunction):
        return function._products
    terms = known_terms(solver, function)
    rows = [row for rows, _ in terms.groups.values() for row in rows.tolist()]
    weights = terms.weights.tolist()
    return LiteralProducts.from_lists(terms.n_variables, rows, weights, terms.constant)


class _Model:
    """The products as clauses and an objective in integers."""

    def __init__(self, cp_model: Any, products: LiteralProducts) -> None:
        self.model = model = cp_model.CpModel()
        self.variables = [model.new_bool_var("") for _ in range(products.n_variables)]
        self._constant = products.constant
        self.unit = common_step(products.weights)
        if not self.unit:
            _, exponent = np.frexp(np.abs(products.weights).sum())
            self.unit = 2.0 ** (int(exponent) - _BITS)
        factors = [round(weight / self.unit) for weight in products.weights.tolist()]
        literals = self._literals(products)
        bounds = products.indptr.tolist()
        most = int(np.diff(products.indptr).max(initial=0))
        self.is_linearized = most <= 2 and len(factors) <= _MOST_LINEARIZED
        factors_of = zip(bounds[:-1], bounds[1:], factors, strict=True)
        costs = [self._product(literals[i:j], f > 0) for i, j, f in factors_of]
        model.minimize(cp_model.LinearExpr.weighted_sum(costs, factors))

    def _literals(self, products: LiteralProducts) -> list[Any]:
        pairs = zip(products.variables.tolist(), products.negated.tolist(), strict=True)
        return [~self.variables[i] if no else self.variables[i] for i, no in pairs]

    def _product(self, literals: list[Any], is_cost: bool) -> Any:
        """A literal that is never cheaper than the product, and may equal it."""
        if len(literals) == 1:
            return literals[0]
        product = self.model.new_bool_var("")
        if is_cost:
            self.model.add_bool_or([~literal for literal in literals] + [product])
        else:
            for literal in literals:
                self.model.add_implication(product, literal)
        return product

    def cost(self, objective: float) -> float:
        """The cost that an objective stands for."""
        return self._constant + self.unit * objective


class _Search:
    """CP-SAT at work in a thread, which ends with this object."""

    def __init__(
        self, cp_model: Any, model: _Model, parameters: dict[str, Any], hint: np.ndarray
    ) -> None:
        self._solver = cp_model.CpSolver()
        for name, value in parameters.items():
            setattr(self._solver.parameters, name, value)
        model.model.clear_hints()
        for variable, value in zip(model.variables, hint, strict=True):
            model.model.add_hint(variable, bool(value))
        self._points: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._optimal = cp_model.OPTIMAL
        self._status: list[Any] = []
        collect = _collector(cp_model, model.variables, self._points)
        work = (self._solver, model.model, collect, self._status)
        self._thread = threading.Thread(target=_solve, args=work, daemon=True)
        self._thread.start()
        weakref.finalize(self, self._solver.stop_search)

    def found(self, seconds: float) -> np.ndarray | None:
        """The next point; None if there is none within some seconds."""
        try:
            if self._thread.is_alive():
                return self._points.get(timeout=seconds)
            return self._points.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> float:
        """End the thread, and return what the objective cannot be below."""
        while self._thread.is_alive():  # a solver that has not begun does not hear it
            self._solver.stop_search()
            self._thread.join(timeout=0.01)
        return float(self._solver.best_objective_bound)

    @property
    def ended(self) -> bool:
        """Whether the solver has come to an end, and all points were taken."""
        return not self._thread.is_alive() and self._points.empty()

    @property
    def is_optimal(self) -> bool:
        """Whether the last point is proved to be best."""
        (status,) = self._status
        return status == self._optimal

    @property
    def n_conflicts(self) -> int:
        """Conflicts of the search."""
        return int(self._solver.num_conflicts)


def _solve(solver: Any, model: Any, collect: Any, status: list[Any]) -> None:
    status.append(solver.solve(model, collect))


def _collector(cp_model: Any, variables: list[Any], points: Any) -> Any:
    class Collector(cp_model.CpSolverSolutionCallback):
        def on_solution_callback(self) -> None:
            points.put(np.array([self.value(v) for v in variables], np.uint8))

    return Collector()
