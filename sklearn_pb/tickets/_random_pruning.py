"""Random pruning: what a search must be better than."""

from __future__ import annotations

import torch

from ..constraints import Quota
from ..utils import RandomStream
from ._base import RoundEnd, TicketSearch, removed_for_good


class RandomPruning(TicketSearch):
    """Remove a share of the weights at random each round, without any training.

    Its tickets are as sparse as those of `IterativeMagnitude`.

    Examples
    --------
    >>> from sklearn_pb.tickets import RandomPruning
    >>> RandomPruning().method() is None
    True
    """

    rewinds = True
    goes_by_rate = True

    @property
    def name(self) -> str:
        """ "random"."""
        return "random"

    def check(self) -> None:
        """There is nothing to check."""

    def method(self) -> None:
        """Return None, as there is no training."""
        return None

    def ticket(self, end: RoundEnd, quota: Quota, stream: RandomStream) -> torch.Tensor:
        """Return random ones of those that are left."""
        scores = torch.rand(len(end.mask), generator=stream.torch_generator())
        return quota.select(scores.masked_fill_(~end.mask, -torch.inf))

    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Remove for good what is not in the ticket."""
        return removed_for_good(ticket)
