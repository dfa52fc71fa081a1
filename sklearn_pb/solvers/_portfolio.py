"""Several methods that share one budget evenly."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from ..budget import Evaluator
from ..functions import PseudoBooleanFunction
from ..methods import Method
from ..utils import check_choice
from ._base import Run, Solver, Start
from ._begin import begin
from ._checks import check_fits
from ._presets import resolve


class Portfolio(Solver):
    """Run several methods side by side, for equal evaluations.

    The turn is always with the method that has used least so far. All of them see the
    same budget, so that each one's schedule ends when the whole ends.

    Parameters
    ----------
    methods : list of str, Method or Solver
        At least one: presets' names, or objects.
    share : {"evaluations", "seconds"}, default="evaluations"
        What is shared out evenly. By seconds the course depends on the machine.

    Examples
    --------
    >>> from sklearn_pb import Budget, minimize
    >>> from sklearn_pb.functions import LABS
    >>> from sklearn_pb.solvers import Portfolio
    >>> portfolio = Portfolio(["annealing", "tabu"])
    >>> result = minimize(
    ...     LABS(10), method=portfolio, budget=Budget(evaluations=5000), random_state=0
    ... )
    >>> result.fun
    13.0
    """

    def __init__(
        self, methods: Sequence[str | Method | Solver], *, share: str = "evaluations"
    ) -> None:
        self.methods = methods
        self.share = share

    def check(self) -> None:
        """Raise if a method is unknown or a hyperparameter out of its range."""
        if isinstance(self.methods, str) or not len(self.methods):
            raise ValueError(
                f"methods={self.methods!r} must be a list of at least one method."
            )
        check_choice(self.share, "share", ("evaluations", "seconds"))
        for method in self.methods:
            resolve(method)

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise if one of the methods cannot minimise the function."""
        for method in self.methods:
            check_fits(resolve(method), method, function)

    def start(self, start: Start) -> PortfolioRun:
        """Begin a run of each method."""
        return PortfolioRun(
            [
                begin(resolve(method), replace(start, stream=start.stream.child(i)))
                for i, method in enumerate(self.methods)
            ],
            self.share,
        )


class PortfolioRun(Run):
    """A run of `Portfolio`.

    Parameters
    ----------
    runs : list of Run
        The members.
    share : str
        "evaluations" or "seconds".

    Attributes
    ----------
    runs : list of Run
        The members.
    used : list of float
        What each has used so far, in units of `share`.
    """

    def __init__(self, runs: list[Run], share: str) -> None:
        self.runs = runs
        self.used = [0.0] * len(runs)
        self._share = share

    def advance(self, evaluator: Evaluator) -> None:
        """Give a step to the member that has used least."""
        self.step += 1
        turn = self.used.index(min(self.used))
        before = self._meter(evaluator)
        evaluator.share = 1 / len(self.runs)
        try:
            self.runs[turn].advance(evaluator)
        finally:
            self.used[turn] += self._meter(evaluator) - before

    def _meter(self, evaluator: Evaluator) -> float:
        if self._share == "evaluations":
            return float(evaluator.n_evaluations)
        return time.perf_counter()

    def probabilities(self) -> torch.Tensor | None:
        """Return those of the first member that has any."""
        given = (run.probabilities() for run in self.runs)
        return next((theta for theta in given if theta is not None), None)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all members."""
        return {
            "step": self.step,
            "used": list(self.used),
            "runs": [run.state_dict() for run in self.runs],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.step = state["step"]
        self.used = list(state["used"])
        for run, saved in zip(self.runs, state["runs"], strict=True):
            run.load_state_dict(saved)
