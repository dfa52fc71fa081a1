"""The size of quantized weights in the unit of a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ._code_entropy import coded_bits
from ._energy import estimate_energy
from ._quantized_tensor import QuantizedTensor


def size_in(
    unit: str,
    bits: Sequence[torch.Tensor],
    uses: Sequence[float],
    codes: Callable[[], Sequence[QuantizedTensor]],
) -> float:
    """Return the size of quantized weights.

    Parameters
    ----------
    unit : {"bits", "bytes", "energy"}
        As in `PrecisionTarget`.
    bits : sequence of torch.Tensor
        Bits of each weight, in the shape of the weights.
    uses : sequence of float
        Multiplications that one entry of each tensor takes part in.
    codes : callable
        Gives the codes; asked for where the unit is "bytes".

    Returns
    -------
    size : float
        In that unit.
    """
    if unit == "bytes":
        return coded_bits(codes()) / 8
    if unit == "energy":
        return estimate_energy(bits, list(uses)).energy
    total = sum(float(tensor.sum(dtype=torch.float64)) for tensor in bits)
    return total / max(1, sum(tensor.numel() for tensor in bits))
