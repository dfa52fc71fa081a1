"""The kernels of the CPU draw what the plain torch ones draw, to the last bit."""

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sklearn_pb import kernels
from sklearn_pb.kernels import _numpy, _reference, _words, backend_for
from sklearn_pb.utils import RandomStream
from sklearn_pb.utils._random import GOLDEN, mix

SHORT, LONG = 8 * _words.FEWEST_WORDS, 8 * _words.MOST_WORDS
SIZES = [1, 2, 3, 5, 1000, SHORT - 1, SHORT, SHORT + 1, 70001, LONG + 3]
DTYPES = [torch.float32, torch.float64]
STREAM = RandomStream(11, (2, 3))
HAS_NUMBA = find_spec("numba") is not None
NUMBA = import_module("sklearn_pb.kernels._numba") if HAS_NUMBA else None
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")
OURS = [
    pytest.param(_numpy, id="numpy"),
    pytest.param(NUMBA, id="numba", marks=needs_numba),
]


@pytest.fixture(params=OURS)
def ours(request):
    return request.param


def some_probabilities(d, dtype):
    generator = torch.Generator().manual_seed(d)
    p = torch.rand(d, generator=generator, dtype=torch.float64)
    special = torch.tensor([0.5, 0.0, 1.0, 2.0**-20, 1 - 2.0**-20, 0.25, 1e-3])
    p[: len(special)] = special[:d].double()
    return p.to(dtype)


def coupling(backend, p, stream, n):
    return backend.dirichlet_thresholds(p, stream, n), p > 0.5


@needs_numba
def test_backend_of_the_cpu():
    assert backend_for(torch.device("cpu")) is NUMBA


def test_backend_of_the_cpu_without_numba(monkeypatch):
    kernels._numba_module.cache_clear()
    monkeypatch.setattr(kernels, "_has_numba", lambda: False)
    try:
        assert backend_for(torch.device("cpu")) is _numpy
        assert kernels.arithmetic_for(torch.zeros(3)) is kernels._mask_arithmetic
    finally:
        kernels._numba_module.cache_clear()


@needs_numba
def test_a_numba_that_does_not_load_is_said(monkeypatch):
    def refuse(name):
        raise ImportError("Numba needs NumPy 1.0 or less")

    monkeypatch.setattr(kernels, "import_module", refuse)
    with pytest.warns(RuntimeWarning, match="cannot be imported .Numba needs NumPy"):
        assert not kernels._has_numba.__wrapped__()


def test_backend_of_other_devices():
    assert backend_for(torch.device("meta")) is _reference


def samples_of(backend, p, samples):
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
def test_bernoulli_samples_agree(d, dtype, ours):
    p = some_probabilities(d, dtype)
    z = samples_of(ours, p, range(3))
    assert z.dtype == dtype
    assert torch.equal(z, samples_of(_reference, p, range(3)))
    limits = ours.bernoulli_thresholds(p)
    assert torch.equal(limits, _reference.bernoulli_thresholds(p))
    as_bytes = ours.bernoulli(p, limits, STREAM, range(3), torch.uint8)
    assert as_bytes.dtype == torch.uint8 and torch.equal(as_bytes.to(dtype), z)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_coupled_samples_agree(d, dtype, ours):
    n = 4 if d > 1000 else 61  # the logarithm of 56 factors is taken at once
    p = some_probabilities(d, dtype)
    limits, flips = coupling(ours, p, STREAM, n)
    expected, _ = coupling(_reference, p, STREAM, n)
    # A logarithm may differ in its last bit, and with it a threshold by one.
    assert (as_integers(limits) - as_integers(expected)).abs().max() <= 1
    # Some draws tie with these upper halves; the lower ones decide.
    (draws,) = _reference._draws(STREAM, range(1), d, p.device)
    limits[0, ::3] = draws[::3].to(torch.uint16)
    z = ours.coupled(limits, flips, STREAM, range(n), dtype)
    assert z.dtype == dtype
    assert torch.equal(z, _reference.coupled(limits, flips, STREAM, range(n), dtype))


@pytest.mark.parametrize("d", [1, 3, 1000, SHORT + 1])
@pytest.mark.parametrize("samples", [range(6, -1, -1), range(2, 5), range(1, 7, 2)])
def test_any_samples_in_any_order(d, samples, ours):
    p = some_probabilities(d, torch.float32)
    every = samples_of(ours, p, range(7))
    assert torch.equal(samples_of(ours, p, samples), every[list(samples)])
    pair = coupling(ours, p, STREAM, 7)
    every = ours.coupled(*pair, STREAM, range(7), torch.float32)
    some = ours.coupled(*pair, STREAM, samples, torch.float32)
    assert torch.equal(some, every[list(samples)])


@pytest.mark.parametrize("d", [3, 70001])
def test_coordinates_do_not_depend_on_how_many_there_are(d, ours):
    p = some_probabilities(d, torch.float32)
    few, many = samples_of(ours, p[:2], range(3)), samples_of(ours, p, range(3))
    assert torch.equal(few, many[:, :2])


def everything(backend, d, n, dtype):
    """What a backend makes of one problem; sums last."""
    p, w = some_probabilities(d, dtype), torch.linspace(-1, 2, n, dtype=dtype)
    pair, limits = coupling(backend, p, STREAM, n), backend.bernoulli_thresholds(p)
    yield as_integers(pair[0]).double()
    yield backend.bernoulli(p, limits, STREAM, range(n))
    yield backend.coupled(*pair, STREAM, range(n), dtype)
    yield backend.bernoulli_weighted_sum(p, limits, STREAM, w)
    yield backend.coupled_weighted_sum(*pair, STREAM, w, dtype)


@pytest.mark.parametrize("block", [8, 64, 1000])
def test_samples_do_not_depend_on_the_tiles(block, monkeypatch):
    case = _numpy, 403, 60, torch.float64
    whole = list(everything(*case))
    monkeypatch.setattr(_words, "FEWEST_WORDS", block // 8)
    monkeypatch.setattr(_words, "MOST_WORDS", block // 8)
    for expected, got in zip(whole, everything(*case), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)


@needs_numba
@pytest.mark.parametrize("n_threads", [2, 3])
def test_compiled_kernels_do_not_depend_on_the_threads(n_threads, monkeypatch):
    case = NUMBA, 3 * NUMBA.BYTES + 5, 9, torch.float32
    alone = list(everything(*case))
    monkeypatch.setattr(NUMBA, "GRAIN", NUMBA.BYTES)
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    for expected, got in zip(alone, everything(*case), strict=True):
        assert torch.equal(got, expected)


@needs_numba
def test_an_error_in_a_thread_is_raised(monkeypatch):
    from sklearn_pb.kernels._compiled import in_parts

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def work(start, stop):
        if start:
            raise ValueError(f"at {start}")

    with pytest.raises(ValueError, match="at 4"):
        in_parts(work, 8, 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("d", "n"), [(1, 7), (5, 601), (1000, 19), (SHORT + 1, 8)])
@pytest.mark.parametrize("backend", [*OURS, pytest.param(_reference, id="reference")])
def test_weighted_sums_are_the_explicit_ones(d, n, dtype, backend):
    p = some_probabilities(d, dtype)
    limits = backend.bernoulli_thresholds(p)
    weights = torch.linspace(-2, 3, n, dtype=dtype)
    tolerance = {"rtol": 0, "atol": n * (1e-6 if dtype == torch.float32 else 1e-13)}
    z = backend.bernoulli(p, limits, STREAM, range(n))
    total = backend.bernoulli_weighted_sum(p, limits, STREAM, weights)
    torch.testing.assert_close(total, weights @ z, **tolerance)
    pair = coupling(backend, p, STREAM, n)
    z = backend.coupled(*pair, STREAM, range(n), dtype)
    total = backend.coupled_weighted_sum(*pair, STREAM, weights, dtype)
    torch.testing.assert_close(total, weights @ z, **tolerance)
