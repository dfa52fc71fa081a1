"""Whole precisions with which codes have the size that is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ._code_counts import counted_bits
from ._codes import MOST_BITS, quantize_smol, smol_codes
from ._learned_precisions import Hardening, LearnedPrecisions
from ._quantized_tensor import QuantizedTensor
from ._sizes import size_in
from ._trim import largest_within

_WIDEST = 16.0  # log2 of how many times as wide as usual the band of zeros can get
_CLOSE = 0.02  # as a fraction of the target
_GOOD = 0.005  # the same for bytes, whose quick estimate is corrected until then
_CORRECTIONS = 6


class TargetFit:
    """The size of codes in the unit of a target, and how the target is met.

    Bytes are estimated from counts of codes, times what the real size was found to be
    in proportion to that.

    Parameters
    ----------
    precisions : LearnedPrecisions
        The real precisions.

    Attributes
    ----------
    ratio : float
        Real bytes, divided by their estimate from counts.
    """

    def __init__(self, precisions: LearnedPrecisions) -> None:
        self.precisions = precisions
        self.space = precisions.space
        self.target = self.space.target
        self.ratio = 1.0

    def check(self) -> None:
        """Raise if the target is less than any codes take.

        Raises
        ------
        ValueError
            If it cannot be met.
        """
        if self.target.value is None:
            return
        options = self.space.options
        least = 0 if options.zero_precision else (options.widths or (1,))[0]
        bits = [
            torch.full(weight.shape, least, dtype=torch.uint8, device=weight.device)
            * (torch.ones_like(weight, dtype=torch.bool) if alive is None else alive)
            for weight, alive in zip(self.space.weights, self.space.alive, strict=True)
        ]
        one = [torch.ones((), device=weight.device) for weight in self.space.weights]
        smallest = self.real_size(self.space.weights, bits, one)
        if smallest > self.target.value:
            raise ValueError(
                f"a target of {self.target.value:g} {self.target.unit} cannot be met: "
                f"with {least} bits for every weight it is {smallest:.4g} already."
            )

    def size(
        self,
        values: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
        how: Hardening,
    ) -> float:
        """Return the size of codes, by the estimate.

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
        bits = self.precisions.bits(values, how)
        if self.target.unit != "bytes":
            return self.real_size(values, bits, scales)
        return self.ratio * counted_bits(encode(values, bits, scales)) / 8

    def real_size(
        self,
        values: Sequence[torch.Tensor],
        bits: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
    ) -> float:
        """Return the size of codes.

        Parameters
        ----------
        values : sequence of torch.Tensor
            Weights in units of their scale.
        bits : sequence of torch.Tensor of uint8
            Bits of each.
        scales : sequence of torch.Tensor
            The scales.

        Returns
        -------
        size : float
            Mean bits, bytes or energy.
        """
        return size_in(
            self.target.unit,
            bits,
            self.space.uses,
            lambda: encode(values, bits, scales),
        )

    def calibrate(
        self,
        values: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
        how: Hardening,
    ) -> float:
        """Set the ratio by what it is at one point.

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
            The real one there.
        """
        bits = self.precisions.bits(values, how)
        size = self.real_size(values, bits, scales)
        if self.target.unit == "bytes":
            counted = counted_bits(encode(values, bits, scales)) / 8
            self.ratio = size / counted if counted > 0 else 1.0
        return size

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
        wanted = self.target.value
        if wanted is None:
            return Hardening()
        before = self.ratio  # this must not depend on who else has asked
        for _ in range(_CORRECTIONS):
            how = self._hardening(values, scales, wanted)
            if self.target.unit != "bytes":
                break
            size = self.calibrate(values, scales, how)
            if (1 - _GOOD) * wanted <= size <= (1 + _GOOD) * wanted:
                break
        self.ratio = before
        return how

    def _hardening(
        self,
        values: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
        wanted: float,
    ) -> Hardening:
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


def mean_bits(bits: Sequence[torch.Tensor]) -> float:
    """Return the mean over the weights of all tensors.

    Parameters
    ----------
    bits : sequence of torch.Tensor of uint8
        Bits of each weight.

    Returns
    -------
    mean : float
        0 without weights.
    """
    total = sum(float(own.sum(dtype=torch.float64)) for own in bits)
    return total / max(1, sum(own.numel() for own in bits))


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
