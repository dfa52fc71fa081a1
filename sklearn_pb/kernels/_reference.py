"""Sampling kernels in plain torch: the same draws as `_numpy.py`, on any device.

Torch has no unsigned 64-bit arithmetic, so words live in int64 (which wraps alike) and
a logical shift is an arithmetic one with the sign bits cleared.
"""

from __future__ import annotations

import numpy as np
import torch

from ..utils import RandomStream
from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2
from ._numpy import PRODUCT, TIES


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


def _draws(
    stream: RandomStream, samples: range, d: int, bits: int, device: torch.device
) -> torch.Tensor:
    """Unsigned draws (m, d) of `bits` bits, as int64."""
    coordinates = torch.arange(d, device=device)
    per_word = 64 // bits
    drawn = words(*_keys(stream, samples, device), coordinates // per_word)
    return _shift_each(drawn, (coordinates % per_word) * bits) & ((1 << bits) - 1)


def _shift_each(x: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    return torch.bitwise_right_shift(x, bits)  # callers clear the sign bits


def bernoulli(
    probabilities: torch.Tensor, stream: RandomStream, samples: range
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    device, d = probabilities.device, len(probabilities)
    scaled = probabilities * 65536
    threshold = scaled.clamp(max=65535).floor()
    draws = _draws(stream, samples, d, 16, device)
    fine_words = words(
        *_keys(stream.child(TIES), samples, device), torch.arange(d, device=device)
    )
    fine = _shift(fine_words, 11).double() * 2.0**-53
    tied = (draws == threshold) & (fine < (scaled.double() - threshold))
    return ((draws < threshold) | tied).to(probabilities.dtype)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor, stream: RandomStream, weights: torch.Tensor
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    total = torch.zeros_like(probabilities)
    for s, weight in enumerate(weights.tolist()):
        total += weight * bernoulli(probabilities, stream, range(s, s + 1))[0]
    return total


def dirichlet_thresholds(
    tail: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (d,) below which a 32-bit draw means the event of the copula."""
    log_sum = torch.zeros(len(tail), dtype=torch.float64, device=tail.device)
    for start in range(0, n_samples, PRODUCT):
        product = torch.ones_like(log_sum)
        for s in range(start, min(start + PRODUCT, n_samples)):
            draws = _draws(stream, range(s, s + 1), len(tail), 32, tail.device)[0]
            product *= (draws.double() + 0.5) * 2.0**-32
        log_sum += product.log()
    c = -torch.expm1(tail.double().log() / (n_samples - 1))
    limit = (torch.exp(c * log_sum) * 2.0**32 + 0.5).clamp(max=2.0**32 - 1)
    return torch.where(tail > 0, limit, 0.0).long()


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    draws = _draws(stream, samples, len(thresholds), 32, thresholds.device)
    return ((draws < thresholds) != complement).to(dtype)


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    total = torch.zeros(len(thresholds), dtype=dtype, device=thresholds.device)
    for s, weight in enumerate(weights.tolist()):
        row = coupled(thresholds, complement, stream, range(s, s + 1), dtype)[0]
        total += weight * row
    return total
