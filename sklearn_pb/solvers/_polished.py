"""A method whose best point is polished by local search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..budget import Evaluator
from ..functions import PseudoBooleanFunction
from ..methods import Method
from ..utils import check_number
from ._base import Run, Solver, Start
from ._begin import begin
from ._checks import check_fits
from ._local_search import LocalSearch
from ._presets import resolve

_POLISH = 1  # address below the stream of the run


class Polished(Solver):
    """Give a method most of the budget, and local search from its best point the rest.

    Parameters
    ----------
    method : str, Method or Solver, default="loorf"
        What searches first.
    share : float, default=0.8
        Its fraction of the budget, in (0, 1).

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import LABS
    >>> from sklearn_pb.solvers import Polished
    >>> result = minimize(
    ...     LABS(10),
    ...     method=Polished("arms"),
    ...     budget=Budget(evaluations=5000),
    ...     random_state=0,
    ... )
    >>> result.fun
    13.0
    """

    def __init__(
        self, method: str | Method | Solver = "loorf", *, share: float = 0.8
    ) -> None:
        self.method = method
        self.share = share

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        resolve(self.method)
        check_number(self.share, "share", low=0, high=1, low_open=True, high_open=True)

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise if the method cannot minimise the function."""
        check_fits(resolve(self.method), self.method, function)

    def start(self, start: Start) -> PolishedRun:
        """Begin a run."""
        return PolishedRun(begin(resolve(self.method), start), start, self.share)


class PolishedRun(Run):
    """A run of `Polished`.

    Parameters
    ----------
    first : Run
        The run of the method.
    start : Start
        Where it began.
    share : float
        Its fraction of the budget.
    """

    def __init__(self, first: Run, start: Start, share: float) -> None:
        self._first = first
        self._start = replace(start, stream=start.stream.child(_POLISH))
        self._share = share
        self._polish: Run | None = None

    def advance(self, evaluator: Evaluator) -> None:
        """Do one step of the phase that the budget has reached."""
        self.step += 1
        evaluator.phase_end = self._share if self._polish is None else 1.0
        found = evaluator.best_point is not None
        if self._polish is None and evaluator.progress >= 1.0 and found:
            evaluator.phase_end = 1.0
            self._polish = self._begin_polish(evaluator.best_point)
        run = self._first if self._polish is None else self._polish
        run.advance(evaluator)

    def _begin_polish(self, best: torch.Tensor | None) -> Run:
        assert best is not None
        probabilities = best.cpu().numpy().astype(np.float64)
        return LocalSearch().start(replace(self._start, probabilities=probabilities))

    def probabilities(self) -> torch.Tensor | None:
        """Return those of the method."""
        return self._first.probabilities()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both phases."""
        polish = None if self._polish is None else self._polish.state_dict()
        return {"step": self.step, "first": self._first.state_dict(), "polish": polish}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step = state["step"]
        self._first.load_state_dict(state["first"])
        if state["polish"] is not None:
            self._polish = LocalSearch().start(self._start)
            self._polish.load_state_dict(state["polish"])
