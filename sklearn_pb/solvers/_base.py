"""The contract of solvers: hyperparameters that start a run over binary points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from ..budget import Budget, Evaluator
from ..constraints import L0Penalty
from ..functions import PseudoBooleanFunction
from ..utils import RandomStream


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Parameters
    ----------
    function : PseudoBooleanFunction
        What is minimised, with the price of ones in it.
    stream : RandomStream
        Where every draw comes from.
    budget : Budget
        The limits, for those that plan ahead.
    probabilities : numpy.ndarray of shape (d,), default=None
        A warm start: the probability of a one for each variable, 0 and 1 for a point.
    penalty : L0Penalty, default=None
        The price of a one, for a method over logits that is told it apart from the
        function.
    device : torch.device or str, default="cpu"
        Where a method over logits evaluates its points.
    """

    function: PseudoBooleanFunction
    stream: RandomStream
    budget: Budget
    probabilities: np.ndarray | None = None
    penalty: L0Penalty | None = None
    device: torch.device | str = "cpu"

    def generator(self) -> np.random.Generator:
        """Return a numpy generator at the address of the stream.

        Returns
        -------
        generator : numpy.random.Generator
            A fresh one; its state can be saved and restored.
        """
        return np.random.Generator(np.random.SFC64(self.stream.key))

    def points(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Draw points to start from.

        Parameters
        ----------
        n : int
            How many.
        generator : numpy.random.Generator
            Where the draws come from.

        Returns
        -------
        points : numpy.ndarray of uint8, shape (n, d)
            From the warm start, the first its likeliest point; without one, anywhere.
        """
        if self.probabilities is None:
            return self.anywhere(n, generator)
        points = _drawn(n, self.probabilities, generator)
        points[0] = self.probabilities >= 0.5
        return points

    def anywhere(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Draw points to start from again, whatever the warm start.

        Parameters
        ----------
        n : int
            How many.
        generator : numpy.random.Generator
            Where the draws come from.

        Returns
        -------
        points : numpy.ndarray of uint8, shape (n, d)
            Uniform, or from the function's own initial probabilities.
        """
        theta = self.function.initial_probabilities
        if theta is None:
            return generator.integers(0, 2, (n, self.function.n_variables), np.uint8)
        return _drawn(n, theta, generator)


def _drawn(n: int, theta: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return (generator.random((n, len(theta))) < theta).astype(np.uint8)


class Run(ABC):
    """A search under way, taken a step at a time.

    Attributes
    ----------
    step : int
        Steps begun.
    """

    step: int = 0

    @abstractmethod
    def advance(self, evaluator: Evaluator) -> None:
        """Do one step: a fraction of a second's work on small problems.

        Every cost goes through the evaluator, which keeps the best point: by calling
        it, or by `Evaluator.allowance` and `Evaluator.charge`.

        Parameters
        ----------
        evaluator : Evaluator
            The function under its budget.

        Raises
        ------
        BudgetExhausted
            When a limit is reached, from the evaluator; or with the reason "optimal"
            when the best point is proved to be one.
        """

    def probabilities(self) -> torch.Tensor | None:
        """Return the probability of a one for each variable, if the run has any.

        Returns
        -------
        probabilities : torch.Tensor of shape (d,) or None
            In [0, 1].
        """
        return None

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later: numbers, arrays, tensors, and dicts.

        Returns
        -------
        state : dict
            A copy.
        """

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """


class Solver(BaseEstimator, ABC):
    """Hyperparameters of a search over binary points; `start` begins one."""

    @abstractmethod
    def check(self) -> None:
        """Raise a clear error if a hyperparameter is out of its range."""

    def check_fits(self, function: PseudoBooleanFunction) -> None:
        """Raise a clear error if the function lacks what the solver needs.

        Parameters
        ----------
        function : PseudoBooleanFunction
            What is to be minimised.

        Raises
        ------
        ValueError
            Naming the solver, the function and what is missing.
        """

    @abstractmethod
    def start(self, start: Start) -> Run:
        """Begin a run.

        Parameters
        ----------
        start : Start
            The function, the draws, the warm start.

        Returns
        -------
        run : Run
            The state of the search.
        """
