"""A search whose mask comes from logits trained by an optimizer of their own."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch

from ..constraints import ConstraintRun
from ..distributions import Direct, Parametrization
from ..utils import placed
from ._base import Function, Search, SearchSpace

_LEAST = 1e-5  # probabilities that a constraint sets stay this far from 0 and 1
_SETTLED = 1e-3  # and those that are this close count as 0 and 1 there
_EPSILON = 1e-30  # gradients of any size make full steps
OPTIMIZERS = ("rmsprop", "sgd")


class LogitSearch(Search):
    """Common part of the learned masks: constraint, optimizer step, saved state.

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
    momentum : float, default=0.0
        Memory of the running mean of the gradients, in [0, 1).
    optimizer : {"rmsprop", "sgd"}, default="rmsprop"
        How the logits step; "sgd" leaves gradients as they are.
    epsilon : float, default=1e-30
        Root mean square below which gradients make smaller steps of RMSprop.
    """

    def __init__(
        self,
        space: SearchSpace,
        parametrization: Parametrization,
        initial_density: float,
        learning_rate: float,
        smoothing: float,
        *,
        momentum: float = 0.0,
        optimizer: str = "rmsprop",
        epsilon: float = _EPSILON,
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
        self._gone: torch.Tensor | None = None
        if space.logits is not None:
            self.logits = space.logits.to(probabilities, copy=True)
            gone = self.logits == -torch.inf
            self._gone = gone if gone.any() else None
        self.logits = placed(self.logits, 1)
        self._optimizer: torch.optim.Optimizer
        if optimizer == "sgd":
            self._optimizer = torch.optim.SGD(
                [self.logits], lr=learning_rate, momentum=momentum
            )
        else:
            self._optimizer = LogitAdam(
                self.logits, learning_rate, momentum, smoothing, epsilon
            )
        self.constraint = ConstraintRun()
        if space.constraint is not None:
            self.constraint = space.constraint.start(space.quota, start)

    @abstractmethod
    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        """Gradient of the cost plus the price of ones, for the logits."""

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one optimizer step on the logits, within the constraint."""
        self.logits.grad = self._pulled(self._gradient(function, slope))
        if not self.constraint.confines:
            self._optimizer.step()
            self.parametrization.constrain_(self.logits)
        else:
            before = self._settled(self._position())
            self._optimizer.step()
            position = self._position()
            self._move_to(self.constraint.confine_(position, before, self.progress))
        self._keep_gone()

    def _keep_gone(self) -> None:
        """What began as a zero for good stays one, wherever a step has put it."""
        if self._gone is not None:
            self.logits.masked_fill_(self._gone, -torch.inf)

    def _pulled(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient with what the constraint adds for the logits themselves."""
        pull = self.constraint.pull(
            self.logits, gradient.abs, self.kept, self.progress, self._step_size
        )
        return gradient.add_(pull) if isinstance(pull, torch.Tensor) else gradient

    def _position(self) -> torch.Tensor:
        """Where a constraint acts: the probabilities, outside [0, 1] if logits are."""
        if isinstance(self.parametrization, Direct):
            return self.logits.clone()
        return self.probabilities()

    def _settled(self, position: torch.Tensor) -> torch.Tensor:
        """A position with what cannot go on towards 0 or 1 already there."""
        if isinstance(self.parametrization, Direct):
            return position
        position = torch.where(position <= _SETTLED, 0.0, position)
        return torch.where(position >= 1 - _SETTLED, 1.0, position)

    def _move_to(self, position: torch.Tensor) -> None:
        """Set the logits to what gives these probabilities."""
        if not isinstance(self.parametrization, Direct):
            position = position.clamp_(_LEAST, 1 - _LEAST)
        self.logits.copy_(self.parametrization.logits(position))

    def _price(self, slopes: Callable[[], torch.Tensor]) -> torch.Tensor | float:
        """The price of a one now: a number, or one a variable.

        `slopes` gives the absolute slope of the cost by each variable.
        """
        price = self.constraint.price(slopes, self.kept, self.progress, self._step_size)
        return price.to(self.logits) if isinstance(price, torch.Tensor) else price

    @property
    def strength(self) -> float | None:
        """The price of a one, averaged over groups; None without a price."""
        return self.constraint.strength

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
        kept, costs = self.kept(), self.space.quota.costs
        return float((kept if costs is None else kept * costs.to(kept)).mean())

    def kept(self) -> torch.Tensor:
        """Return one for what is more likely one than zero."""
        return (self.scores() >= 0).to(self.logits.dtype)

    def scores(self) -> torch.Tensor:
        """Return the probabilities minus one half."""
        return self.probabilities() - 0.5

    def state_dict(self) -> dict[str, Any]:
        """Return logits, optimizer and constraint, with the step."""
        state = super().state_dict()
        state["logits"] = self.logits.clone()
        state["optimizer"] = deepcopy(self._optimizer.state_dict())
        state["constraint"] = self.constraint.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.logits.copy_(state["logits"])
        self._optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self.constraint.load_state_dict(state["constraint"])


class LogitAdam(torch.optim.Adam):
    """RMSprop with Adam's correction of the first steps, and momentum if asked for.

    Parameters
    ----------
    logits : torch.Tensor
        What steps.
    learning_rate : float
        Size of a step.
    momentum, smoothing : float
        Memory of the mean and of the mean square of the gradients, in [0, 1).
    epsilon : float
        Root mean square below which gradients make smaller steps.
    """

    _count: float | None = None  # of steps, where the state is behind

    def __init__(
        self,
        logits: torch.Tensor,
        learning_rate: float,
        momentum: float,
        smoothing: float,
        epsilon: float,
    ) -> None:
        betas = momentum, smoothing
        super().__init__([logits], learning_rate, betas, epsilon, fused=True)

    @property
    def square(self) -> torch.Tensor:
        """The running mean square of the gradients, shaped as the logits."""
        return self._state()["exp_avg_sq"]

    def begin_step(self) -> tuple[float, float, float]:
        """Count a step without momentum that is made in place of `step`.

        Returns
        -------
        smoothing, rate, epsilon : float
            Memory of `square`, size of the step, and what is added to the root of
            `square`; the correction for the first steps is in the latter two.
        """
        (group,) = self.param_groups
        if self._count is None:
            self._count = self._state()["step"].item()
        self._count += 1
        smoothing = group["betas"][1]
        correction = math.sqrt(1 - smoothing**self._count)
        return smoothing, group["lr"] * correction, group["eps"] * correction

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Take a step."""
        self._write_count()
        self._count = None
        return super().step(closure)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with all steps counted."""
        self._write_count()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._count = None
        super().load_state_dict(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy needs, with all steps counted."""
        self._write_count()
        return super().__getstate__()

    def _write_count(self) -> None:
        if self._count is not None:
            self._state()["step"].fill_(self._count)

    def _state(self) -> dict[str, torch.Tensor]:
        """The state of the logits, made here as `step` makes it."""
        (logits,) = self.param_groups[0]["params"]
        state = self.state[logits]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=logits.device)
            state["exp_avg"] = torch.zeros_like(logits)
            state["exp_avg_sq"] = placed(torch.zeros_like(logits), 2)
        return state


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
