"""The contract of criteria: what a variable must show to be kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator

from .._base import SearchSpace


class Criterion(BaseEstimator, ABC):
    """Settings of a rule that scores variables; a schedule says when it cuts.

    A criterion holds no state. One that looks at the cost turns the slope of each
    batch into evidence (`evidence`), the search averages it over batches, and `scores`
    is given the average.

    Attributes
    ----------
    needs_weights : bool
        Whether the scores are made from network weights.
    needs_slope : bool
        Whether they are made from the slope of the cost by the mask.
    n_batches : int
        Number of batches that must have been seen before the first cut.
    smoothing : float
        Memory of the average, in [0, 1]; with 1 all batches count the same.
    monotone : bool
        Whether, within a layer, a larger weight with a slope that grows with it always
        means a higher score; `sklearn_pb.testing.check_method` looks into that.
    """

    needs_weights: ClassVar[bool] = False
    needs_slope: ClassVar[bool] = False
    monotone: ClassVar[bool] = True
    n_batches: int = 0
    smoothing: float = 1.0

    def check(self) -> None:
        """Raise a clear error if a setting is out of its range."""

    def evidence(self, slope: torch.Tensor) -> torch.Tensor:
        """Return what is averaged over batches.

        Parameters
        ----------
        slope : torch.Tensor of shape (d,)
            dJ/dmask at the mask of the batch: for a kept variable the sum of weight
            times gradient over its weights. May be overwritten.

        Returns
        -------
        evidence : torch.Tensor of shape (d,)
            The slope itself, unless a criterion says otherwise.
        """
        return slope

    @abstractmethod
    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return how much each variable deserves to be kept.

        Parameters
        ----------
        space : SearchSpace
            What is masked.
        kept : torch.Tensor of shape (d,)
            1 for variables that compete, 0 for those that are out for good.
        evidence : torch.Tensor of shape (d,) or None
            The average over batches so far; None before the first one.

        Returns
        -------
        scores : torch.Tensor of shape (d,)
            Higher is kept longer; those of variables that are out are not looked at.
        """


class RunningMean:
    """The mean over batches: plain at first, then one that forgets.

    Parameters
    ----------
    smoothing : float
        A new batch weighs at least ``1 - smoothing``; with 1, all weigh the same.

    Attributes
    ----------
    count : int
        Number of batches seen.
    mean : torch.Tensor of shape (d,) or None
        None before the first batch.
    """

    def __init__(self, smoothing: float) -> None:
        self._least = 1 - smoothing
        self.count = 0
        self.mean: torch.Tensor | None = None

    def add(self, values: torch.Tensor) -> None:
        """Take in one batch; its memory may be used again afterwards."""
        self.count += 1
        if self.mean is None:
            self.mean = values.clone()
        else:
            self.mean.lerp_(values, max(1 / self.count, self._least))

    def state_dict(self) -> dict[str, Any]:
        """Return the mean and the count."""
        mean = None if self.mean is None else self.mean.clone()
        return {"count": self.count, "mean": mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.count = state["count"]
        self.mean = None if state["mean"] is None else state["mean"].clone()
