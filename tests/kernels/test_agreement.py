"""The blocked numpy kernels draw what the plain torch ones draw, to the last bit."""

import numpy as np
import pytest
import torch

from sklearn_pb.kernels import _numpy, _reference, backend_for
from sklearn_pb.utils import RandomStream

BLOCK = _numpy.BLOCK
SIZES = [1, 2, 3, 5, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 70001, 4 * BLOCK, 4 * BLOCK + 3]
DTYPES = [torch.float32, torch.float64]
STREAM = RandomStream(11, (2, 3))


def some_probabilities(d, dtype):
    generator = torch.Generator().manual_seed(d)
    p = torch.rand(d, generator=generator, dtype=torch.float64)
    special = torch.tensor([0.5, 0.0, 1.0, 2.0**-20, 1 - 2.0**-20, 0.25, 1e-3])
    p[: len(special)] = special[:d].double()
    return p.to(dtype)


def coupling(p, stream, n, backend=_numpy):
    rarer = torch.minimum(p, 1 - p)
    return backend.dirichlet_thresholds(rarer, stream, n), p > 0.5


def test_backends_by_device():
    assert backend_for(torch.device("cpu")) is _numpy
    assert backend_for(torch.device("cuda")) is _reference


def test_words_agree():
    keys = STREAM.sample_keys(np.arange(3))
    ours = _numpy.words(*keys, 5, 100).view(np.int64)
    columns = (torch.from_numpy(key.view(np.int64))[:, None] for key in keys)
    theirs = _reference.words(*columns, torch.arange(5, 105))
    np.testing.assert_array_equal(ours, theirs.numpy())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_bernoulli_samples_agree(d, dtype):
    p = some_probabilities(d, dtype)
    ours = _numpy.bernoulli(p, STREAM, range(3))
    assert ours.dtype == dtype
    assert torch.equal(ours, _reference.bernoulli(p, STREAM, range(3)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", SIZES)
def test_coupled_samples_agree(d, dtype):
    n = 4 if d > 1000 else 37
    p = some_probabilities(d, dtype)
    ours, theirs = (coupling(p, STREAM, n, k) for k in (_numpy, _reference))
    # A logarithm may differ in its last bit, and with it a threshold by one.
    difference = torch.from_numpy(ours[0].numpy().astype(np.int64)) - theirs[0]
    assert difference.abs().max() <= 1
    z = _numpy.coupled(*ours, STREAM, range(n), dtype)
    assert z.dtype == dtype
    assert torch.equal(z, _reference.coupled(*theirs, STREAM, range(n), dtype))


@pytest.mark.parametrize("d", [1, 3, 1000, BLOCK + 1])
@pytest.mark.parametrize("samples", [range(6, -1, -1), range(2, 5), range(1, 7, 2)])
def test_any_samples_in_any_order(d, samples):
    p = some_probabilities(d, torch.float32)
    every = _numpy.bernoulli(p, STREAM, range(7))
    assert torch.equal(_numpy.bernoulli(p, STREAM, samples), every[list(samples)])
    pair = coupling(p, STREAM, 7)
    every = _numpy.coupled(*pair, STREAM, range(7), torch.float32)
    some = _numpy.coupled(*pair, STREAM, samples, torch.float32)
    assert torch.equal(some, every[list(samples)])


@pytest.mark.parametrize("d", [3, 70001])
def test_coordinates_do_not_depend_on_how_many_there_are(d):
    p = some_probabilities(d, torch.float32)
    assert torch.equal(
        _numpy.bernoulli(p[:2], STREAM, range(3)),
        _numpy.bernoulli(p, STREAM, range(3))[:, :2],
    )


@pytest.mark.parametrize("backend", [_numpy, _reference])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 5, 1000, BLOCK + 1])
def test_weighted_sums_are_the_explicit_ones(d, dtype, backend):
    p, n = some_probabilities(d, dtype), 7
    weights = torch.linspace(-2, 3, n, dtype=dtype)
    tolerance = {"rtol": 0, "atol": 1e-5 if dtype == torch.float32 else 1e-12}
    z = backend.bernoulli(p, STREAM, range(n))
    total = backend.bernoulli_weighted_sum(p, STREAM, weights)
    torch.testing.assert_close(total, weights @ z, **tolerance)
    pair = coupling(p, STREAM, n, backend)
    z = backend.coupled(*pair, STREAM, range(n), dtype)
    total = backend.coupled_weighted_sum(*pair, STREAM, weights, dtype)
    torch.testing.assert_close(total, weights @ z, **tolerance)


@pytest.mark.parametrize("backend", [_numpy, _reference])
@pytest.mark.parametrize("dtype", DTYPES)
def test_settled_probabilities_are_never_random(dtype, backend):
    p = torch.tensor([0.0, 1.0], dtype=dtype).repeat(2000)
    z = backend.bernoulli(p, STREAM, range(40))
    assert torch.equal(z, p.expand(40, -1))
    z = backend.coupled(*coupling(p, STREAM, 40, backend), STREAM, range(40), dtype)
    assert torch.equal(z, p.expand(40, -1))
