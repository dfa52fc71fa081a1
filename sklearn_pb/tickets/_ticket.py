"""Tickets: subnetworks, with the weights that they are trained from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True, eq=False)
class Ticket:
    """A subnetwork that a round of a search has found, and what it is worth.

    Parameters
    ----------
    search : str
        Label of the search, with the hyperparameter in which its runs differ.
    run : int
        Which of the independent runs of the search it is, from 0.
    seed : int
        Which of the seeds of the finder it is, from 0.
    round : int
        The round that it was found in, from 1.
    masks : dict of str to torch.Tensor
        Boolean masks (True is kept), by parameter name.
    sparsity : float
        Fraction of mask variables that are zero.
    layer_sparsity : dict of str to float
        The same by layer.
    weights : dict of str to torch.Tensor
        State of the network that the ticket is trained from, before the mask. Tickets
        of one run share it.
    score : float
        On data that training has not seen, after retraining.
    search_epochs : int
        Epochs of training that the run has taken up to this round.
    retrain_epochs : int
        Epochs of the retraining.
    controls : dict of str to float
        Scores of the controls that were asked for, trained in the same way.
    """

    search: str
    run: int
    seed: int
    round: int
    masks: Mapping[str, torch.Tensor]
    sparsity: float
    layer_sparsity: Mapping[str, float]
    weights: Mapping[str, torch.Tensor]
    score: float
    search_epochs: int
    retrain_epochs: int
    controls: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return where it is from and what it is worth, without its tensors."""
        return (
            f"Ticket(search={self.search!r}, seed={self.seed}, round={self.round}, "
            f"sparsity={self.sparsity:.4f}, score={self.score:.4f})"
        )
