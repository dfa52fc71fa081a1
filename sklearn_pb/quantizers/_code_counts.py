"""A quick estimate of what codes take, from how often each occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ._quantized_tensor import QuantizedTensor

_TABLE = 1 << 22  # entries of a table of counts; beyond, codes are sorted


def counted_bits(quantized: Sequence[QuantizedTensor]) -> float:
    """Return the entropy of codes, with what it takes to learn their frequencies.

    Each tensor has what is less: one adaptive model for all of its codes, or one for
    each channel of its first axis. For each symbol but the first, a model takes half of
    log2(n) bits to learn how frequent it is among n. `coded_bits` knows better models,
    but needs many times as long.

    Parameters
    ----------
    quantized : sequence of QuantizedTensor
        The tensors.

    Returns
    -------
    bits : float
        Of the codes alone.
    """
    return sum(_tensor_bits(tensor.codes) for tensor in quantized)


def _tensor_bits(codes: torch.Tensor) -> float:
    if not codes.numel():
        return 0.0
    whole = _model_bits(codes.reshape(1, -1))
    return whole if codes.dim() < 2 else min(whole, _model_bits(codes.flatten(1)))


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
