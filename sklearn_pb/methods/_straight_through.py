"""Straight-through: Bernoulli masks in the forward pass, none in the backward pass."""

from __future__ import annotations

import torch

from ..distributions import Independent, Sigmoid
from ..utils import RandomStream, check_choice, check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import OPTIMIZERS, LogitSearch

HARDENINGS = ("threshold", "sample")
_LAST = 1  # address of the sample that a search ends with


class StraightThrough(Method):
    """Sample a mask, then treat it as its own probability.

    Parameters
    ----------
    derivative : bool, default=False
        False: the slope by the mask is the gradient of the logits (the identity).
        True: times the derivative of the sigmoid.
    initial_probability : float, default=0.5
        Probability of a one at the start.
    learning_rate : float, default=0.1
        Size of a step of the logits.
    smoothing : float, default=0.9
        Memory of RMSprop, in [0, 1).
    optimizer : {"rmsprop", "sgd"}, default="rmsprop"
        How the logits step; plain SGD wants a learning rate that fits the size of the
        gradients, often a very large one.
    hardening : {"threshold", "sample"}, default="threshold"
        Which mask a search ends with: all ones that are more likely than not, or a last
        sample. Where the number of ones is fixed, what was sampled comes first.

    Notes
    -----
    Bengio et al. (2013); Silva (2023), section 5.1. Biased: it uses the slope of J at
    corners in place of differences between them. With ``optimizer="sgd"`` and
    ``hardening="sample"`` it is a round of Savarese (2025), algorithm 4.
    """

    needs_relaxable = True

    def __init__(
        self,
        *,
        derivative: bool = False,
        initial_probability: float = 0.5,
        learning_rate: float = 0.1,
        smoothing: float = 0.9,
        optimizer: str = "rmsprop",
        hardening: str = "threshold",
    ) -> None:
        self.derivative = derivative
        self.initial_probability = initial_probability
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.optimizer = optimizer
        self.hardening = hardening

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(
            self.initial_probability,
            "initial_probability",
            low=0,
            high=1,
            low_open=True,
            high_open=True,
        )
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)
        check_choice(self.optimizer, "optimizer", OPTIMIZERS)
        check_choice(self.hardening, "hardening", HARDENINGS)

    def start(self, space: SearchSpace) -> StraightThroughSearch:
        """Begin a search."""
        return StraightThroughSearch(space, self)


class StraightThroughSearch(LogitSearch):
    """A run of `StraightThrough`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : StraightThrough
        The hyperparameters.
    """

    needs_slope = True

    def __init__(self, space: SearchSpace, method: StraightThrough) -> None:
        super().__init__(
            space,
            Sigmoid(),
            method.initial_probability,
            method.learning_rate,
            method.smoothing,
            optimizer=method.optimizer,
        )
        self._derivative = method.derivative
        self._samples_last = method.hardening == "sample"

    def mask(self) -> torch.Tensor:
        """Return a fresh sample."""
        return self._sample(self.space.stream.child(self.step))

    def _sample(self, stream: RandomStream) -> torch.Tensor:
        return Independent(self.probabilities(), 1, stream).draw(range(1))[0]

    def harden(self) -> torch.Tensor:
        """Return what is more likely one than zero, or a last sample."""
        if not self._samples_last:
            return super().harden()
        sample = self._sample(self.space.stream.child(self.step, _LAST))
        scores = sample - 0.75 + self.probabilities() / 2
        gone = self.logits == -torch.inf
        return self.space.quota.select(scores.masked_fill_(gone, -torch.inf))

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert slope is not None
        slope.add_(
            self._price(lambda: slope.abs())
        )  # the price goes straight through, too
        if self._derivative:
            slope.mul_(self.parametrization.derivative(self.logits))
        return slope
