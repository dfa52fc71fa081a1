"""Sampling kernels for the CPU, compiled: samples regenerated block by block.

The draws are those of `_reference.py` to the last bit; thresholds of the copula may
differ by one in 2^32, as logarithms do in their last bit.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch

from ..utils import RandomStream
from ._compiled import compiled, in_parts
from ._dirichlet import FACTORS, FACTORS_A_LOGARITHM
from ._numba_math import exponential, logarithm
from ._numba_words import BLOCK_WORDS, put_bernoulli, put_coupled, put_words
from ._words import TIES

__all__ = [
    "bernoulli",
    "bernoulli_thresholds",
    "bernoulli_weighted_sum",
    "coupled",
    "coupled_weighted_sum",
    "dirichlet_thresholds",
    "weighted_rows",
]

BYTES, HALVES = 8 * BLOCK_WORDS, 4 * BLOCK_WORDS  # coordinates of a block
GRAIN = 16 * BYTES  # coordinates that are worth a thread
LOG_OF_SCALE = 16 * log(2)  # of the factor in _put_products
SMALLEST = 1e-300  # in place of 0, which has no logarithm
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64, torch.uint8: np.uint8}


@compiled
def _leading_bits(out, probabilities, begin, end):
    p, limits = probabilities[begin:end], out[begin:end]
    most, scale = probabilities.dtype.type(255), probabilities.dtype.type(256)
    for i in range(limits.size):
        limits[i] = np.uint8(min(p[i] * scale, most))


@compiled
def _rows_sum(out, rows, weights, begin, end):
    for start in range(begin, end, BYTES):
        stop = min(start + BYTES, end)
        total = out[start:stop]
        total[:] = 0
        for s in range(rows.shape[0]):
            row, weight = rows[s, start:stop], weights[s]
            for i in range(total.size):
                total[i] += weight * row[i]


@compiled
def _bernoulli(out, probabilities, limits, first, second, begin, end):
    words, z = np.empty(BLOCK_WORDS, np.uint64), np.empty(BYTES, np.uint8)
    for s in range(first.size):
        for start in range(begin, end, BYTES):
            stop = min(start + BYTES, end)
            p, below = probabilities[start:stop], limits[start:stop]
            put_bernoulli(z, p, below, words, first[s], second[s], start // 8)
            row = out[s, start:stop]
            for i in range(row.size):
                row[i] = z[i]


@compiled
def _bernoulli_sum(out, probabilities, limits, first, second, weights, begin, end):
    words, z = np.empty(BLOCK_WORDS, np.uint64), np.empty(BYTES, np.uint8)
    for start in range(begin, end, BYTES):
        stop = min(start + BYTES, end)
        p, below, total = (
            probabilities[start:stop],
            limits[start:stop],
            out[start:stop],
        )
        total[:] = 0
        for s in range(first.size):
            put_bernoulli(z, p, below, words, first[s], second[s], start // 8)
            weight = weights[s]
            for i in range(total.size):
                total[i] += weight * z[i]


@compiled
def _coupled(out, thresholds, flipped, keys, begin, end):
    words, z = np.empty(BLOCK_WORDS, np.uint64), np.empty(HALVES, np.uint8)
    for s in range(keys.shape[0]):
        for start in range(begin, end, HALVES):
            stop = min(start + HALVES, end)
            high, low = thresholds[0, start:stop], thresholds[1, start:stop]
            put_coupled(z, high, low, flipped[start:stop], words, keys[s], start // 4)
            row = out[s, start:stop]
            for i in range(row.size):
                row[i] = z[i]


@compiled
def _coupled_sum(out, thresholds, flipped, keys, weights, begin, end):
    words, z = np.empty(BLOCK_WORDS, np.uint64), np.empty(HALVES, np.uint8)
    for start in range(begin, end, HALVES):
        stop = min(start + HALVES, end)
        high, low = thresholds[0, start:stop], thresholds[1, start:stop]
        flips, total = flipped[start:stop], out[start:stop]
        total[:] = 0
        for s in range(keys.shape[0]):
            put_coupled(z, high, low, flips, words, keys[s], start // 4)
            weight = weights[s]
            for i in range(total.size):
                total[i] += weight * z[i]


@compiled
def _dirichlet(out, probabilities, keys, begin, end):
    words, log_sum = np.empty((2, BLOCK_WORDS), np.uint64), np.empty(HALVES)
    product, factor = np.empty(HALVES), np.empty(HALVES, np.float32)
    n = keys.shape[0]
    for start in range(begin, end, HALVES):
        stop = min(start + HALVES, end)
        m = stop - start
        log_sum[:m] = -n * LOG_OF_SCALE
        for first in range(0, n, FACTORS_A_LOGARITHM):
            some = keys[first : first + FACTORS_A_LOGARITHM]
            _put_products(product[:m], some, factor[:m], words, start // 4)
            for i in range(m):
                log_sum[i] += logarithm(product[i])
        high, low = out[0, start:stop], out[1, start:stop]
        _put_limits(high, low, probabilities[start:stop], log_sum, n)


@compiled
def _put_products(product, keys, factor, words, first_word):
    """Products (m,) of 2^16 times the uniforms of some samples."""
    high, low = words[0].view(np.uint16), words[1].view(np.uint16)
    half, unit = np.float32(0.5), np.float32(2.0**-16)
    count = (product.size + 3) // 4
    product[:] = 1
    factor[:] = 1
    for s in range(keys.shape[0]):
        put_words(words[0, :count], keys[s, 0], keys[s, 1], first_word)
        put_words(words[1, :count], keys[s, 2], keys[s, 3], first_word)
        for i in range(factor.size):
            u = np.float32(high[i]) + (np.float32(low[i]) + half) * unit
            factor[i] *= u
        if (s + 1) % FACTORS == 0 or s + 1 == keys.shape[0]:
            for i in range(product.size):
                product[i] *= factor[i]
            factor[:] = 1


@compiled
def _put_limits(high, low, probabilities, log_sum, n):
    """Halves of what draws of 32 bits must lie below, as in `dirichlet_limits`."""
    for i in range(high.size):
        p = probabilities[i]
        q = np.float64(min(p, 1 - p))
        c = 1.0 - exponential(logarithm(max(q, SMALLEST)) / (n - 1))
        limit = min(exponential(log_sum[i] * c) * 2.0**32 + 0.5, 2.0**32 - 1)
        whole = np.uint32(limit) if q > 0 else np.uint32(0)
        high[i], low[i] = whole >> np.uint32(16), whole & np.uint32(0xFFFF)


def _keys(stream: RandomStream, samples: range) -> np.ndarray:
    """Both keys of each sample, then those of its sub-stream: uint64 (m, 4)."""
    numbers = np.asarray(samples)
    keys = [*stream.sample_keys(numbers), *stream.child(TIES).sample_keys(numbers)]
    return np.stack(keys, axis=1)


def bernoulli_thresholds(probabilities: torch.Tensor) -> torch.Tensor:
    """The 8 leading bits (d,) of each probability, all of them set where it is 1."""
    p = probabilities.contiguous().numpy()
    limits = np.empty(len(p), np.uint8)
    in_parts(lambda i, j: _leading_bits(limits, p, i, j), len(p), GRAIN)
    return torch.from_numpy(limits)


def bernoulli(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    p, limits = probabilities.contiguous().numpy(), thresholds.numpy()
    z = np.empty((len(samples), len(p)), _NUMPY[dtype or probabilities.dtype])
    keys = stream.sample_keys(np.asarray(samples))
    in_parts(lambda i, j: _bernoulli(z, p, limits, *keys, i, j), len(p), GRAIN)
    return torch.from_numpy(z)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    p, limits = probabilities.contiguous().numpy(), thresholds.numpy()
    total, w = np.empty_like(p), weights.numpy().astype(p.dtype)
    keys = stream.sample_keys(np.arange(len(w)))
    in_parts(
        lambda i, j: _bernoulli_sum(total, p, limits, *keys, w, i, j), len(p), GRAIN
    )
    return torch.from_numpy(total)


def dirichlet_thresholds(
    probabilities: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (2, d), two 16-bit halves, below which a draw means the event."""
    p, keys = probabilities.contiguous().numpy(), _keys(stream, range(n_samples))
    thresholds = np.empty((2, len(p)), np.uint16)
    in_parts(lambda i, j: _dirichlet(thresholds, p, keys, i, j), len(p), GRAIN)
    return torch.from_numpy(thresholds)


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    limits, flipped = thresholds.numpy(), complement.numpy()
    z = np.empty((len(samples), len(flipped)), _NUMPY[dtype])
    keys = _keys(stream, samples)
    in_parts(lambda i, j: _coupled(z, limits, flipped, keys, i, j), len(flipped), GRAIN)
    return torch.from_numpy(z)


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    limits, flipped = thresholds.numpy(), complement.numpy()
    total = np.empty(len(flipped), _NUMPY[dtype])
    w, keys = weights.numpy().astype(total.dtype), _keys(stream, range(len(weights)))
    in_parts(
        lambda i, j: _coupled_sum(total, limits, flipped, keys, w, i, j),
        len(flipped),
        GRAIN,
    )
    return torch.from_numpy(total)


def weighted_rows(
    rows: torch.Tensor, weights: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Sum (d,) over the rows, bytes (n, d), each with its weight."""
    z, d = rows.contiguous().numpy(), rows.shape[1]
    total = np.empty(d, _NUMPY[dtype])
    w = weights.numpy().astype(total.dtype)
    in_parts(lambda i, j: _rows_sum(total, z, w, i, j), d, GRAIN)
    return torch.from_numpy(total)
