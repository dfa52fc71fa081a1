"""Searching a pseudo-Boolean function for its least cost."""

from ._annealing import SimulatedAnnealing
from ._as_function import as_function
from ._base import Run, Solver, Start
from ._branch_and_bound import BranchAndBound
from ._course import RunState
from ._cp_sat import CPSAT
from ._dwave import DWaveSampler
from ._exhaustive import ExhaustiveSearch
from ._genetic import GeneticAlgorithm
from ._local_search import LocalSearch
from ._min_cut import MinCut, is_submodular
from ._minimize import minimize
from ._moves import Moves
from ._openjij import OpenJijSampler
from ._polished import Polished
from ._portfolio import Portfolio
from ._presets import SOLVERS
from ._progress_lines import ProgressLines
from ._tabu import TabuSearch

__all__ = [
    "CPSAT",
    "SOLVERS",
    "BranchAndBound",
    "DWaveSampler",
    "ExhaustiveSearch",
    "GeneticAlgorithm",
    "LocalSearch",
    "MinCut",
    "Moves",
    "OpenJijSampler",
    "Polished",
    "Portfolio",
    "ProgressLines",
    "Run",
    "RunState",
    "SimulatedAnnealing",
    "Solver",
    "Start",
    "TabuSearch",
    "as_function",
    "is_submodular",
    "minimize",
]
