"""Precisions that are learned as logits of noise, and how they become whole bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ._base import QuantizationSpace
from ._codes import (
    MOST_BITS,
    logits_of_bits,
    power_of_two,
    precision_of_logits,
    quantize_smol,
    real_precision,
    smol_codes,
)
from ._quantized_tensor import QuantizedTensor
from ._sizes import size_in
from ._trim import largest_within

_GOLDEN = 0.6180339887498949
_WIDEST = 16.0  # a band of zeros so many times as wide as zero precision has it
_CLOSE = 0.02  # as a fraction of the target


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
                half = power_of_two(-bits.to(torch.int32)).to(value.dtype)
                bits = bits * (value.abs() > how.band * half)
            spread.append(bits if alive is None else bits * alive)
        return spread

    def size(
        self,
        values: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
        how: Hardening,
    ) -> float:
        """Return the size of the codes in the unit of the target.

        Parameters
        ----------
        values : sequence of torch.Tensor
            Weights in units of their scale.
        scales : sequence of torch.Tensor
            The scales.
        how : Hardening
            How precisions become whole.

        Returns
        -------
        size : float
            Mean bits, bytes or energy.
        """
        bits = self.bits(values, how)
        space = self.space
        return size_in(
            space.target.unit, bits, space.uses, lambda: encode(values, bits, scales)
        )

    def hardening(
        self, values: Sequence[torch.Tensor], scales: Sequence[torch.Tensor]
    ) -> Hardening:
        """Return how precisions become whole so that the target is met.

        All precisions are moved by the same, and where they are too few to come close,
        the band of zeros is widened.

        Parameters
        ----------
        values : sequence of torch.Tensor
            Weights in units of their scale.
        scales : sequence of torch.Tensor
            The scales.

        Returns
        -------
        how : Hardening
            Without a target, the plain one.
        """
        wanted = self.space.target.value
        if wanted is None:
            return Hardening()

        def with_offset(offset: float) -> float:
            return self.size(values, scales, Hardening(offset))

        within, beyond = largest_within(with_offset, wanted, -MOST_BITS, MOST_BITS)
        close = (1 - _CLOSE) * wanted <= with_offset(within) <= wanted
        if close or not self.space.options.zero_precision:
            return Hardening(within)

        def with_band(narrowness: float) -> float:
            return self.size(values, scales, Hardening(beyond, 2.0**-narrowness))

        narrowness, _ = largest_within(with_band, wanted, -_WIDEST, 0.0)
        return Hardening(beyond, 2.0**-narrowness)


def encode(
    values: Sequence[torch.Tensor],
    bits: Sequence[torch.Tensor],
    scales: Sequence[torch.Tensor],
) -> list[QuantizedTensor]:
    """Return the codes of weights.

    Parameters
    ----------
    values : sequence of torch.Tensor
        Weights in units of their scale.
    bits : sequence of torch.Tensor of uint8
        Bits of each.
    scales : sequence of torch.Tensor of float32
        The scales.

    Returns
    -------
    codes : list of QuantizedTensor
        On the device of the values.
    """
    quantized = []
    for value, own, scale in zip(values, bits, scales, strict=True):
        largest = int(own.max()) if own.numel() else 0
        step = scale * 2.0 ** (1 - largest)
        quantized.append(QuantizedTensor(smol_codes(value, own, largest), step, own))
    return quantized


def rounded(
    values: torch.Tensor, bits: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Return what the codes of weights stand for, to the last bit.

    Parameters
    ----------
    values : torch.Tensor
        Weights in units of their scale.
    bits : torch.Tensor of uint8
        Bits of each.
    scale : torch.Tensor of float32
        The scale.

    Returns
    -------
    weights : torch.Tensor of float32
        Powers of two apart, codes times steps are grid values times the scale.
    """
    return quantize_smol(values, bits).to(torch.float32) * scale
