"""A search whose mask comes from logits trained by an optimizer of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch

from ..constraints import PenaltyState
from ..distributions import Parametrization
from ._base import Function, Search, SearchSpace

_NO_MOMENTUM = 0.0


class LogitSearch(Search):
    """Common part of the learned masks: penalty, optimizer step, saved state.

    A subclass says what the mask is (`mask`), and how the gradient of the cost and the
    price of a one (`_strength`) reach the logits (`_gradient`).

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    parametrization : Parametrization
        The map from logits to probabilities.
    initial_density : float
        Probability of a one at the start, in (0, 1).
    learning_rate : float
        Size of a step of the logits.
    smoothing : float
        Memory of the running mean square that steps are divided by, in [0, 1).
    """

    def __init__(
        self,
        space: SearchSpace,
        parametrization: Parametrization,
        initial_density: float,
        learning_rate: float,
        smoothing: float,
    ) -> None:
        super().__init__(space)
        start = roomy_density(initial_density, space.sparsity)
        probabilities = torch.full(
            (space.n_variables,), start, dtype=space.dtype, device=space.device
        )
        self.parametrization = parametrization
        self.logits = parametrization.logits(probabilities)
        self._optimizer = torch.optim.Adam(  # without momentum: RMSprop, but fused
            [self.logits],
            lr=learning_rate,
            betas=(_NO_MOMENTUM, smoothing),
            eps=1e-30,
            fused=True,
        )
        self.penalty: PenaltyState | None = None
        if space.penalty is not None:
            self.penalty = space.penalty.start(start, space.sparsity)

    @abstractmethod
    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        """Gradient of the cost plus the penalty for the logits."""

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one optimizer step on the logits, down the cost plus the penalty."""
        self.logits.grad = self._gradient(function, slope)
        self._optimizer.step()
        self.parametrization.constrain_(self.logits)

    def _strength(self, mean_slope: Callable[[], torch.Tensor]) -> float:
        """The price of a one now, given the mean slope of the cost by a one."""
        if self.penalty is None:
            return 0.0
        if not self.penalty.calibrated:
            self.penalty.calibrate(float(mean_slope()))
        elif self.penalty.target is not None:
            self.penalty.follow(self.density(), self.progress, self._step_size)
        return self.penalty.strength or 0.0

    def probabilities(self) -> torch.Tensor:
        """Return the probability of a one for each variable.

        Returns
        -------
        probabilities : torch.Tensor of shape (d,)
            In [0, 1].
        """
        return self.parametrization.probabilities(self.logits)

    def density(self) -> float:
        """Return the fraction of variables that are more likely one than zero.

        The mean probability is no guide to the mask that a search ends with: while
        the probabilities are undecided, few of them need be above one half.
        """
        return float((self.scores() >= 0).to(self.logits.dtype).mean())

    def scores(self) -> torch.Tensor:
        """Return the probabilities minus one half."""
        return self.probabilities() - 0.5

    def state_dict(self) -> dict[str, Any]:
        """Return logits, optimizer and penalty, with the step."""
        state = super().state_dict()
        state["logits"] = self.logits.clone()
        state["optimizer"] = deepcopy(self._optimizer.state_dict())
        state["penalty"] = self.penalty.state_dict() if self.penalty else None
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.logits.copy_(state["logits"])
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))
        if self.penalty is not None:
            self.penalty.load_state_dict(state["penalty"])


def roomy_density(initial: float, sparsity: float | None) -> float:
    """Return a start from which the wanted density can be reached by pruning.

    Parameters
    ----------
    initial : float
        The density that the method would start from.
    sparsity : float or None
        Fraction of zeros wanted at the end.

    Returns
    -------
    density : float
        `initial`, or half-way between the wanted density and 1 if that is higher than
        `initial` leaves room for.
    """
    if sparsity is None or 1 - sparsity < 0.8 * initial:
        return initial
    return max(initial, 1 - sparsity / 2)
