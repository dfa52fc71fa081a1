"""The choice of a method by what the function can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..budget import Budget
from ..functions import PseudoBooleanFunction
from ..methods import Method, MonteCarlo, StraightThrough
from ._annealing import SimulatedAnnealing
from ._base import Solver
from ._exhaustive import ExhaustiveSearch
from ._genetic import GeneticAlgorithm
from ._local_search import LocalSearch
from ._min_cut import MinCut, is_submodular
from ._portfolio import Portfolio
from ._tabu import TabuSearch
from ._terms import as_quadratic

FEW_VARIABLES = 20
MANY_VARIABLES = 5000


class Rule(NamedTuple):
    """One line of the table: when it applies, what it picks, and why.

    Attributes
    ----------
    applies : callable
        Of the function and the budget.
    pick : callable
        Gives the method.
    reason : str
        What is said about the choice.
    """

    applies: Callable[[PseudoBooleanFunction, Budget], bool]
    pick: Callable[[], Method | Solver]
    reason: str


def _enumerable(function: PseudoBooleanFunction, budget: Budget) -> bool:
    """Whether all points may be visited, and are known to be visited quickly."""
    limits = [n for n in (budget.evaluations, budget.no_improvement) if n is not None]
    known = function.has_flips or budget.evaluations is not None
    few = function.n_variables <= FEW_VARIABLES
    return few and known and all(2**function.n_variables <= n for n in limits)


def _cuttable(function: PseudoBooleanFunction, budget: Budget) -> bool:
    return is_submodular(function, up_to_complements=True)


def _vast(function: PseudoBooleanFunction, budget: Budget) -> bool:
    """Whether one look at all flips of a point is too much to make just one of them."""
    if not function.has_flips or function.n_variables <= MANY_VARIABLES:
        return False
    quadratic = as_quadratic(function)
    return quadratic is None or quadratic.Q.layout != torch.strided


RULES = (
    Rule(_cuttable, MinCut, "quadratic and submodular: a minimum cut is exact"),
    Rule(_enumerable, ExhaustiveSearch, "few variables: every point is visited"),
    Rule(
        _vast,
        SimulatedAnnealing,
        "changes by a flip are cheap, and there are many variables with few common "
        "terms: annealing decides on many of them at once",
    ),
    Rule(
        lambda function, budget: function.has_flips,
        lambda: Portfolio([TabuSearch(), GeneticAlgorithm(), SimulatedAnnealing()]),
        "changes by a flip are cheap: tabu search, a genetic algorithm with local "
        "search and annealing share the budget",
    ),
    Rule(
        lambda function, budget: (
            function.relaxable and function.n_variables > MANY_VARIABLES
        ),
        lambda: Portfolio([StraightThrough(), MonteCarlo(gradient="double-cv-shrunk")]),
        "differentiable with many variables: straight-through and sampled gradients "
        "with control variates share the budget",
    ),
    Rule(
        lambda function, budget: function.n_variables > MANY_VARIABLES,
        lambda: MonteCarlo(gradient="arms"),
        "many variables and values only: sampled gradients",
    ),
    Rule(
        lambda function, budget: function.relaxable,
        lambda: Portfolio(
            [StraightThrough(), LocalSearch(), GeneticAlgorithm(), MonteCarlo()]
        ),
        "differentiable: straight-through, local search, a genetic algorithm and "
        "sampled gradients share the budget",
    ),
    Rule(
        lambda function, budget: True,
        lambda: Portfolio([LocalSearch(), GeneticAlgorithm(), MonteCarlo()]),
        "values only: local search, a genetic algorithm and sampled gradients share "
        "the budget",
    ),
)


def picks() -> list[Method | Solver]:
    """Return all methods that "auto" may stand for.

    Returns
    -------
    methods : list of Method or Solver
        One a rule.
    """
    return [rule.pick() for rule in RULES]


def choose(function: PseudoBooleanFunction, budget: Budget) -> Method | Solver:
    """Return the method that "auto" stands for.

    Parameters
    ----------
    function : PseudoBooleanFunction
        What is to be minimised, without the price of ones.
    budget : Budget
        The limits.

    Returns
    -------
    method : Method or Solver
        The pick of the first rule that applies.
    """
    return next(rule.pick() for rule in RULES if rule.applies(function, budget))
