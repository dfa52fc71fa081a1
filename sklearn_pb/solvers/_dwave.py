"""Simulated annealing and tabu search of the package dwave-samplers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..budget import Evaluator
from ..functions import PseudoBooleanFunction
from ..functions._flips import evaluate
from ..utils import check_choice, check_number
from ._base import Run, Solver, Start
from ._sampler_run import SamplerRun, import_engine, known_terms
from ._terms import Terms

_KINDS = ("annealing", "tabu")
_PACKAGE = "dwave-samplers"
_SEEDS = 2**31 - 1


class DWaveSampler(Solver):
    """Search a quadratic function by a sampler of the package dwave-samplers.

    Parameters
    ----------
    kind : {"annealing", "tabu"}, default="annealing"
        Which sampler.
    n_sweeps : int, default=1000
        Sweeps of one annealing; fewer where the budget does not allow for them.
    milliseconds : int, default=100
        How long one tabu search takes; less at the end of a limit in seconds.

    Notes
    -----
    Annealing counts d evaluations a sweep. Tabu search does not say how many it made,
    so each search of `milliseconds` counts as one, and results depend on the speed of
    the machine. A limit in seconds is kept to within one annealing or search.

    Examples
    --------
    >>> from sklearn_pb.solvers import DWaveSampler
    >>> DWaveSampler(kind="tabu")
    DWaveSampler(kind='tabu')
    """

    def __init__(
        self, *, kind: str = "annealing", n_sweeps: int = 1000, milliseconds: int = 100
    ) -> None:
        self.kind = kind
        self.n_sweeps = n_sweeps
        self.milliseconds = milliseconds

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range, or the package missing."""
        check_choice(self.kind, "kind", _KINDS)
        check_number(self.n_sweeps, "n_sweeps", low=1, integer=True)
        check_number(self.milliseconds, "milliseconds", low=1, integer=True)
        import_engine("dwave.samplers", self, _PACKAGE)

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise unless the function is quadratic.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it is not known to be quadratic.
        """
        known_terms(self, function, 2)

    def start(self, start: Start) -> Run:
        """Begin a run."""
        make = _AnnealingRun if self.kind == "annealing" else _TabuRun
        return make(start, self)


class _AnnealingRun(SamplerRun):
    def __init__(self, start: Start, solver: DWaveSampler) -> None:
        super().__init__(start, solver.n_sweeps)
        samplers = import_engine("dwave.samplers", solver, _PACKAGE)
        self._sampler = samplers.SimulatedAnnealingSampler()
        self._model = _model(known_terms(solver, start.function, 2), solver)
        self._betas: Any = None  # found by the first call, which takes long

    def _sample(self, n_reads: int, n_sweeps: int, seed: int) -> np.ndarray:
        found = self._sampler.sample(
            self._model,
            num_reads=n_reads,
            num_sweeps=n_sweeps,
            seed=seed,
            beta_range=self._betas,
        )
        self._betas = found.info["beta_range"]
        return found.record.sample


class _TabuRun(Run):
    def __init__(self, start: Start, solver: DWaveSampler) -> None:
        samplers = import_engine("dwave.samplers", solver, _PACKAGE)
        self._sampler = samplers.TabuSampler()
        self._model = _model(known_terms(solver, start.function, 2), solver)
        self._start = start
        self._generator = start.generator()
        self._milliseconds = solver.milliseconds

    def advance(self, evaluator: Evaluator) -> None:
        """Search once, from a point of the warm start."""
        self.step += 1
        evaluator.allowance(1)
        milliseconds = self._milliseconds
        if evaluator.budget.seconds is not None:
            left = evaluator.budget.seconds - evaluator.seconds
            milliseconds = max(1, min(milliseconds, int(1000 * left)))
        found = self._sampler.sample(
            self._model,
            initial_states=self._start.points(1, self._generator).astype(np.int8),
            num_reads=1,
            timeout=milliseconds,
            seed=int(self._generator.integers(_SEEDS)),
        )
        evaluate(evaluator, found.record.sample)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "generator": self._generator.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self._generator.bit_generator.state = state["generator"]


def _model(terms: Terms, solver: DWaveSampler) -> Any:
    dimod = import_engine("dimod", solver, "dimod")
    (i, j), weights = terms.group(2)[0].T, terms.group(2)[1]
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        terms.linear, (i, j, weights), terms.constant, dimod.BINARY
    )
