"""What runs of outside samplers share: an import, a model, and slices of a budget."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions import PseudoBooleanFunction
from ..functions._flips import evaluate
from ._base import Run, Solver, Start
from ._terms import Terms, terms_of

_SEEDS = 2**31 - 1
_LAST_POINTS = 64


def import_engine(module: str, solver: Solver, package: str) -> Any:
    """Return a module of an optional package, or say how to install it.

    Parameters
    ----------
    module : str
        The dotted name.
    solver : Solver
        Who needs it.
    package : str
        What contains it.

    Returns
    -------
    module : module
        The module.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{solver!r} needs the package {package}, which cannot be imported "
            f"({error}); install it with: pip install {package}"
        ) from error


def known_terms(
    solver: Solver, function: PseudoBooleanFunction, most: int | None = None
) -> Terms:
    """Return the terms of a function, or raise if a solver cannot use them.

    Parameters
    ----------
    solver : Solver
        Who needs them.
    function : PseudoBooleanFunction
        What is to be minimised.
    most : int, default=None
        The largest degree allowed.

    Returns
    -------
    terms : Terms
        Its terms.

    Raises
    ------
    ValueError
        If it has none, or if their degree is too high.
    """
    terms = terms_of(function)
    if terms is None:
        raise ValueError(
            f"{type(solver).__name__} needs the terms of the function, and "
            f"{function._label} has neither to_quadratic() nor to_polynomial()."
        )
    if most is not None and terms.degree > most:
        raise ValueError(
            f"{solver!r} takes terms of at most {most} variables, and "
            f"{function._label} has some of {terms.degree}."
        )
    return terms


class SamplerRun(Run):
    """A run of an annealer that returns points and counts sweeps.

    Parameters
    ----------
    start : Start
        Its warm start is evaluated first.
    n_sweeps : int
        Sweeps of one annealing.
    n_reads : int
        Annealings in one call.
    """

    def __init__(self, start: Start, n_sweeps: int, n_reads: int = 1) -> None:
        self._start = start
        self._generator = start.generator()
        self._most = n_reads, n_sweeps
        self._calls = 0

    @abstractmethod
    def _sample(self, n_reads: int, n_sweeps: int, seed: int) -> np.ndarray:
        """Return points (n_reads, d) of zeros and ones."""

    def advance(self, evaluator: Evaluator) -> None:
        """Anneal once, with as many sweeps as the budget allows for."""
        self.step += 1
        if self.step == 1:
            evaluate(evaluator, self._start.points(1, self._generator))
            return
        n_reads, n_sweeps = self._most
        d = evaluator.n_variables
        allowed = evaluator.allowance(n_reads * n_sweeps * d)
        if allowed < d and not self._is_untimed(evaluator):
            few = min(allowed, _LAST_POINTS)  # no sweep fits any more
            evaluate(evaluator, self._start.points(few, self._generator))
            return
        n_sweeps = max(1, min(n_sweeps, allowed // d))
        n_reads = max(1, min(n_reads, allowed // (d * n_sweeps)))
        points = self._sample(n_reads, n_sweeps, int(self._generator.integers(_SEEDS)))
        self._calls += 1
        costs = evaluate(evaluator.function, points)
        evaluator.charge(n_reads * n_sweeps * d, costs, lambda row: points[row])

    def _is_untimed(self, evaluator: Evaluator) -> bool:
        """Whether only the clock limits, and how long a sweep takes is not known."""
        budget = evaluator.budget
        counts = budget.evaluations is not None or budget.no_improvement is not None
        return self._calls == 0 and budget.seconds is not None and not counts

    def state_dict(self) -> dict[str, Any]:
        """Return the counts and the state of the generator of seeds."""
        return {
            "step": self.step,
            "calls": self._calls,
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step, self._calls = state["step"], state["calls"]
        self._generator.bit_generator.state = state["generator"]
