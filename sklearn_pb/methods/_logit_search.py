"""A search whose mask comes from logits trained by an optimizer of their own."""

from __future__ import annotations

from abc import abstractmethod
from copy import deepcopy
from typing import Any

import torch

from ..constraints import PenaltyState
from ..distributions import Parametrization
from ._base import Function, Search, SearchSpace

_NO_MOMENTUM = 0.0


class LogitSearch(Search):
    """Common part of the learned masks: penalty, optimizer step, saved state.

    A subclass says what the mask is (`mask`), and how the cost's gradient reaches the
    logits (`_cost_gradient`).

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
    def _cost_gradient(
        self,
        function: Function | None,
        slope: torch.Tensor | None,
        slack: torch.Tensor | None,
    ) -> torch.Tensor:
        """Gradient of the cost alone for the logits."""

    def _slack(self) -> torch.Tensor:
        """Derivative of each probability by its logit, which the penalty acts by."""
        return self.parametrization.derivative(self.logits)

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one optimizer step on the logits, down the cost plus the penalty."""
        wants_slack = self.needs_slope or self.penalty is not None
        slack = self._slack() if wants_slack else None
        gradient = self._cost_gradient(function, slope, slack)
        if self.penalty is not None:
            assert slack is not None
            self._steer(gradient, slack)
            gradient.add_(slack, alpha=self.penalty.strength or 0.0)
        self.logits.grad = gradient
        self._optimizer.step()
        self.parametrization.constrain_(self.logits)

    def _steer(self, gradient: torch.Tensor, slack: torch.Tensor) -> None:
        assert self.penalty is not None
        if not self.penalty.calibrated:
            mean_slack = max(float(slack.abs().mean()), 1e-30)
            self.penalty.calibrate(float(gradient.abs().mean()) / mean_slack)
        elif self.penalty.target is not None:
            self.penalty.follow(self.density(), self.progress, self._step_size)

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
