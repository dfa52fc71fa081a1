"""DoReFa: training with uniformly rounded weights, all of the same bits."""

from __future__ import annotations

from typing import ClassVar

import torch

from ._activations import PACT, Activations
from ._base import Quantization, QuantizationSpace
from ._straight_through import (
    StraightThroughRun,
    check_bits,
    fixed_bits,
    living_means,
    magnitudes,
)
from ._uniform import odd_codes, odd_step


class DoReFa(Quantization):
    """Round weights to :math:`2^k` even levels in every pass of the training.

    Parameters
    ----------
    bits : int, default=None
        k, from 1 to 16. None takes the target, or without one the initial bits.
    activation_bits : int, default=None
        Bits of activations, by `PACT`, unless activations are chosen elsewhere; None
        leaves them alone.

    Notes
    -----
    Zhou et al. (2016), equations 8 to 11. For k > 1 a weight is

    .. math:: m \\left( 2 \\, \\mathrm{quantize}_k\\left(
        \\frac{\\tanh w}{2 \\max |\\tanh w|} + \\frac12 \\right) - 1 \\right)

    and for k = 1 it is the sign of w times the mean of abs(w). The gradient takes the
    rounding for the identity, and the maximum for a constant. The source has m = 1,
    which suits networks that normalise what comes out of each layer; that is
    ``scale=None`` of the estimator. With a scale a layer (or a channel), m is the
    maximum of abs(tanh(w)) of the layer (or channel), so that weights keep their size;
    "learned" is taken as "layer". Levels are odd multiples of half a step, the grid of
    SMOL: there is no zero, but for weights that were pruned before.

    Examples
    --------
    >>> from sklearn_pb.quantizers import DoReFa
    >>> DoReFa(bits=3)
    DoReFa(bits=3)
    """

    learns_precision: ClassVar[bool] = False

    def __init__(
        self, *, bits: int | None = None, activation_bits: int | None = None
    ) -> None:
        self.bits = bits
        self.activation_bits = activation_bits

    def check(self) -> None:
        """Raise if a number of bits is out of its range."""
        check_bits(self.bits)
        if self.activation_bits is not None:
            PACT(self.activation_bits).check()

    def default_activations(self) -> Activations | None:
        """Return PACT if there are activation bits."""
        return None if self.activation_bits is None else PACT(self.activation_bits)

    def start(self, space: QuantizationSpace) -> DoReFaRun:
        """Begin a run."""
        return DoReFaRun(space, fixed_bits(space, self.bits))


class DoReFaRun(StraightThroughRun):
    """A run of `DoReFa`.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    bits : int
        k.
    """

    def encode(
        self, index: int, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return odd codes, and the step that makes them levels."""
        if self.bits == 1:
            codes = odd_codes(weight.sign(), 1)
            means = living_means(weight, self.space.alive[index], self._axis(index))
            return codes, means.to(torch.float32)
        squeezed = weight.tanh()
        largest = magnitudes(squeezed, self._axis(index))
        codes = odd_codes(squeezed / _nonzero(largest), self.bits)
        step = odd_step(self.bits).to(weight.device)
        if self.space.options.scale is None:
            return codes, step
        return codes, (step * largest).to(torch.float32)

    def pull_back_(
        self, index: int, weight: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """Multiply by the derivative of the squeezed weight; a sign passes all."""
        if self.bits == 1:
            return
        squeezed = weight.tanh()
        gradient.mul_(1 - squeezed * squeezed)
        if self.space.options.scale is None:
            gradient.div_(_nonzero(magnitudes(squeezed, self._axis(index))))

    def _axis(self, index: int) -> int | None:
        """The axis of channels that have scales of their own."""
        if self.space.options.scale == "channel":
            return self.space.channel_axes[index]
        return None


def _nonzero(largest: torch.Tensor) -> torch.Tensor:
    return torch.where(largest > 0, largest, torch.ones_like(largest))
