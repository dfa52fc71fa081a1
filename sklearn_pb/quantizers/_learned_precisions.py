"""Precisions that are learned as logits of noise, and how they become whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ._base import QuantizationSpace
from ._codes import (
    MOST_BITS,
    logits_of_bits,
    precision_of_logits,
    real_precision,
    zero_precision,
)

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Hardening:
    """How real precisions become whole ones.

    Parameters
    ----------
    offset : float, default=0.0
        Bits added to all before they are made whole.
    band : float, default=1.0
        How many times as wide as in zero precision allocation the band of zeros is.
    dither : float, default=0.001
        Width in bits of the spread that is added, a different part of it to each group,
        so that not all with equal precisions change at once. 1 gives a size that has no
        jumps.
    """

    offset: float = 0.0
    band: float = 1.0
    dither: float = 0.001


SMOOTH = Hardening(dither=1.0)


class LearnedPrecisions:
    """The real precision of each group of weights, and the codes that follow from it.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.

    Attributes
    ----------
    logits : torch.Tensor of shape (n_groups,)
        s of all tensors, one after the other.
    sizes : list of int
        Number of groups of each tensor.
    """

    def __init__(self, space: QuantizationSpace) -> None:
        self.space = space
        self.sizes = [groups.n_groups for groups in space.groups]
        device = space.weights[0].device
        start = float(logits_of_bits(space.options.initial_bits))
        self.logits = torch.full((sum(self.sizes),), start, device=device)
        numbers = torch.arange(len(self.logits), device=device, dtype=torch.float64)
        self._spread = torch.frac(numbers * _GOLDEN) - 0.5

    def spread(self, values: torch.Tensor) -> list[torch.Tensor]:
        """Give each weight the value of its group.

        Parameters
        ----------
        values : torch.Tensor of shape (n_groups,)
            One a group.

        Returns
        -------
        spread : list of torch.Tensor
            Each broadcasts to its tensor of weights.
        """
        parts = values.split(self.sizes)
        return [g.spread(p) for g, p in zip(self.space.groups, parts, strict=True)]

    def shares(self) -> torch.Tensor:
        """Return what a bit more in each group adds to the mean of all bits.

        Returns
        -------
        shares : torch.Tensor of shape (n_groups,)
            Fractions of all weights; dead ones count in the whole only. Where the
            target is energy, a weight counts as often as it is used.
        """
        space, by_use = self.space, self.space.target.unit == "energy"
        parts, total = [], 0.0
        for weight, groups, alive, uses in zip(
            space.weights, space.groups, space.alive, space.uses, strict=True
        ):
            factor = uses if by_use else 1.0
            living = torch.ones(weight.shape, device=weight.device)
            parts.append(factor * groups.sums(living if alive is None else alive * 1.0))
            total += factor * weight.numel()
        return torch.cat(parts).to(self.logits) / max(total, 1e-30)

    def bits(
        self, values: Sequence[torch.Tensor], how: Hardening
    ) -> list[torch.Tensor]:
        """Return the whole number of bits of each weight.

        Parameters
        ----------
        values : sequence of torch.Tensor
            Weights in units of their scale.
        how : Hardening
            How precisions become whole.

        Returns
        -------
        bits : list of torch.Tensor of uint8
            In the shapes of the weights.
        """
        options = self.space.options
        logits = self.logits
        if self.space.target.value is not None:
            real = real_precision(logits.double()) + how.offset
            real += how.dither * self._spread
            logits = logits_of_bits(real.clamp(1, MOST_BITS + 1))
        whole = self.spread(
            precision_of_logits(logits, options.rounding, options.widths)
        )
        spread = []
        for value, bits, alive in zip(values, whole, self.space.alive, strict=True):
            bits = bits.expand(value.shape)
            if options.zero_precision:
                bits = zero_precision(value, bits, how.band)
            spread.append(bits if alive is None else bits * alive)
        return spread
