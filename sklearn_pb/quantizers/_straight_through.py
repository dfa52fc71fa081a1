"""Runs that round the weights in every pass and let gradients go through."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from ..utils import check_number
from ._base import QuantizationRun, QuantizationSpace
from ._codes import MOST_BITS
from ._quantized_tensor import QuantizedTensor


class StraightThroughRun(QuantizationRun):
    """Every pass runs with codes times steps; the backward pass ignores the rounding.

    A subclass implements `encode`, and `pull_back_` where the gradient by the weights
    is not that by their rounded values. Entries that are not alive have code 0 and no
    gradient, whatever the grid.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    bits : int
        Bits of every weight that is alive.
    """

    def __init__(self, space: QuantizationSpace, bits: int) -> None:
        super().__init__(space)
        self.bits = bits

    @abstractmethod
    def encode(
        self, index: int, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the codes of a tensor of weights, and the step.

        Parameters
        ----------
        index : int
            Which of the tensors it is.
        weight : torch.Tensor
            In full precision.

        Returns
        -------
        codes : torch.Tensor of int32
            In the shape of the weights; those of dead entries do not matter.
        step : torch.Tensor of float32
            Of shape (), or one that broadcasts to that of the weights.
        """

    def pull_back_(
        self, index: int, weight: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """Turn the gradient by rounded weights into that by the weights, in place.

        Parameters
        ----------
        index : int
            Which of the tensors it is.
        weight : torch.Tensor
            In full precision.
        gradient : torch.Tensor
            Left alone here.
        """

    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write the rounded weights, in training as after it."""
        with torch.no_grad():
            for index, (weight, lent) in enumerate(zip(weights, out, strict=True)):
                codes, step = self._living_codes(index, weight.detach())
                lent.copy_(codes.to(torch.float32) * step)

    def collect(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Pull gradients back to the weights; dead entries have none."""
        with torch.no_grad():
            for index, (weight, gradient) in enumerate(
                zip(weights, gradients, strict=True)
            ):
                if gradient is None:
                    continue
                self.pull_back_(index, weight.detach(), gradient)
                alive = self.space.alive[index]
                if alive is not None:
                    gradient.masked_fill_(~alive, 0.0)

    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return the codes of the weights as they are."""
        quantized = []
        with torch.no_grad():
            for index, weight in enumerate(weights):
                codes, step = self._living_codes(index, weight.detach())
                bits = self._counted_bits(index, codes)
                quantized.append(QuantizedTensor(codes.cpu(), step.cpu(), bits.cpu()))
        return quantized

    def mean_bits(self) -> float:
        """Return the bits of a weight, averaged over dead and living ones."""
        living, everyone = 0.0, 0
        for weight, alive in zip(self.space.weights, self.space.alive, strict=True):
            everyone += weight.numel()
            living += weight.numel() if alive is None else float(alive.sum())
        return self.bits * living / max(1, everyone)

    def _counted_bits(self, index: int, codes: torch.Tensor) -> torch.Tensor:
        """Bits of each weight, as a uint8 tensor that broadcasts to the codes."""
        alive = self.space.alive[index]
        if alive is None:
            return torch.tensor(self.bits, dtype=torch.uint8)
        # Another zero among dead ones: no file should have to tell them apart.
        return (codes != 0).to(torch.uint8) * self.bits

    def _living_codes(
        self, index: int, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        codes, step = self.encode(index, weight)
        alive = self.space.alive[index]
        if alive is not None:
            codes = codes.masked_fill(~alive, 0)
        return codes, step


def fixed_bits(space: QuantizationSpace, bits: int | None) -> int:
    """Return the bits of a method that searches for none.

    Parameters
    ----------
    space : QuantizationSpace
        Gives the target, or the initial bits where there is none.
    bits : int or None
        What the method itself was told; it comes first.

    Returns
    -------
    bits : int
        From 1 to 16.

    Raises
    ------
    ValueError
        If the target is not a whole number of bits, or not among the widths.
    """
    if bits is None:
        target, named = space.target, "initial_bits"
        value: float = space.options.initial_bits
        if target.value is not None:
            if target.unit != "bits":
                raise ValueError(
                    f"a target in {target.unit} needs a method that learns precisions; "
                    "one that gives all weights the same takes a target in bits."
                )
            value, named = target.value, "target_bits"
        if value != int(value):
            raise ValueError(
                f"{named}={value!r} must be a whole number for a method that gives all "
                "weights the same number of bits."
            )
        bits = int(value)
    check_number(bits, "bits", low=1, high=MOST_BITS, integer=True)
    widths = space.options.widths
    if widths is not None and bits not in widths:
        raise ValueError(f"bits={bits} must be one of the widths {tuple(widths)}.")
    return bits


def check_bits(bits: int | None) -> None:
    """Raise unless bits are None or a whole number from 1 to 16.

    Parameters
    ----------
    bits : int or None
        Bits of a code.
    """
    if bits is not None:
        check_number(bits, "bits", low=1, high=MOST_BITS, integer=True)


def magnitudes(weight: torch.Tensor, axis: int | None) -> torch.Tensor:
    """Return the largest absolute value, of a tensor or of each output channel.

    Parameters
    ----------
    weight : torch.Tensor
        The weights.
    axis : int or None
        The axis of the output channels; None takes the tensor as a whole.

    Returns
    -------
    largest : torch.Tensor
        Of shape (), or one that broadcasts to that of the weights; 0 without weights.
    """
    if not weight.numel():
        return weight.new_zeros(())
    if axis is None or not weight.dim():
        return weight.abs().amax()
    others = [i for i in range(weight.dim()) if i != axis]
    return weight.abs().amax(dim=others, keepdim=True) if others else weight.abs()


def living_means(
    weight: torch.Tensor, alive: torch.Tensor | None, axis: int | None
) -> torch.Tensor:
    """Return the mean absolute value of living weights, of a tensor or each channel.

    Parameters
    ----------
    weight : torch.Tensor
        The weights.
    alive : torch.Tensor of bool or None
        Which count; None is all.
    axis : int or None
        The axis of the output channels; None takes the tensor as a whole.

    Returns
    -------
    means : torch.Tensor
        As `magnitudes` returns; 0 where nothing lives.
    """
    ones = torch.ones_like(weight) if alive is None else alive.to(weight.dtype)
    total, count = weight.abs() * ones, ones
    if axis is None or not weight.dim():
        return total.sum() / count.sum().clamp(min=1)
    others = [i for i in range(weight.dim()) if i != axis]
    if not others:
        return total
    return total.sum(others, keepdim=True) / count.sum(others, keepdim=True).clamp(
        min=1
    )
