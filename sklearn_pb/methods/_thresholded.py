"""Hard choices of real scores, and slopes that pass them as if they were not there."""

from __future__ import annotations

from typing import Protocol

import torch

from ..distributions import Sigmoid
from ..utils import RandomStream, check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import LogitSearch

_HALF = 0.5  # probability at the threshold


class Thresholded(Method):
    """Keep what scores at least 0; scores learn as if the mask were the scores.

    Parameters
    ----------
    initial_score : float, default=0.05
        Where scores start above the threshold.
    learning_rate : float, default=0.01
        Size of a step of the scores (RMSprop).
    smoothing : float, default=0.9
        Memory of RMSprop, in [0, 1).

    Notes
    -----
    Piggyback (Mallya et al., 2018) with frozen weights; binarised as in Courbariaux et
    al. (2015). Their scores start at 0.01 with the threshold 0.005, which is our
    ``initial_score=0.005``, and move by Adam steps of 1e-4 over many more steps. It is
    `StraightThrough` without draws.

    Examples
    --------
    >>> from sklearn_pb.methods import Thresholded
    >>> Thresholded(initial_score=0.1)
    Thresholded(initial_score=0.1)
    """

    needs_relaxable = True

    def __init__(
        self,
        *,
        initial_score: float = 0.05,
        learning_rate: float = 0.01,
        smoothing: float = 0.9,
    ) -> None:
        self.initial_score = initial_score
        self.learning_rate = learning_rate
        self.smoothing = smoothing

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.initial_score, "initial_score")
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)

    def _begin_(self, scores: torch.Tensor, stream: RandomStream) -> None:
        scores.fill_(self.initial_score)

    def start(self, space: SearchSpace) -> ThresholdedSearch:
        """Begin a search."""
        return ThresholdedSearch(space, self)


class Scored(Protocol):
    """What the run of a method with scores reads of the method."""

    learning_rate: float
    smoothing: float

    def _begin_(self, scores: torch.Tensor, stream: RandomStream) -> None:
        """Set the scores that a search starts from."""


class ThresholdedSearch(LogitSearch):
    """A run of `Thresholded`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : Thresholded or another with scores
        The hyperparameters.
    """

    needs_slope = True

    def __init__(self, space: SearchSpace, method: Scored) -> None:
        # Scores count as log-odds where a constraint wants probabilities.
        super().__init__(
            space, Sigmoid(), _HALF, method.learning_rate, method.smoothing
        )
        if space.starts_cold:
            method._begin_(self.logits, space.stream)

    def mask(self) -> torch.Tensor:
        """Return ones where scores are at least 0."""
        return (self.logits >= 0).to(self.logits.dtype)

    def scores(self) -> torch.Tensor:
        """Return the scores themselves."""
        return self.logits.clone()

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert slope is not None
        return slope.add_(self._price(lambda: slope.abs()))
