"""Sampling kernels for the CPU: samples regenerated tile by tile, never stored.

A sample is 1 where a draw of 8 bits (16 for coupled samples) lies below a threshold;
draws equal to it are settled by further bits, which makes the probabilities exact (for
coupled samples, to 2^-32).
`_reference.py` says the same in torch.
"""

from __future__ import annotations

import numpy as np
import torch

from ..utils import RandomStream
from ._dirichlet import dirichlet_thresholds
from ._events import BernoulliEvent, CoupledEvent, Event
from ._words import Tiles, tiles

__all__ = [
    "bernoulli",
    "bernoulli_thresholds",
    "bernoulli_weighted_sum",
    "coupled",
    "coupled_weighted_sum",
    "dirichlet_thresholds",
    "weighted_rows",
]

ROWS_ADDED = 8  # at once at least: the sums are read and written once for all of them
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64, torch.uint8: np.uint8}
_256, _255 = np.array(256, np.float32), np.array(255, np.float32)


def _samples(event: Event, cut: Tiles, dtype: torch.dtype) -> torch.Tensor:
    z = np.empty((cut.n, cut.d), _NUMPY[dtype])
    for rows, columns in cut:
        z[rows, columns] = event(rows, columns)
    return torch.from_numpy(z)


def _weighted_sum(
    event: Event, cut: Tiles, weights: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    w = weights.numpy().astype(_NUMPY[dtype])
    total = np.empty(cut.d, w.dtype)
    for rows, columns in cut:
        # Not a product of BLAS: its rounding would depend on the number of threads.
        of = "s,sc->c", w[rows], event(rows, columns)
        if rows.start == 0:
            np.einsum(*of, out=total[columns])
        else:
            total[columns] += np.einsum(*of)
    return torch.from_numpy(total)


def bernoulli_thresholds(probabilities: torch.Tensor) -> torch.Tensor:
    """The 8 leading bits (d,) of each probability, all of them set where it is 1."""
    whole = probabilities.numpy() * _256
    return torch.from_numpy(np.minimum(whole, _255, out=whole).astype(np.uint8))


def bernoulli(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Samples (m, d) of independent Bernoulli variables."""
    p, limits = probabilities.numpy(), thresholds.numpy()
    cut = tiles(len(samples), len(p), 8)
    event = BernoulliEvent(p, limits, stream, samples, cut)
    return _samples(event, cut, dtype or probabilities.dtype)


def bernoulli_weighted_sum(
    probabilities: torch.Tensor,
    thresholds: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Sum (d,) over the samples s of ``weights[s] * z^(s)``."""
    p, limits = probabilities.numpy(), thresholds.numpy()
    samples = range(len(weights))
    cut = tiles(len(samples), len(p), 8, ROWS_ADDED)
    event = BernoulliEvent(p, limits, stream, samples, cut)
    return _weighted_sum(event, cut, weights, probabilities.dtype)


def coupled(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    samples: range,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Samples (m, d) of the copula; `complement` tells where z negates the event."""
    limits, flipped = thresholds.numpy(), complement.numpy()
    cut = tiles(len(samples), len(flipped), 4)
    event = CoupledEvent(limits, flipped, stream, samples, cut)
    return _samples(event, cut, dtype)


def coupled_weighted_sum(
    thresholds: torch.Tensor,
    complement: torch.Tensor,
    stream: RandomStream,
    weights: torch.Tensor,
    dtype: torch.dtype,
) -> torch.Tensor:
    """Sum (d,) over the coupled samples s of ``weights[s] * z^(s)``."""
    limits, flipped = thresholds.numpy(), complement.numpy()
    samples = range(len(weights))
    cut = tiles(len(samples), len(flipped), 4, ROWS_ADDED)
    event = CoupledEvent(limits, flipped, stream, samples, cut)
    return _weighted_sum(event, cut, weights, dtype)


def weighted_rows(
    rows: torch.Tensor, weights: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Sum (d,) over the rows, bytes (n, d), each with its weight."""
    w = weights.to(dtype).numpy()
    return torch.from_numpy(np.einsum("s,sd->d", w, rows.numpy()))
