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

Block = Callable[[slice, slice], np.ndarray]
Keys = tuple[np.ndarray, np.ndarray]


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


def _draws(keys: Keys, rows: slice, columns: slice, dtype: type) -> np.ndarray:
    """Unsigned integer draws (m, columns) of the width of `dtype`."""
    per_word = 8 // np.dtype(dtype).itemsize
    start, stop = columns.start // per_word, -(-columns.stop // per_word)
    drawn = words(keys[0][rows], keys[1][rows], start, stop - start)
    return drawn.view(dtype)[:, : columns.stop - columns.start]


def _blocks(d: int, n: int) -> Iterator[tuple[slice, slice]]:
    """Groups of samples and ranges of coordinates, at most `BLOCK` draws each."""
    group = max(1, BLOCK // d)
    for start in range(0, d, BLOCK):
        for i in range(0, n, group):
            yield slice(i, min(i + group, n)), slice(start, min(start + BLOCK, d))


def _fill(block: Block, d: int, n: int, dtype: DTypeLike) -> torch.Tensor:
    z = np.empty((n, d), dtype)
    for rows, columns in _blocks(d, n):
        z[rows, columns] = block(rows, columns)
    return torch.from_numpy(z)


def _weighted_sum(
    block: Block, d: int, weights: torch.Tensor, dtype: DTypeLike
) -> torch.Tensor:
    w = weights.numpy().astype(dtype)
    total = np.zeros(d, dtype)
    for rows, columns in _blocks(d, len(w)):
        z = block(rows, columns)
        if len(z) == 1:  # a matrix product with one row is slower than this
            total[columns] += np.multiply(z[0], w[rows][0], dtype=dtype)
        else:
            total[columns] += w[rows] @ z.astype(dtype)
    return torch.from_numpy(total)


class _BernoulliBlock:
    """Exact samples: 53 more bits refine a draw equal to its 16-bit threshold."""

    def __init__(
        self, probabilities: np.ndarray, stream: RandomStream, samples: np.ndarray
    ) -> None:
        self._probabilities = probabilities
        self._keys = stream.sample_keys(samples)
        self._tie_keys = stream.child(TIES).sample_keys(samples)
        self._columns = slice(0, 0)  # where the thresholds at hand belong

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        if columns != self._columns:
            self._columns = columns
            self._scaled = self._probabilities[columns] * 65536
            self._threshold = np.minimum(self._scaled, 65535).astype(np.uint16)
        draws = _draws(self._keys, rows, columns, np.uint16)
        z = draws < self._threshold
        ties = np.flatnonzero(draws == self._threshold)
        if len(ties):
            self._settle(z, ties, rows)
        return z

    def _settle(self, z: np.ndarray, ties: np.ndarray, rows: slice) -> None:
        at_row, at_column = np.divmod(ties, z.shape[1])
        first, second = (keys[rows][at_row] for keys in self._tie_keys)
        numbers = (at_column + self._columns.start).astype(np.uint64)
        drawn = words(first + numbers * np.uint64(GOLDEN), second, 0, 1)[:, 0]
        fine = (drawn >> np.uint64(11)) * 2.0**-53
        remainder = self._scaled[at_column].astype(np.float64)
        z[at_row, at_column] = fine < remainder - self._threshold[at_column]


def bernoulli(
    probabilities: torch.Tensor, stream: RandomStream, samples: range
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    p = probabilities.numpy()
    block = _BernoulliBlock(p, stream, np.asarray(samples))
    return _fill(block, len(p), len(samples), p.dtype)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor, stream: RandomStream, weights: torch.Tensor
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    p = probabilities.numpy()
    block = _BernoulliBlock(p, stream, np.arange(len(weights)))
    return _weighted_sum(block, len(p), weights, p.dtype)


def dirichlet_thresholds(
    tail: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (d,) below which a 32-bit draw means the event of the copula.

    With exponentials E_s = -log u_s and their sum S, the event E_s / S >= c has
    probability (1 - c)^(n-1), which is `tail` for c = 1 - tail^(1/(n-1)). Seen from
    the draw it is u_s <= exp(-c S): one threshold for all samples of a coordinate.
    """
    q = tail.numpy()
    keys = stream.sample_keys(np.arange(n_samples))
    thresholds = np.empty(len(q), np.uint32)
    for start in range(0, len(q), BLOCK):
        columns = slice(start, min(start + BLOCK, len(q)))
        log_sum = np.zeros(columns.stop - start)
        group = min(PRODUCT, max(1, BLOCK // len(q)))
        for first in range(0, n_samples, PRODUCT):
            product = np.ones_like(log_sum)
            for s in range(first, min(first + PRODUCT, n_samples), group):
                rows = slice(s, min(s + group, first + PRODUCT, n_samples))
                draws = _draws(keys, rows, columns, np.uint32)
                product *= np.multiply.reduce((draws + 0.5) * 2.0**-32, axis=0)
            log_sum += np.log(product)
        with np.errstate(divide="ignore"):
            log_tail = np.log(q[columns].astype(np.float64))
        c = -np.expm1(log_tail / (n_samples - 1))
        limit = np.minimum(np.exp(c * log_sum) * 2.0**32 + 0.5, 2.0**32 - 1)
        thresholds[columns] = np.where(q[columns] > 0, limit, 0.0)
    return torch.from_numpy(thresholds)


def _coupled_block(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: np.ndarray,
) -> Block:
    limits, flipped = thresholds.numpy(), complement.numpy()
    keys = stream.sample_keys(samples)

    def block(rows: slice, columns: slice) -> np.ndarray:
        draws = _draws(keys, rows, columns, np.uint32)
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
    block = _coupled_block(thresholds, complement, stream, np.asarray(samples))
    return _fill(block, len(thresholds), len(samples), _NUMPY[dtype])


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    numbers = np.arange(len(weights))
    block = _coupled_block(thresholds, complement, stream, numbers)
    return _weighted_sum(block, len(thresholds), weights, _NUMPY[dtype])


_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}
