"""Sampling kernels for CUDA: one pass over memory, samples regenerated in registers.

The draws are those of `_reference.py` to the last bit. A word gives the draws of four
or eight neighbouring coordinates; the last bits, which settle a draw equal to its
threshold, are made only by the blocks that have one.
"""

# mypy: allow-incomplete-defs
# A jitted function is compiled anew for every type that it is given.

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from ..utils import RandomStream
from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2
from ._dirichlet import FACTORS, FACTORS_A_LOGARITHM
from ._reference import bernoulli_thresholds, weighted_rows
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

WORDS = 256  # words a program makes at once
EXACT = {"enable_fp_fusion": False}  # round as torch does

_GOLDEN = tl.constexpr(GOLDEN)
_MULTIPLIER_1 = tl.constexpr(MULTIPLIER_1)
_MULTIPLIER_2 = tl.constexpr(MULTIPLIER_2)


@triton.jit
def _starts(numbers):
    """What words of these numbers start from, before the keys come in."""
    return numbers.to(tl.uint64) * _GOLDEN


@triton.jit
def _scramble(starts, keys, s, n_keys):
    """Words of sample s; `keys` points at the first keys, the second ones follow."""
    x = starts + tl.load(keys + s).to(tl.uint64, bitcast=True)
    second = tl.load(keys + n_keys + s).to(tl.uint64, bitcast=True)
    x = (x ^ (x >> 30)) * _MULTIPLIER_1
    x = ((x ^ (x >> 27)) + second) * _MULTIPLIER_2
    return x ^ (x >> 31)


@triton.jit
def _block_starts(block, WORDS: tl.constexpr):
    return _starts(block * WORDS + tl.arange(0, WORDS).to(tl.int64))


@triton.jit
def _lanes(word, BITS: tl.constexpr):
    """Draws (WORDS, 64 / BITS) of so many bits, int32."""
    shifts = (tl.arange(0, 64 // BITS) * BITS).to(tl.uint64)
    return ((word[:, None] >> shifts[None, :]) & ((1 << BITS) - 1)).to(tl.int32)


@triton.jit
def _draws(starts, keys, s, n_keys):
    """Draws (WORDS, 4) of 16 bits, int32."""
    return _lanes(_scramble(starts, keys, s, n_keys), 16)


@triton.jit
def _further_bits(word):
    """64 more bits (WORDS, 8) for each lane: SplitMix64 seeded with the word."""
    x = word[:, None] + _starts(tl.arange(1, 9).to(tl.int64))[None, :]
    x = (x ^ (x >> 30)) * _MULTIPLIER_1
    x = (x ^ (x >> 27)) * _MULTIPLIER_2
    return x ^ (x >> 31)


@triton.jit
def _coordinates(block, WORDS: tl.constexpr, LANES: tl.constexpr):
    """Coordinates (WORDS, LANES) of a block, int64."""
    words = block * WORDS + tl.arange(0, WORDS).to(tl.int64)
    return words[:, None] * LANES + tl.arange(0, LANES)[None, :]


@triton.jit
def _bernoulli(p, limits, keys, s, n_keys, starts, at, inside):
    """Whether each coordinate of sample s is 1, int1 (WORDS, 8)."""
    word = _scramble(starts, keys, s, n_keys)
    draws = _lanes(word, 8)
    one = draws < limits
    tied = (draws == limits) & inside
    if tl.sum(tied.to(tl.int32)) > 0:
        bits = (_further_bits(word) >> 11).to(tl.int64)
        fine = bits.to(tl.float64) * (1.0 / 9007199254740992.0)
        theta = tl.load(p + at, mask=tied, other=0.0).to(tl.float64)
        one = one | (tied & (fine < theta * 256.0 - limits.to(tl.float64)))
    return one


@triton.jit
def _coupled(high, low, flip, keys, s, n_keys, starts, at, inside):
    """Whether each coordinate of coupled sample s is 1, int1 (WORDS, 4)."""
    draws = _draws(starts, keys, s, n_keys)
    event = draws < high
    tied = (draws == high) & inside
    if tl.sum(tied.to(tl.int32)) > 0:
        rest = _draws(starts, keys + 2 * n_keys, s, n_keys)
        limit = tl.load(low + at, mask=tied, other=0).to(tl.int32)
        event = event | (tied & (rest < limit))
    return event != flip


@triton.jit
def _bernoulli_kernel(out, p, thresholds, keys, n, d, blocks, WORDS: tl.constexpr):
    s, block = tl.program_id(0) // blocks, (tl.program_id(0) % blocks).to(tl.int64)
    at, starts = _coordinates(block, WORDS, 8), _block_starts(block, WORDS)
    inside = at < d
    limits = tl.load(thresholds + at, mask=inside, other=0).to(tl.int32)
    z = _bernoulli(p, limits, keys, s, n, starts, at, inside)
    tl.store(out + s.to(tl.int64) * d + at, z.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _bernoulli_sum_kernel(out, p, thresholds, keys, weights, n, d, WORDS: tl.constexpr):
    block = tl.program_id(0).to(tl.int64)
    at, starts = _coordinates(block, WORDS, 8), _block_starts(block, WORDS)
    inside = at < d
    limits = tl.load(thresholds + at, mask=inside, other=0).to(tl.int32)
    total = tl.zeros((WORDS, 8), out.dtype.element_ty)
    for s in range(n):
        z = _bernoulli(p, limits, keys, s, n, starts, at, inside)
        total += tl.where(z, tl.load(weights + s), 0.0)
    tl.store(out + at, total, mask=inside)


@triton.jit
def _coupled_kernel(out, thresholds, flips, keys, n, d, blocks, WORDS: tl.constexpr):
    s, block = tl.program_id(0) // blocks, (tl.program_id(0) % blocks).to(tl.int64)
    at, starts = _coordinates(block, WORDS, 4), _block_starts(block, WORDS)
    inside = at < d
    high = tl.load(thresholds + at, mask=inside, other=0).to(tl.int32)
    flip = tl.load(flips + at, mask=inside, other=0) != 0
    low = thresholds + d
    z = _coupled(high, low, flip, keys, s, n, starts, at, inside)
    tl.store(out + s.to(tl.int64) * d + at, z.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _coupled_sum_kernel(
    out, thresholds, flips, keys, weights, n, d, WORDS: tl.constexpr
):
    block = tl.program_id(0).to(tl.int64)
    at, starts = _coordinates(block, WORDS, 4), _block_starts(block, WORDS)
    inside = at < d
    high = tl.load(thresholds + at, mask=inside, other=0).to(tl.int32)
    flip = tl.load(flips + at, mask=inside, other=0) != 0
    low = thresholds + d
    total = tl.zeros((WORDS, 4), out.dtype.element_ty)
    for s in range(n):
        z = _coupled(high, low, flip, keys, s, n, starts, at, inside)
        total += tl.where(z, tl.load(weights + s), 0.0)
    tl.store(out + at, total, mask=inside)


@triton.jit
def _dirichlet_kernel(
    out,
    p,
    keys,
    n,
    d,
    FACTORS: tl.constexpr,
    FACTORS_A_LOGARITHM: tl.constexpr,
    WORDS: tl.constexpr,
):
    block = tl.program_id(0).to(tl.int64)
    at, starts = _coordinates(block, WORDS, 4), _block_starts(block, WORDS)
    inside = at < d
    log_sum = tl.zeros((WORDS, 4), tl.float64)
    product = log_sum + 1
    factor = tl.full((WORDS, 4), 1.0, tl.float32)
    for s in range(n):
        low = _draws(starts, keys + 2 * n, s, n).to(tl.float32)
        u = _draws(starts, keys, s, n).to(tl.float32)
        factor *= u + (low + 0.5) * (1.0 / 65536.0)
        if (s + 1) % FACTORS == 0 or s + 1 == n:
            product *= factor.to(tl.float64)
            factor = tl.full((WORDS, 4), 1.0, tl.float32)
        if (s + 1) % FACTORS_A_LOGARITHM == 0 or s + 1 == n:
            log_sum += tl.log(product)
            product = tl.full((WORDS, 4), 1.0, tl.float64)
    log_sum -= tl.log(tl.full((WORDS, 4), 2.0, tl.float64)) * (16 * n)
    theta = tl.load(p + at, mask=inside, other=0.5)
    q = tl.minimum(theta, 1 - theta).to(tl.float64)
    c = 1 - tl.exp(tl.log(tl.where(q > 0, q, 0.5)) / (n - 1))
    limit = tl.minimum(tl.exp(c * log_sum) * 4294967296.0 + 0.5, 4294967295.0)
    whole = tl.where(q > 0, limit, 0.0).to(tl.int64)
    tl.store(out + at, (whole >> 16).to(tl.uint16), mask=inside)
    tl.store(out + d + at, (whole & 0xFFFF).to(tl.uint16), mask=inside)


def _keys(stream: RandomStream, samples: range, device: torch.device) -> torch.Tensor:
    """Both keys of each sample, then those of its sub-stream: int64 (4, m)."""
    numbers = np.asarray(samples)
    keys = [*stream.sample_keys(numbers), *stream.child(TIES).sample_keys(numbers)]
    return torch.from_numpy(np.stack(keys).view(np.int64)).to(device)


def _blocks(d: int, per_word: int) -> int:
    return triton.cdiv(d, per_word * WORDS)


def bernoulli(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    m, p = len(samples), probabilities.contiguous()
    z = p.new_empty((m, len(p)), dtype=dtype or p.dtype)
    keys, blocks = _keys(stream, samples, p.device), _blocks(len(p), 8)
    _bernoulli_kernel[(blocks * m,)](
        z, p, thresholds, keys, m, len(p), blocks, WORDS=WORDS, **EXACT
    )
    return z


def bernoulli_weighted_sum(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    n, p = len(weights), probabilities.contiguous()
    total, w = torch.empty_like(p), weights.to(p.dtype).contiguous()
    keys = _keys(stream, range(n), p.device)
    _bernoulli_sum_kernel[(_blocks(len(p), 8),)](
        total, p, thresholds, keys, w, n, len(p), WORDS=WORDS, **EXACT
    )
    return total


def dirichlet_thresholds(
    probabilities: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (2, d), two 16-bit halves, below which a draw means the event."""
    p = probabilities.contiguous()
    thresholds = torch.empty((2, len(p)), dtype=torch.uint16, device=p.device)
    keys = _keys(stream, range(n_samples), p.device)
    _dirichlet_kernel[(_blocks(len(p), 4),)](
        thresholds,
        p,
        keys,
        n_samples,
        len(p),
        FACTORS=FACTORS,
        FACTORS_A_LOGARITHM=FACTORS_A_LOGARITHM,
        WORDS=WORDS,
        **EXACT,
    )
    return thresholds


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    m, d, device = len(samples), len(complement), complement.device
    z = torch.empty((m, d), dtype=dtype, device=device)
    keys, blocks = _keys(stream, samples, device), _blocks(d, 4)
    _coupled_kernel[(blocks * m,)](
        z, thresholds, complement, keys, m, d, blocks, WORDS=WORDS, **EXACT
    )
    return z


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    n, d, device = len(weights), len(complement), complement.device
    total, w = torch.empty(d, dtype=dtype, device=device), weights.to(dtype)
    keys = _keys(stream, range(n), device)
    _coupled_sum_kernel[(_blocks(d, 4),)](
        total, thresholds, complement, keys, w.contiguous(), n, d, WORDS=WORDS, **EXACT
    )
    return total
