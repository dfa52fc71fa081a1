"""Sampling kernels for the CPU: samples regenerated block by block, never stored.

A *word* is 64 random bits at the address (keys, word number); it is cut into four
16-bit or two 32-bit draws, one a coordinate. `_reference.py` says the same in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import DTypeLike

from ..utils import RandomStream
from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2

BLOCK = 1 << 15  # draws made at once: their scratch arrays stay in the L2 cache
TIES = 1  # sub-stream that settles draws equal to their 16-bit threshold
PRODUCT = 16  # uniforms multiplied before one logarithm is taken
_COUNTERS = np.arange(BLOCK, dtype=np.uint64) * np.uint64(GOLDEN)

Block = Callable[[np.ndarray, slice], np.ndarray]


def words(first: np.ndarray, second: np.ndarray, start: int, count: int) -> np.ndarray:
    """Random words ``start, start + 1, ...`` of each pair of keys, uint64 (m, count).

    SplitMix64 with a second key added between its two multiplications.
    """
    offset = np.uint64((start * GOLDEN) & 0xFFFFFFFFFFFFFFFF)
    x = np.add(_COUNTERS[:count], (first + offset)[:, None])
    y = np.right_shift(x, np.uint64(30))
    np.bitwise_xor(x, y, out=x)
    np.multiply(x, np.uint64(MULTIPLIER_1), out=x)
    np.right_shift(x, np.uint64(27), out=y)
    np.bitwise_xor(x, y, out=x)
    np.add(x, second[:, None], out=x)
    np.multiply(x, np.uint64(MULTIPLIER_2), out=x)
    np.right_shift(x, np.uint64(31), out=y)
    return np.bitwise_xor(x, y, out=x)


def _draws(
    stream: RandomStream, samples: np.ndarray, columns: slice, dtype: type
) -> np.ndarray:
    """Unsigned integer draws (m, columns) of the width of `dtype`."""
    per_word = 8 // np.dtype(dtype).itemsize
    start, stop = columns.start // per_word, -(-columns.stop // per_word)
    drawn = words(*stream.sample_keys(samples), start, stop - start)
    return drawn.view(dtype)[:, : columns.stop - columns.start]


def _blocks(d: int, samples: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
    """Groups of samples and ranges of coordinates, at most `BLOCK` draws each."""
    group = max(1, BLOCK // d)
    for start in range(0, d, BLOCK):
        for i in range(0, len(samples), group):
            yield samples[i : i + group], slice(start, min(start + BLOCK, d))


def _fill(block: Block, d: int, samples: np.ndarray, dtype: DTypeLike) -> torch.Tensor:
    z = np.empty((len(samples), d), dtype)
    for rows, columns in _blocks(d, np.arange(len(samples))):
        z[rows, columns] = block(samples[rows], columns)
    return torch.from_numpy(z)


def _weighted_sum(
    block: Block, d: int, weights: torch.Tensor, dtype: DTypeLike
) -> torch.Tensor:
    w = weights.numpy().astype(dtype)
    total = np.zeros(d, dtype)
    for rows, columns in _blocks(d, np.arange(len(w))):
        total[columns] += w[rows] @ block(rows, columns).astype(dtype)
    return torch.from_numpy(total)


def _bernoulli_block(probabilities: np.ndarray, stream: RandomStream) -> Block:
    """Exact samples: 53 more bits refine a draw equal to its 16-bit threshold."""
    tie_stream = stream.child(TIES)

    def block(samples: np.ndarray, columns: slice) -> np.ndarray:
        scaled = probabilities[columns] * 65536
        threshold = np.minimum(scaled, 65535).astype(np.uint16)
        draws = _draws(stream, samples, columns, np.uint16)
        z = draws < threshold
        ties = np.flatnonzero(draws == threshold)
        if len(ties):
            rows, cols = np.divmod(ties, z.shape[1])
            first, second = tie_stream.sample_keys(samples[rows])
            first += (cols + columns.start).astype(np.uint64) * np.uint64(GOLDEN)
            fine = (words(first, second, 0, 1)[:, 0] >> np.uint64(11)) * 2.0**-53
            z[rows, cols] = fine < scaled[cols].astype(np.float64) - threshold[cols]
        return z

    return block


def bernoulli(
    probabilities: torch.Tensor, stream: RandomStream, samples: range
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    p = probabilities.numpy()
    return _fill(_bernoulli_block(p, stream), len(p), np.asarray(samples), p.dtype)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor, stream: RandomStream, weights: torch.Tensor
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    p = probabilities.numpy()
    return _weighted_sum(_bernoulli_block(p, stream), len(p), weights, p.dtype)


def dirichlet_thresholds(
    tail: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (d,) below which a 32-bit draw means the event of the copula.

    With exponentials E_s = -log u_s and their sum S, the event E_s / S >= c has
    probability (1 - c)^(n-1), which is `tail` for c = 1 - tail^(1/(n-1)). Seen from
    the draw it is u_s <= exp(-c S): one threshold for all samples of a coordinate.
    """
    q = tail.numpy()
    thresholds = np.empty(len(q), np.uint32)
    for start in range(0, len(q), BLOCK):
        columns = slice(start, min(start + BLOCK, len(q)))
        log_sum = np.zeros(columns.stop - start)
        group = min(PRODUCT, max(1, BLOCK // len(q)))
        for first in range(0, n_samples, PRODUCT):
            product = np.ones_like(log_sum)
            for s in range(first, min(first + PRODUCT, n_samples), group):
                part = np.arange(s, min(s + group, first + PRODUCT, n_samples))
                draws = _draws(stream, part, columns, np.uint32)
                product *= np.multiply.reduce((draws + 0.5) * 2.0**-32, axis=0)
            log_sum += np.log(product)
        with np.errstate(divide="ignore"):
            log_tail = np.log(q[columns].astype(np.float64))
        c = -np.expm1(log_tail / (n_samples - 1))
        limit = np.minimum(np.exp(c * log_sum) * 2.0**32 + 0.5, 2.0**32 - 1)
        thresholds[columns] = np.where(q[columns] > 0, limit, 0.0)
    return torch.from_numpy(thresholds)


def _coupled_block(
    thresholds: torch.Tensor, complement: torch.Tensor, stream: RandomStream
) -> Block:
    limits, flipped = thresholds.numpy(), complement.numpy()

    def block(samples: np.ndarray, columns: slice) -> np.ndarray:
        draws = _draws(stream, samples, columns, np.uint32)
        return (draws < limits[columns]) != flipped[columns]

    return block


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    block = _coupled_block(thresholds, complement, stream)
    return _fill(block, len(thresholds), np.asarray(samples), _NUMPY[dtype])


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    block = _coupled_block(thresholds, complement, stream)
    return _weighted_sum(block, len(thresholds), weights, _NUMPY[dtype])


_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}
