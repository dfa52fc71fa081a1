"""The control: which variables stay is a matter of chance."""

from __future__ import annotations

import torch

from .._base import SearchSpace
from ._base import Criterion


class RandomScores(Criterion):
    """Keep variables by chance; what does not beat this ranks nothing.

    Notes
    -----
    The scores are the same all along a search, so that cuts little by little end with
    the same mask as one cut.

    Examples
    --------
    >>> from sklearn_pb.methods import OneShot, RandomScores
    >>> OneShot(RandomScores(), at=0.0)
    OneShot(at=0.0, criterion=RandomScores())
    """

    monotone = False

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return uniform draws, in [0, 1)."""
        return torch.rand(
            space.n_variables,
            generator=space.stream.child(0).torch_generator(space.device),
            dtype=space.dtype,
            device=space.device,
        )
