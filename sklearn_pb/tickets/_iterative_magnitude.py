"""Iterative magnitude pruning, the search that the others are compared with."""

from __future__ import annotations

import torch

from ..methods import Criterion, OneShot
from ._base import RoundEnd, TicketSearch, check_common, removed_for_good


class IterativeMagnitude(TicketSearch):
    """Train, remove a share of the smallest weights, rewind, and again.

    Parameters
    ----------
    criterion : str or Criterion, default="l2"
        What is kept, see `sklearn_pb.methods.OneShot`; "l2" is the magnitude.
    rewinds : bool, default=True
        Whether weights go back to the stored ones between rounds; without it weights
        go on, which is often better.

    Notes
    -----
    Savarese (2025), algorithm 3, after Frankle and Carbin (2019); "imp-continued" is
    its section 4.4.2. After round r exactly round(d (1 - rate)^r) of d are kept,
    whatever ties there are.

    Examples
    --------
    >>> from sklearn_pb.tickets import IterativeMagnitude
    >>> IterativeMagnitude(rewinds=False).name
    'imp-continued'
    """

    goes_by_rate = True

    def __init__(
        self, criterion: str | Criterion = "l2", *, rewinds: bool = True
    ) -> None:
        self.criterion = criterion
        self.rewinds = rewinds

    @property
    def name(self) -> str:
        """ "imp", or "imp-continued" without rewinding."""
        return "imp" if self.rewinds else "imp-continued"

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        self.method().check()
        check_common(self)

    def method(self) -> OneShot:
        """Return a cut at the end of the round."""
        return OneShot(self.criterion, at=1.0)

    def next_logits(self, end: RoundEnd, ticket: torch.Tensor) -> torch.Tensor:
        """Remove for good what is not in the ticket."""
        return removed_for_good(ticket)
