"""A search whose mask comes from logits trained by an optimizer of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
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
    price of a one (`_price`) reach the logits (`_gradient`).

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
        probabilities = space.probabilities
        if probabilities is None:
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
        self._sizes = space.groups or [space.n_variables]
        self.penalties: list[PenaltyState] = []  # one a group, steered apart
        if space.penalty is not None:
            self.penalties = [
                space.penalty.start(start, space.sparsity) for _ in self._sizes
            ]

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

    def _price(self, slopes: Callable[[], torch.Tensor]) -> torch.Tensor | float:
        """The price of a one now: a number, or one a variable if there are groups.

        `slopes` gives the absolute slope of the cost by each variable.
        """
        if not self.penalties:
            return 0.0
        if not self.penalties[0].calibrated:
            for penalty, part in self._grouped(slopes()):
                penalty.calibrate(float(part.mean()))
        elif self.penalties[0].target is not None:
            for penalty, part in self._grouped(self._kept()):
                penalty.follow(float(part.mean()), self.progress, self._step_size)
        prices = [penalty.strength or 0.0 for penalty in self.penalties]
        if len(prices) == 1:
            return prices[0]
        by_group = zip(self._sizes, prices, strict=True)
        return torch.cat([self.logits.new_full((n,), price) for n, price in by_group])

    def _grouped(
        self, values: torch.Tensor
    ) -> Iterator[tuple[PenaltyState, torch.Tensor]]:
        return zip(self.penalties, values.split(self._sizes), strict=True)

    @property
    def strength(self) -> float | None:
        """The price of a one, averaged over groups; None without a penalty."""
        if not self.penalties:
            return None
        return sum(p.strength or 0.0 for p in self.penalties) / len(self.penalties)

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
        return float(self._kept().mean())

    def _kept(self) -> torch.Tensor:
        """What each variable counts for in the density."""
        return (self.scores() >= 0).to(self.logits.dtype)

    def scores(self) -> torch.Tensor:
        """Return the probabilities minus one half."""
        return self.probabilities() - 0.5

    def state_dict(self) -> dict[str, Any]:
        """Return logits, optimizer and penalty, with the step."""
        state = super().state_dict()
        state["logits"] = self.logits.clone()
        state["optimizer"] = deepcopy(self._optimizer.state_dict())
        state["penalties"] = [penalty.state_dict() for penalty in self.penalties]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.logits.copy_(state["logits"])
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))
        for penalty, saved in zip(self.penalties, state["penalties"], strict=True):
            penalty.load_state_dict(saved)


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
