"""Sampled masks that a search says it will ask the costs of."""

from __future__ import annotations

from dataclasses import dataclass

from ..distributions import CoupledSamples


@dataclass(frozen=True)
class SampledMasks:
    """The samples of a step, known before its training pass.

    Parameters
    ----------
    samples : CoupledSamples
        The masks; the first one is `Search.mask`.
    sliced : bool, default=False
        Whether each is to be run on a slice of the batch of its own.
    compared : bool, default=False
        Whether the cost on a slice is to be compared with that of the probabilities,
        taken for a mask, on the same slice.
    slopes : bool, default=False
        Whether the slopes by the masks will be asked for, too.
    """

    samples: CoupledSamples
    sliced: bool = False
    compared: bool = False
    slopes: bool = False
