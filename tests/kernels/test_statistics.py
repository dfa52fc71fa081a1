"""Draws have the right frequencies and nothing to do with each other."""

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_pb.kernels import _numpy
from sklearn_pb.utils import RandomStream

D = 1 << 18
LIMIT = 4.5  # standard errors; by chance once in some 150,000 tests


@pytest.mark.parametrize("theta", [1e-3, 0.05, 0.3, 0.5, 0.9, 0.999, 0.123456789])
def test_frequencies(theta):
    p = torch.full((D,), theta, dtype=torch.float64)
    ones = float(_numpy.bernoulli(p, RandomStream(0), range(4)).sum())
    n = 4 * D
    assert abs(ones - n * theta) < LIMIT * (n * theta * (1 - theta)) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("theta", [2.0**-20, 1 - 2.0**-20, 2.0**-17 * 3])
def test_probabilities_finer_than_16_bits(theta, dtype):
    p = torch.full((D,), theta, dtype=dtype)
    n_samples = 48
    n, rarer = D * n_samples, min(theta, 1 - theta)
    weights = torch.ones(n_samples, dtype=dtype)
    total = _numpy.bernoulli_weighted_sum(p, RandomStream(1), weights).double()
    count = float(total.sum() if theta < 0.5 else (n_samples - total).sum())
    # Poisson with mean 12 or more: a draw of 16 bits alone would give 0 or 4 times it.
    assert stats.poisson.cdf(count, n * rarer) > 1e-4
    assert stats.poisson.sf(count - 1, n * rarer) > 1e-4


def draws_of(stream, samples, d, width):
    keys = stream.sample_keys(np.asarray(samples))
    return _numpy._draws(keys, slice(0, len(samples)), slice(0, d), width)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_ties_are_settled_by_the_fraction(share):
    """Thresholds put where the draws are, so that every coordinate ties."""
    stream, d = RandomStream(2), _numpy.BLOCK
    draws = draws_of(stream, [0], d, np.uint16)[0]
    p = torch.from_numpy((draws + share) / 65536)
    ones = float(_numpy.bernoulli(p, stream, range(1)).sum())
    assert abs(ones - d * share) <= LIMIT * (d * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("width", [np.uint16, np.uint32])
def test_draws_are_uniform(width):
    draws = draws_of(RandomStream(3), range(8), _numpy.BLOCK, width)
    cells = (draws.astype(np.float64) / 2.0 ** (8 * draws.itemsize) * 256).astype(int)
    assert stats.chisquare(np.bincount(cells.ravel(), minlength=256)).pvalue > 1e-4
    low = np.bincount((draws & 255).ravel().astype(int), minlength=256)
    assert stats.chisquare(low).pvalue > 1e-4


def uniforms(stream, samples=(0,)):
    draws = draws_of(stream, samples, _numpy.BLOCK, np.uint32)
    return (draws + 0.5) * 2.0**-32


def pairs():
    base = RandomStream(4)
    u = uniforms(base, range(3))
    yield "samples 0 and 1", u[0], u[1]
    yield "samples 1 and 2", u[1], u[2]
    for shift in (1, 2, 3, 4, 64):
        yield f"coordinates {shift} apart", u[0, :-shift], u[0, shift:]
    yield "steps", uniforms(base.child(7))[0], uniforms(base.child(8))[0]
    yield "parent and child", u[0], uniforms(base.child(0))[0]
    yield "parent and sub-stream of ties", u[0], uniforms(base.child(1))[0]
    yield "seeds", u[0], uniforms(RandomStream(5))[0]
    yield (
        "sample 1 of step 7, sample 0 of step 8",
        *(
            uniforms(base.child(7), [1])[0],
            uniforms(base.child(8), [0])[0],
        ),
    )


@pytest.mark.parametrize("pair", list(pairs()), ids=lambda pair: pair[0])
def test_draws_of_different_addresses_are_independent(pair):
    name, a, b = pair
    z = np.corrcoef(a, b)[0, 1] * len(a) ** 0.5
    assert abs(z) < LIMIT, name
    cells = np.bincount((a * 8).astype(int) * 8 + (b * 8).astype(int), minlength=64)
    assert stats.chisquare(cells).pvalue > 1e-4, name


def test_samples_of_many_steps_are_independent_of_each_other():
    """Correlations of 64 rows of bits, each row from its own step and sample."""
    p = torch.full((1 << 14,), 0.5)
    rows = [
        _numpy.bernoulli(p, RandomStream(0, (step,)), range(4)) for step in range(16)
    ]
    z = torch.cat(rows) - 0.5
    products = (z @ z.T * 4 / z.shape[1] ** 0.5).numpy()
    off = products[np.triu_indices(64, 1)]
    assert np.abs(off).max() < 5
    assert stats.kstest(off, "norm").pvalue > 1e-3
