"""Thresholds of the Dirichlet copula on the CPU."""

from __future__ import annotations

from math import log

import numpy as np
import torch

from ..utils import RandomStream
from ._words import TIES, Draws, Tiles, tiles

FACTORS = 7  # uniforms of at most 2^16 whose product single precision holds
_PRODUCTS = 8  # and products of these that double precision holds
FACTORS_A_LOGARITHM = FACTORS * _PRODUCTS
_HALF = np.dtype(np.uint16)
_UNIT, _HALF_UNIT = np.array(2.0**-16, np.float32), np.array(2.0**-17, np.float32)


def dirichlet_thresholds(
    probabilities: torch.Tensor, stream: RandomStream, n_samples: int
) -> torch.Tensor:
    """Thresholds (2, d), two 16-bit halves, below which a draw means the event.

    The event is that of the rarer value, with probability q = min(theta, 1 - theta).
    With exponentials E_s = -log u_s and their sum S, the event E_s / S >= c has
    probability (1 - c)^(n-1), which is q for c = 1 - q^(1/(n-1)). Seen from the draw
    it is u_s <= exp(-c S): one threshold for all samples of a coordinate.
    """
    d = len(probabilities)
    # Twice as high as the groups of factors are, because a draw takes 16 bytes here;
    # and not too low, because the sums of a column take several numbers of 8 bytes.
    height = 2 * max(4, min(n_samples, FACTORS))
    cut = tiles(height, d, 4, height)
    uniforms = _Uniforms(stream, n_samples, Tiles(n_samples, d, FACTORS, cut.columns))
    thresholds = np.empty((2, d), np.uint16)
    for start in range(0, d, cut.columns):
        columns = slice(start, min(start + cut.columns, d))
        log_sum = uniforms.log_sum(columns)
        limit = dirichlet_limits(probabilities[columns], log_sum, n_samples)
        whole = limit.numpy().astype(np.uint32)
        thresholds[0, columns], thresholds[1, columns] = whole >> 16, whole & 0xFFFF
    return torch.from_numpy(thresholds)


def dirichlet_limits(
    probabilities: torch.Tensor, log_sum: torch.Tensor, n_samples: int
) -> torch.Tensor:
    """Whole numbers (float64, overwriting log_sum) that 32-bit draws must lie below."""
    q = torch.minimum(probabilities, 1 - probabilities)
    c = 1 - q.double().log_().div_(n_samples - 1).exp_()
    limit = log_sum.mul_(c).exp_().mul_(2.0**32).add_(0.5).clamp_(max=2.0**32 - 1)
    return limit.masked_fill_(q <= 0, 0.0)


class _Uniforms:
    """Uniforms of 32 bits, 16 from each of two streams, and sums of their logs."""

    def __init__(self, stream: RandomStream, n_samples: int, cut: Tiles) -> None:
        numbers = range(n_samples)
        self._high = Draws(stream, numbers, cut, _HALF)
        self._low = Draws(stream.child(TIES), numbers, cut, _HALF)
        self._n, self._rows = n_samples, cut.rows
        size = min(cut.rows, n_samples) * cut.columns
        self._memory = np.empty((2, size), np.float32)

    def log_sum(self, columns: slice) -> torch.Tensor:
        """Sum (columns,) of the logarithms over all samples, in float64."""
        total = np.zeros(columns.stop - columns.start)
        product = np.ones_like(total)
        for start in range(0, self._n, self._rows):
            rows = slice(start, min(start + self._rows, self._n))
            product *= np.multiply.reduce(self._scaled(rows, columns), axis=0)
            if rows.stop % FACTORS_A_LOGARITHM == 0 or rows.stop == self._n:
                total += torch.from_numpy(product).log_().numpy()
                product[:] = 1
        total -= self._n * 16 * log(2)
        return torch.from_numpy(total)

    def _scaled(self, rows: slice, columns: slice) -> np.ndarray:
        """2^16 times the uniforms (m, columns), rounded to single precision."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = shape[0] * shape[1]
        u, rest = (part[:size].reshape(shape) for part in self._memory)
        np.copyto(u, self._high(rows, columns))
        np.copyto(rest, self._low(rows, columns))
        np.multiply(rest, _UNIT, rest)
        np.add(rest, _HALF_UNIT, rest)
        return np.add(u, rest, u)
