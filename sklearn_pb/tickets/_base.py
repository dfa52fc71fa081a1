"""The contract of searches for tickets: what happens in and between their rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from sklearn.base import BaseEstimator, clone

from ..constraints import Constraint, Quota
from ..methods import Method
from ..utils import RandomStream, check_number


@dataclass(frozen=True)
class RoundEnd:
    """How a round of training has ended.

    Parameters
    ----------
    mask : torch.Tensor of bool, shape (d,)
        The hardened mask of the method; of a search that does not train, what the
        round has begun with.
    logits : torch.Tensor of shape (d,) or None
        Where the search over masks has ended, if the method learns its mask.
    progress : float
        Fraction of the search done, in [0, 1]; 1 unless training was stopped early.
    """

    mask: torch.Tensor
    logits: torch.Tensor | None
    progress: float


class TicketSearch(BaseEstimator, ABC):
    """Hyperparameters of a way to find tickets in rounds of training.

    A subclass says which method masks the network within a round, which mask is the
    ticket of the round, and where the next round starts.

    Attributes
    ----------
    rewinds : bool
        Whether the weights go back to the stored ones between rounds.
    goes_by_rate : bool
        Whether the pruning rate says how many variables a ticket keeps.
    """

    rewinds: bool
    goes_by_rate: ClassVar[bool] = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What the search is called."""

    @abstractmethod
    def check(self) -> None:
        """Raise a clear error if a hyperparameter is out of its range."""

    def runs(self) -> list[tuple[str, TicketSearch]]:
        """Return the independent runs that this search stands for.

        Returns
        -------
        runs : list of (str, TicketSearch)
            Each with its label; most searches are one run.
        """
        return [(self.name, clone(self))]

    @abstractmethod
    def method(self) -> Method | None:
        """Return what masks the network within a round.

        Returns
        -------
        method : Method or None
            None for a search that does not train.
        """

    def constraint(self) -> Constraint | None:
        """Return the price of a kept weight within a round.

        Returns
        -------
        constraint : Constraint or None
            None where the mask is not learned.
        """
        return None

    def first_logits(self, n_variables: int) -> torch.Tensor | None:
        """Return where the first round starts.

        Parameters
        ----------
        n_variables : int
            The number d of mask variables.

        Returns
        -------
        logits : torch.Tensor of shape (d,) or None
            In the parametrization of the method; None leaves it to the method.
        """
        return None

    def ticket(self, end: RoundEnd, quota: Quota, stream: RandomStream) -> torch.Tensor:
        """Return the ticket of a round.

        Parameters
        ----------
        end : RoundEnd
            How the round has ended.
        quota : Quota
            How many variables the pruning rate leaves after this round.
        stream : RandomStream
            Where the ticket is drawn, if it is.

        Returns
        -------
        mask : torch.Tensor of bool, shape (d,)
            By default the mask that the round has ended with.
        """
        return end.mask

    @abstractmethod
    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Return where the next round starts.

        Parameters
        ----------
        end : RoundEnd
            How this one has ended.
        ticket : torch.Tensor of bool, shape (d,)
            Its ticket.

        Returns
        -------
        logits : torch.Tensor of shape (d,)
            In the parametrization of the method; -inf is removed for good.
        """


def removed_for_good(ticket: torch.Tensor) -> torch.Tensor:
    """Return logits of a round in which all that is not in a ticket stays zero.

    Parameters
    ----------
    ticket : torch.Tensor of bool, shape (d,)
        The last ticket.

    Returns
    -------
    logits : torch.Tensor of shape (d,)
        0 and -inf.
    """
    return torch.zeros(len(ticket)).masked_fill_(~ticket, -torch.inf)


def check_common(search: TicketSearch, penalty: object = "auto") -> None:
    """Raise if what most searches have is out of its range.

    Parameters
    ----------
    search : TicketSearch
        Its `rewinds` is checked.
    penalty : object, default="auto"
        Its price of a kept weight.

    Raises
    ------
    TypeError
        If `rewinds` is not boolean, or `penalty` neither "auto" nor a number.
    ValueError
        If `penalty` is negative.
    """
    if not isinstance(search.rewinds, bool):
        raise TypeError(f"rewinds={search.rewinds!r} must be True or False.")
    if penalty != "auto":
        check_number(penalty, "penalty", low=0)
