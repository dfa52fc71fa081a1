"""A tensor whose entries are whole numbers times a step."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """Codes, the steps that turn them into weights, and the bits each is counted with.

    Parameters
    ----------
    codes : torch.Tensor of int32
        Whole numbers, in the shape of the weights.
    step : torch.Tensor of float32
        What a code is multiplied by: one number of shape (), or a shape that
        broadcasts to that of the codes, as one step an output channel does.
    bits : torch.Tensor of uint8
        Bits of each weight as the papers count them, in a shape that broadcasts to
        that of the codes. 0 is a weight that is zero.

    Raises
    ------
    TypeError
        If one of them has another type.
    ValueError
        If the shapes do not go together, or a step is not finite.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import QuantizedTensor
    >>> codes = torch.tensor([-3, 1, 0], dtype=torch.int32)
    >>> bits = torch.tensor([2, 2, 0], dtype=torch.uint8)
    >>> quantized = QuantizedTensor(codes, torch.tensor(0.5), bits)
    >>> quantized.dequantize()
    tensor([-1.5000,  0.5000,  0.0000])
    >>> round(quantized.mean_bits, 2)
    1.33
    """

    codes: torch.Tensor
    step: torch.Tensor
    bits: torch.Tensor

    def __post_init__(self) -> None:
        """Check types and shapes."""
        expected = {"codes": torch.int32, "step": torch.float32, "bits": torch.uint8}
        for name, dtype in expected.items():
            found = getattr(self, name).dtype
            if found != dtype:
                raise TypeError(f"{name} must be a tensor of {dtype}, not {found}.")
        for name in ("step", "bits"):
            shape = getattr(self, name).shape
            if not _broadcasts(shape, self.codes.shape):
                raise ValueError(
                    f"{name} has shape {tuple(shape)}, which does not broadcast to "
                    f"that of the codes, {tuple(self.codes.shape)}."
                )
        if not bool(torch.isfinite(self.step).all()):
            raise ValueError("step has entries that are not finite.")

    @property
    def shape(self) -> torch.Size:
        """Shape of the weights."""
        return self.codes.shape

    @property
    def mean_bits(self) -> float:
        """Bits a weight, as the papers count them."""
        bits = self.bits.expand(self.shape)
        return float(bits.double().mean()) if bits.numel() else 0.0

    @property
    def sparsity(self) -> float:
        """Fraction of zeros."""
        return float((self.codes == 0).double().mean()) if self.codes.numel() else 0.0

    def dequantize(self) -> torch.Tensor:
        """Return the weights.

        Returns
        -------
        weights : torch.Tensor of float32
            Codes times steps, rounded once.
        """
        return self.codes.to(torch.float32) * self.step


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    """Return whether a tensor of one shape can be expanded to another."""
    last = to[len(to) - len(shape) :]
    return len(shape) <= len(to) and all(
        size in (1, wanted) for size, wanted in zip(shape, last, strict=True)
    )
