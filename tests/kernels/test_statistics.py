"""Draws have the right frequencies and nothing to do with each other."""

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_pb.kernels import _numpy, _words
from sklearn_pb.utils import RandomStream

D = 1 << 18
LENGTH = 1 << 15
LIMIT = 4.5  # standard errors; by chance once in some 150,000 tests


def samples_of(p, stream, samples):
    return _numpy.bernoulli(p, _numpy.bernoulli_thresholds(p), stream, samples)


@pytest.mark.parametrize("theta", [1e-3, 0.05, 0.3, 0.5, 0.9, 0.999, 0.123456789])
def test_frequencies(theta):
    p = torch.full((D,), theta, dtype=torch.float64)
    ones = float(samples_of(p, RandomStream(0), range(4)).sum())
    n = 4 * D
    assert abs(ones - n * theta) < LIMIT * (n * theta * (1 - theta)) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("k", "rest"),
    [(k, rest) for k in (0, 1, 77, 255) for rest in (1e-6, 3e-5)]
    + [(k, -rest) for k in (1, 77, 255, 256) for rest in (1e-6, 3e-5)],
)
def test_probabilities_near_those_of_8_bits(k, rest, dtype):
    """P(z = 1) = k / 256 + a tiny rest: all the rest is in how ties are settled."""
    theta = k / 256 + rest
    p, n_samples = torch.full((D,), theta, dtype=dtype), 48
    exact, n = float(p[0].double()), D * n_samples
    limits, weights = _numpy.bernoulli_thresholds(p), torch.ones(n_samples, dtype=dtype)
    ones = _numpy.bernoulli_weighted_sum(p, limits, RandomStream(k), weights).double()
    count = float(ones.sum() if exact < 0.5 else (n_samples - ones).sum())
    law = stats.binom(n, min(exact, 1 - exact))
    assert law.cdf(count) > 1e-5
    assert law.sf(count - 1) > 1e-5


def draws_of(stream, samples, d, dtype=np.uint16):
    cut = _words.Tiles(len(samples), d, len(samples), d)
    return _words.Draws(stream, samples, cut, np.dtype(dtype))(*next(iter(cut))).copy()


def tied(share, stream, n_samples=1, d=LENGTH):
    """Samples (n, d) each of whose draws ties, with this share of ones to come."""
    rows = []
    for s in range(n_samples):
        high = draws_of(stream, range(s, s + 1), d, np.uint8)[0].astype(float)
        p = torch.from_numpy((high + share) / 256)
        rows.append(samples_of(p, stream, range(s, s + 1)))
    return torch.cat(rows)


@pytest.mark.parametrize("share", [0.0, 1e-3, 0.1, 0.5, 0.99])
def test_ties_are_settled_by_the_fraction(share):
    ones = float(tied(share, RandomStream(2)).sum())
    deviation = (LENGTH * share * (1 - share)) ** 0.5
    assert abs(ones - LENGTH * share) <= LIMIT * deviation


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_ties_in_one_word_are_independent(share):
    """All 2^8 outcomes of the eight ties of a word, with their frequencies."""
    z = tied(share, RandomStream(12), n_samples=8).reshape(-1, 8)
    ones = (np.arange(256)[:, None] >> np.arange(8) & 1).sum(axis=1)
    expected = len(z) * share**ones * (1 - share) ** (8 - ones)
    observed = np.bincount((z.numpy() @ (1 << np.arange(8))).astype(int), minlength=256)
    rare = expected < 5
    groups = [np.append(c[~rare], c[rare].sum()) for c in (observed, expected)]
    observed, expected = (g if rare.any() else g[:-1] for g in groups)
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_ties_do_not_depend_on_their_word():
    """The draws of the other lanes, and the tied one, against what settled it."""
    stream = RandomStream(13)
    z = tied(0.5, stream, n_samples=4).numpy().ravel()
    draws = draws_of(stream, range(4), LENGTH, np.uint8).reshape(-1, 8)
    lane = np.tile(np.arange(8), len(draws))
    for shift in range(8):
        other = np.repeat(draws.astype(int), 8, axis=0)[
            np.arange(len(z)), (lane + shift) % 8
        ]
        table = np.bincount(other * 2 + z.astype(int), minlength=512).reshape(-1, 2)
        assert stats.chi2_contingency(table).pvalue > 1e-5, shift


@pytest.mark.parametrize("lane", range(4))
def test_bytes_are_uniform(lane):
    draws = draws_of(RandomStream(3), range(8), 4 * LENGTH)[:, lane::4]
    for byte in (draws >> 8, draws & 255):
        counts = np.bincount(byte.ravel(), minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-4


def test_pairs_of_bytes_are_uniform():
    """Each of a coordinate, its neighbour and the next sample, two at a time."""
    draws = draws_of(RandomStream(9), range(9), 1 << 17).astype(np.int64)
    high, low = draws >> 8, draws & 255
    for a, b in [
        (high[:, :-1], high[:, 1:]),
        (low[:, :-1], high[:, 1:]),
        (low[:, :-4], low[:, 4:]),
        (high[:-1], high[1:]),
        (low[:-1], low[1:]),
        (high, low),
    ]:
        counts = np.bincount((a * 256 + b).ravel(), minlength=65536)
        assert stats.chisquare(counts).pvalue > 1e-4


def uniforms(stream, samples=range(1)):
    return (draws_of(stream, samples, LENGTH) + 0.5) / 65536


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
            uniforms(base.child(7), range(1, 2))[0],
            uniforms(base.child(8), range(1))[0],
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
    rows = [samples_of(p, RandomStream(0, (step,)), range(4)) for step in range(16)]
    z = torch.cat(rows) - 0.5
    products = (z @ z.T * 4 / z.shape[1] ** 0.5).numpy()
    off = products[np.triu_indices(64, 1)]
    assert np.abs(off).max() < 5
    assert stats.kstest(off, "norm").pvalue > 1e-3
