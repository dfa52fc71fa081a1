"""The contract of constraints: how many ones, or at what price."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator

from ._quota import Quota

Values = Callable[[], torch.Tensor]


class Constraint(BaseEstimator, ABC):
    """Settings of a constraint on a learned mask; `start` begins a run under it.

    A constraint acts in one or more of three ways: it adds a price to the slope of the
    cost, it pulls the logits, or it moves the probabilities after each step of the
    optimizer.

    Attributes
    ----------
    sparsity : float or None
        Fraction of zeros that the constraint itself asks for, if it has such a setting.
    """

    sparsity: float | None = None

    def check(self) -> None:
        """Raise a clear error if a setting is out of its range."""

    @abstractmethod
    def start(self, quota: Quota, initial_density: float) -> ConstraintRun:
        """Begin a run.

        Parameters
        ----------
        quota : Quota
            How many variables are to be kept, if that is known.
        initial_density : float
            Expected fraction of ones at the start.

        Returns
        -------
        run : ConstraintRun
            The state of the constraint during one search.
        """


class ConstraintRun:
    """The state of a constraint during one search; this one constrains nothing.

    Attributes
    ----------
    confines : bool
        Whether `confine_` moves anything.
    strength : float or None
        The price of a one, for the table of progress; None where there is none.
    """

    confines: ClassVar[bool] = False
    strength: float | None = None

    @property
    def is_uniform_price(self) -> bool:
        """Whether this is nothing but one price for all variables, or none at all."""
        own = type(self)
        free = own.pull is ConstraintRun.pull and not self.confines
        return free and own.price is ConstraintRun.price

    def price(
        self, slopes: Values, kept: Values, progress: float, step_size: float
    ) -> torch.Tensor | float:
        """Return what is added to the slope of the cost by each probability.

        Parameters
        ----------
        slopes : callable
            Gives the (d,) absolute slopes of the cost by each variable.
        kept : callable
            Gives what each of the d variables counts for in the density, in [0, 1].
        progress : float
            Fraction of the search done, in [0, 1].
        step_size : float
            Fraction of the search that this step is.

        Returns
        -------
        price : float or torch.Tensor of shape (d,)
            In units of the cost.
        """
        return 0.0

    def uniform_price(
        self,
        slopes: Values,
        density: Callable[[], float],
        progress: float,
        step_size: float,
    ) -> float:
        """Return the price of every one, if `is_uniform_price`, from less than `price`.

        Parameters
        ----------
        slopes : callable
            As in `price`.
        density : callable
            Gives the mean of what the variables count for.
        progress : float
            Fraction of the search done, in [0, 1].
        step_size : float
            Fraction of the search that this step is.

        Returns
        -------
        price : float
            In units of the cost.
        """
        return 0.0

    def pull(
        self,
        logits: torch.Tensor,
        slopes: Values,
        kept: Values,
        progress: float,
        step_size: float,
    ) -> torch.Tensor | float:
        """Return what is added to the gradient for the logits themselves.

        Parameters
        ----------
        logits : torch.Tensor of shape (d,), or (components, d)
            Where they are, in the units of the method.
        slopes : callable
            Gives the absolute gradient for each logit.
        kept : callable
            Gives what each of the d variables counts for in the density, in [0, 1].
        progress : float
            Fraction of the search done, in [0, 1].
        step_size : float
            Fraction of the search that this step is.

        Returns
        -------
        pull : float or torch.Tensor shaped as `logits`
            In units of the cost by the logits.
        """
        return 0.0

    def confine_(
        self, position: torch.Tensor, before: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Correct a step of the probabilities, in place.

        Parameters
        ----------
        position : torch.Tensor of shape (d,)
            Where the optimizer has moved them; changed.
        before : torch.Tensor of shape (d,)
            Where they were.
        progress : float
            Fraction of the search done, in [0, 1].

        Returns
        -------
        position : torch.Tensor of shape (d,)
            The same tensor.
        """
        return position

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Numbers and tensors.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
