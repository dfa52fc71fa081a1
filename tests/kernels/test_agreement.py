"""The tiled numpy kernels draw what the plain torch ones draw, to the last bit."""

import numpy as np
import pytest
import torch

from sklearn_pb.kernels import _numpy, _reference, _words, backend_for
from sklearn_pb.utils import RandomStream
from sklearn_pb.utils._random import GOLDEN, mix

SHORT, LONG = 8 * _words.FEWEST_WORDS, 8 * _words.MOST_WORDS
SIZES = [1, 2, 3, 5, 1000, SHORT - 1, SHORT, SHORT + 1, 70001, LONG + 3]
DTYPES = [torch.float32, torch.float64]
STREAM = RandomStream(11, (2, 3))


def some_probabilities(d, dtype):
    generator = torch.Generator().manual_seed(d)
    p = torch.rand(d, generator=generator, dtype=torch.float64)
    special = torch.tensor([0.5, 0.0, 1.0, 2.0**-20, 1 - 2.0**-20, 0.25, 1e-3])
    p[: len(special)] = special[:d].double()
    return p.to(dtype)


def coupling(p, stream, n, backend=_numpy):
    return backend.dirichlet_thresholds(p, stream, n), p > 0.5


def test_backend_of_the_cpu():
    assert backend_for(torch.device("cpu")) is _numpy


def test_backend_of_other_devices():
    assert backend_for(torch.device("meta")) is _reference


def samples_of(p, samples, backend=_numpy):
    return backend.bernoulli(p, backend.bernoulli_thresholds(p), STREAM, samples)


def as_integers(halves):
    return halves.long()[0] * 65536 + halves.long()[1]


@pytest.mark.parametrize("start", [0, 5, LONG, 3 * 2**40])
def test_words_agree(start):
    keys = STREAM.sample_keys(np.arange(3))
    scratch = np.empty((2, 3, 100), np.uint64)
    ours = _words.words(*keys, start, *scratch).view(np.int64)
    columns = (torch.from_numpy(key.view(np.int64))[:, None] for key in keys)
    theirs = _reference.words(*columns, torch.arange(start, start + 100))
    np.testing.assert_array_equal(ours, theirs.numpy())
    rows, at = np.array([2, 0, 2]), np.array([0, 99, 17])
    single = _words.words_at(*(key[rows] for key in keys), start + at).view(np.int64)
    np.testing.assert_array_equal(single, ours[rows, at])


@pytest.mark.parametrize("lane", range(8))
def test_further_bits_are_those_of_splitmix64(lane):
    """`mix` is its scalar form, tested against published numbers."""
    words = np.random.default_rng(lane).integers(0, 2**64, 50, np.uint64)
    lanes = np.full(50, lane)
    ours = _words.further_bits(words, lanes)
    assert ours.tolist() == [mix((int(w) + lane * GOLDEN) % 2**64) for w in words]
    signed = (torch.from_numpy(a.view(np.int64)) for a in (words, lanes))
    theirs = _reference._further_bits(*signed).numpy()
    np.testing.assert_array_equal(ours.view(np.int64), theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_bernoulli_samples_agree(d, dtype):
    p = some_probabilities(d, dtype)
    ours = samples_of(p, range(3))
    assert ours.dtype == dtype
    assert torch.equal(ours, samples_of(p, range(3), _reference))
    assert torch.equal(
        _numpy.bernoulli_thresholds(p), _reference.bernoulli_thresholds(p)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_coupled_samples_agree(d, dtype):
    n = 4 if d > 1000 else 61  # the logarithm of 56 factors is taken at once
    p = some_probabilities(d, dtype)
    ours, theirs = (coupling(p, STREAM, n, k) for k in (_numpy, _reference))
    # A logarithm may differ in its last bit, and with it a threshold by one.
    difference = as_integers(ours[0]) - as_integers(theirs[0])
    assert difference.abs().max() <= 1
    z = _numpy.coupled(*ours, STREAM, range(n), dtype)
    assert z.dtype == dtype
    assert torch.equal(z, _reference.coupled(*theirs, STREAM, range(n), dtype))


@pytest.mark.parametrize("d", [1, 3, 1000, SHORT + 1])
@pytest.mark.parametrize("samples", [range(6, -1, -1), range(2, 5), range(1, 7, 2)])
def test_any_samples_in_any_order(d, samples):
    p = some_probabilities(d, torch.float32)
    every = samples_of(p, range(7))
    assert torch.equal(samples_of(p, samples), every[list(samples)])
    pair = coupling(p, STREAM, 7)
    every = _numpy.coupled(*pair, STREAM, range(7), torch.float32)
    some = _numpy.coupled(*pair, STREAM, samples, torch.float32)
    assert torch.equal(some, every[list(samples)])


@pytest.mark.parametrize("d", [3, 70001])
def test_coordinates_do_not_depend_on_how_many_there_are(d):
    p = some_probabilities(d, torch.float32)
    assert torch.equal(samples_of(p[:2], range(3)), samples_of(p, range(3))[:, :2])


@pytest.mark.parametrize("block", [8, 64, 1000])
def test_samples_do_not_depend_on_the_tiles(block, monkeypatch):
    d, n, dtype = 403, 60, torch.float64
    p, w = some_probabilities(d, dtype), torch.linspace(-1, 2, n, dtype=dtype)
    pair, limits = coupling(p, STREAM, n), _numpy.bernoulli_thresholds(p)

    def everything():
        yield as_integers(coupling(p, STREAM, n)[0]).double()
        yield _numpy.bernoulli(p, limits, STREAM, range(n))
        yield _numpy.coupled(*pair, STREAM, range(n), dtype)
        yield _numpy.bernoulli_weighted_sum(p, limits, STREAM, w)
        yield _numpy.coupled_weighted_sum(*pair, STREAM, w, dtype)

    whole = list(everything())
    monkeypatch.setattr(_words, "FEWEST_WORDS", block // 8)
    monkeypatch.setattr(_words, "MOST_WORDS", block // 8)
    for expected, got in zip(whole, everything(), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", [_numpy, _reference])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("d", "n"), [(1, 7), (5, 601), (1000, 19), (SHORT + 1, 8)])
def test_weighted_sums_are_the_explicit_ones(d, n, dtype, backend):
    p = some_probabilities(d, dtype)
    limits = backend.bernoulli_thresholds(p)
    weights = torch.linspace(-2, 3, n, dtype=dtype)
    tolerance = {"rtol": 0, "atol": n * (1e-6 if dtype == torch.float32 else 1e-13)}
    z = backend.bernoulli(p, limits, STREAM, range(n))
    total = backend.bernoulli_weighted_sum(p, limits, STREAM, weights)
    torch.testing.assert_close(total, weights @ z, **tolerance)
    pair = coupling(p, STREAM, n, backend)
    z = backend.coupled(*pair, STREAM, range(n), dtype)
    total = backend.coupled_weighted_sum(*pair, STREAM, weights, dtype)
    torch.testing.assert_close(total, weights @ z, **tolerance)


@pytest.mark.parametrize("backend", [_numpy, _reference])
@pytest.mark.parametrize("dtype", DTYPES)
def test_settled_probabilities_are_never_random(dtype, backend):
    p = torch.tensor([0.0, 1.0], dtype=dtype).repeat(2000)
    z = samples_of(p, range(40), backend)
    assert torch.equal(z, p.expand(40, -1))
    z = backend.coupled(*coupling(p, STREAM, 40, backend), STREAM, range(40), dtype)
    assert torch.equal(z, p.expand(40, -1))
