"""How many bits a file needs for codes, without writing it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ._quantized_tensor import QuantizedTensor

_BITS_OF_A_STEP = 32
_TABLE = 1 << 22  # entries of a table of counts; beyond, codes are sorted


def coded_bits(quantized: Sequence[QuantizedTensor]) -> float:
    """Estimate the size of entropy-coded codes with their steps.

    Each tensor is coded by what is shorter: one adaptive model for all of its codes, or
    one for each channel of its first axis. An adaptive model takes the entropy of the
    codes and, for each symbol but the first, half of log2(n) bits to learn how frequent
    it is among n.

    Parameters
    ----------
    quantized : sequence of QuantizedTensor
        The tensors.

    Returns
    -------
    bits : float
        Without what a file says about names and shapes.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import QuantizedTensor, coded_bits
    >>> codes = torch.tensor([1, -1] * 8, dtype=torch.int32)
    >>> bits = torch.tensor(1, dtype=torch.uint8)
    >>> coded_bits([QuantizedTensor(codes, torch.tensor(1.0), bits)])
    50.0
    """
    return sum(_tensor_bits(tensor) for tensor in quantized)


def _tensor_bits(tensor: QuantizedTensor) -> float:
    codes = tensor.codes
    steps = _BITS_OF_A_STEP * tensor.step.numel()
    if not codes.numel():
        return float(steps)
    whole = _model_bits(codes.reshape(1, -1))
    if codes.dim() < 2:
        return steps + whole
    return steps + min(whole, _model_bits(codes.flatten(1)))


def _model_bits(rows: torch.Tensor) -> float:
    """Bits of codes with a model for each row."""
    counts, row = _counts(rows)
    n = rows.shape[1]
    entropy = rows.numel() * math.log2(n) - float((counts * counts.log2()).sum())
    symbols = torch.bincount(row, minlength=len(rows)) - 1
    return entropy + float(symbols.sum()) * 0.5 * math.log2(n)


def _counts(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How often each symbol of each row occurs, and which row that is."""
    low = int(rows.min())
    width = int(rows.max()) - low + 1
    number = torch.arange(len(rows), device=rows.device)[:, None]
    keys = (rows - low).long() + number * width
    if width * len(rows) <= _TABLE:
        counts = torch.bincount(keys.flatten())
        used = counts.nonzero().squeeze(1)
        counts = counts[used]
    else:
        used, counts = keys.unique(return_counts=True)
    return counts.double(), used // width
