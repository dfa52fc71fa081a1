"""Strings are shorthands for solvers and methods; `minimize` resolves them here."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.base import clone

from ..methods import PRESETS as METHODS
from ..methods import Method, resolve_method
from ..utils import check_choice
from ._annealing import SimulatedAnnealing
from ._base import Solver
from ._branch_and_bound import BranchAndBound
from ._cp_sat import CPSAT
from ._dwave import DWaveSampler
from ._exhaustive import ExhaustiveSearch
from ._genetic import GeneticAlgorithm
from ._local_search import LocalSearch
from ._min_cut import MinCut
from ._openjij import OpenJijSampler
from ._tabu import TabuSearch

SOLVERS: dict[str, Callable[[], Solver]] = {
    "annealing": SimulatedAnnealing,
    "branch-and-bound": BranchAndBound,
    "cp-sat": CPSAT,
    "dwave-annealing": lambda: DWaveSampler(kind="annealing"),
    "dwave-tabu": lambda: DWaveSampler(kind="tabu"),
    "exhaustive": ExhaustiveSearch,
    "genetic": GeneticAlgorithm,
    "local-search": LocalSearch,
    "min-cut": MinCut,
    "openjij": OpenJijSampler,
    "tabu": TabuSearch,
}


def resolve(method: str | Method | Solver, *others: str) -> Method | Solver:
    """Return a checked method or solver of its own for a string or an object.

    Parameters
    ----------
    method : str, Method or Solver
        A preset's name, or an object of `sklearn_pb.methods` or `sklearn_pb.solvers`.
    *others : str
        Names that the caller knows itself, for the message about an unknown one.

    Returns
    -------
    method : Method or Solver
        A new object; the one given is not changed.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is neither a string nor one of the two.
    """
    if isinstance(method, str) and method not in METHODS:
        check_choice(method, "method", sorted([*METHODS, *SOLVERS, *others]))
        method = SOLVERS[method]()
    if not isinstance(method, Solver):
        return resolve_method(method)
    solver = clone(method)
    solver.check()
    return solver
