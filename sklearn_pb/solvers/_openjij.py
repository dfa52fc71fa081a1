"""Simulated annealing of the package openjij, for terms of any degree."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions import PseudoBooleanFunction
from ..utils import check_number
from ._base import Solver, Start
from ._sampler_run import SamplerRun, import_engine, known_terms
from ._terms import Terms


class OpenJijSampler(Solver):
    """Search a polynomial by the simulated annealing of the package openjij.

    Parameters
    ----------
    n_sweeps : int, default=1000
        Sweeps of one annealing; fewer where the budget does not allow for them.
    n_reads : int, default=8
        Annealings in one call, as a call has to build its model anew.

    Notes
    -----
    A sweep counts as d evaluations. A limit in seconds is kept to within one call.

    Examples
    --------
    >>> from sklearn_pb.solvers import OpenJijSampler
    >>> OpenJijSampler(n_sweeps=100)
    OpenJijSampler(n_sweeps=100)
    """

    def __init__(self, *, n_sweeps: int = 1000, n_reads: int = 8) -> None:
        self.n_sweeps = n_sweeps
        self.n_reads = n_reads

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range, or the package missing."""
        check_number(self.n_sweeps, "n_sweeps", low=1, integer=True)
        check_number(self.n_reads, "n_reads", low=1, integer=True)
        import_engine("openjij", self, "openjij")

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise unless the function knows its terms.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            If it has neither ``to_quadratic()`` nor ``to_polynomial()``.
        """
        known_terms(self, function)

    def start(self, start: Start) -> OpenJijRun:
        """Begin a run."""
        return OpenJijRun(start, self)


class OpenJijRun(SamplerRun):
    """A run of `OpenJijSampler`.

    Parameters
    ----------
    start : Start
        The function and the draws.
    solver : OpenJijSampler
        The hyperparameters.
    """

    def __init__(self, start: Start, solver: OpenJijSampler) -> None:
        super().__init__(start, solver.n_sweeps, solver.n_reads)
        self._openjij = import_engine("openjij", solver, "openjij")
        self._terms = known_terms(solver, start.function)
        self._weights = _weights(self._terms)

    def _sample(self, n_reads: int, n_sweeps: int, seed: int) -> np.ndarray:
        options = {"num_reads": n_reads, "num_sweeps": n_sweeps, "seed": seed}
        sampler = self._openjij.SASampler()
        if self._terms.degree > 2:
            found = sampler.sample_hubo(self._weights, vartype="BINARY", **options)
        else:
            found = sampler.sample_qubo(self._weights, **options)
        points = np.zeros((n_reads, self._terms.n_variables), np.uint8)
        points[:, list(found.variables)] = found.record.sample
        return points


def _weights(terms: Terms) -> dict[tuple[int, ...], float]:
    """Weights by their variables; a single one of a quadratic function comes twice."""
    weights: dict[tuple[int, ...], Any] = {}
    for degree, (variables, values) in terms.groups.items():
        twice = degree == 1 and terms.degree <= 2
        rows = (variables[:, [0, 0]] if twice else variables).tolist()
        weights.update(zip(map(tuple, rows), values.tolist(), strict=True))
    return weights
