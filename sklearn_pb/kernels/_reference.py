"""Sampling kernels in plain torch: the same draws as `_numpy.py`, on any device.

Torch has no unsigned 64-bit arithmetic, so words live in int64 (which wraps alike) and
a logical shift is an arithmetic one with the sign bits cleared.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch

from ..utils import RandomStream
from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2
from ._dirichlet import FACTORS, FACTORS_A_LOGARITHM, dirichlet_limits
from ._words import TIES


def _signed(value: int) -> int:
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def _shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _keys(
    stream: RandomStream, samples: range, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = (
        torch.from_numpy(keys.view(np.int64)).to(device)[:, None]
        for keys in stream.sample_keys(np.asarray(samples))
    )
    return first, second


def words(
    first: torch.Tensor, second: torch.Tensor, numbers: torch.Tensor
) -> torch.Tensor:
    """Random words of the given numbers for each pair of keys, int64 (m, count)."""
    x = first + numbers * _signed(GOLDEN)
    x = (x ^ _shift(x, 30)) * _signed(MULTIPLIER_1)
    x = ((x ^ _shift(x, 27)) + second) * _signed(MULTIPLIER_2)
    return x ^ _shift(x, 31)


def _further_bits(drawn: torch.Tensor, lanes: torch.Tensor) -> torch.Tensor:
    """64 more bits for one lane of each word: SplitMix64 seeded with the word."""
    x = drawn + (lanes + 1) * _signed(GOLDEN)
    x = (x ^ _shift(x, 30)) * _signed(MULTIPLIER_1)
    x = (x ^ _shift(x, 27)) * _signed(MULTIPLIER_2)
    return x ^ _shift(x, 31)


def _draws(
    stream: RandomStream, samples: range, d: int, device: torch.device
) -> torch.Tensor:
    """Unsigned draws (m, d) of 16 bits, as int64."""
    coordinates = torch.arange(d, device=device)
    drawn = words(*_keys(stream, samples, device), coordinates // 4)
    return torch.bitwise_right_shift(drawn, coordinates % 4 * 16) & 0xFFFF


def bernoulli_thresholds(probabilities: torch.Tensor) -> torch.Tensor:
    """The 8 leading bits (d,) of each probability, all of them set where it is 1."""
    return (probabilities * 256).clamp(max=255).to(torch.uint8)


def bernoulli(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    device, limits = probabilities.device, thresholds.long()
    coordinates = torch.arange(len(limits), device=device)
    numbers, lanes = coordinates // 8, coordinates % 8
    drawn = words(*_keys(stream, samples, device), numbers)
    draws = torch.bitwise_right_shift(drawn, lanes * 8) & 0xFF
    fine = _shift(_further_bits(drawn, lanes), 11).double() * 2.0**-53
    tied = (draws == limits) & (fine < probabilities.double() * 256 - limits)
    return ((draws < limits) | tied).to(dtype or probabilities.dtype)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    total = torch.zeros_like(probabilities)
    for s, weight in enumerate(weights.tolist()):
        one = range(s, s + 1)
        z = bernoulli(probabilities, thresholds, stream, one, total.dtype)
        total += weight * z[0]
    return total


def dirichlet_thresholds(
    probabilities: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (2, d), two 16-bit halves, below which a draw means the event."""
    log_sum = torch.zeros_like(probabilities, dtype=torch.float64)
    for start in range(0, n_samples, FACTORS_A_LOGARITHM):
        product = torch.ones_like(log_sum)
        stop = min(start + FACTORS_A_LOGARITHM, n_samples)
        for first in range(start, stop, FACTORS):
            samples = range(first, min(first + FACTORS, stop))
            product *= _product_of_uniforms(stream, samples, probabilities)
        log_sum += product.log()
    log_sum -= n_samples * 16 * log(2)
    limit = dirichlet_limits(probabilities, log_sum, n_samples).long()
    return torch.stack([limit >> 16, limit & 0xFFFF]).to(torch.uint16)


def _product_of_uniforms(
    stream: RandomStream, samples: range, like: torch.Tensor
) -> torch.Tensor:
    """Product (d,) of uniforms times 2^16, in single precision."""
    product = torch.ones(len(like), device=like.device)
    for s in samples:
        one = range(s, s + 1), len(like), like.device
        high, low = _draws(stream, *one)[0], _draws(stream.child(TIES), *one)[0]
        product *= high.float() + (low.float() + 0.5) * 2.0**-16
    return product


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    high, low = thresholds.long()
    of = samples, len(high), high.device
    draws, rest = _draws(stream, *of), _draws(stream.child(TIES), *of)
    event = (draws < high) | ((draws == high) & (rest < low))
    return (event != complement).to(dtype)


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    total = torch.zeros(len(complement), dtype=dtype, device=thresholds.device)
    for s, weight in enumerate(weights.tolist()):
        row = coupled(thresholds, complement, stream, range(s, s + 1), dtype)[0]
        total += weight * row
    return total


def weighted_rows(
    rows: torch.Tensor, weights: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Sum (d,) over the rows, bytes (n, d), each with its weight."""
    total = torch.zeros(rows.shape[1], dtype=dtype, device=rows.device)
    for weight, row in zip(weights.tolist(), rows, strict=True):
        total.add_(row, alpha=weight)
    return total
