"""The compiled arithmetic of masks against plain torch in double precision."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sklearn_pb import kernels
from sklearn_pb.kernels import _mask_arithmetic, arithmetic_for

pytestmark = pytest.mark.skipif(
    find_spec("numba") is None, reason="numba is not installed"
)
D = 1003


@pytest.fixture
def compiled():
    return kernels.compiled_arithmetic_for(torch.zeros(1))


def some(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


MASKS = {
    "soft": some(D).sigmoid(),
    "bytes": (some(D) > 0).to(torch.uint8),
    "booleans": some(D) > 0,
}


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_products_agree(compiled, mask, scale):
    weight, gradient, total = some(D, seed=1), some(D, seed=2), some(D, seed=3)
    results = []
    for arithmetic in (compiled, _mask_arithmetic):
        out, slope = torch.empty(D), torch.empty(D)
        sums, split = total.clone(), gradient.clone()
        arithmetic.put_masked(out, weight, mask, scale)
        arithmetic.add_masked(sums, gradient, mask, scale)
        arithmetic.split_gradient(slope, split, weight, mask, scale)
        results.append([out, sums, slope, split])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_matrices_are_worked_on_in_place(compiled):
    weight, mask, out = some(7, 3), some(7, 3, seed=1).sigmoid(), torch.empty(7, 3)
    compiled.put_masked(out, weight, mask, 1.0)
    assert torch.equal(out, weight * mask)


def test_many_weights_are_cut_among_threads(compiled, monkeypatch):
    monkeypatch.setattr(compiled, "GRAIN", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    weight, mask, out = some(D), MASKS["soft"], torch.empty(D)
    compiled.put_masked(out, weight, mask, 1.0)
    assert torch.equal(out, weight * mask)


@pytest.mark.parametrize("sharpness", [1.0, 37.0])
def test_the_logistic_sigmoid_is_as_good_as_torchs(compiled, sharpness):
    x, out = torch.linspace(-90, 90, 100_001), torch.empty(100_001)
    compiled.put_logistic(out, x, sharpness)
    exact = torch.sigmoid(x.mul(sharpness).double())
    seen = exact > 1e-37
    torch.testing.assert_close(out[seen].double(), exact[seen], rtol=3e-7, atol=0)
    assert (out[~seen] < 2e-37).all() and (out.diff() >= -1e-7).all()
    ends = torch.tensor([-torch.inf, -1e30, 0.0, 1e30, torch.inf])
    compiled.put_logistic(out[:5], ends, sharpness)
    assert out[:5].tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


SHARPNESS, PRICE, SMOOTHING, RATE, EPSILON = 3.0, 2e-5, 0.9, 0.01, 1e-30
SIZES = [300, 3, 500, 200]  # of layers whose weights lie apart; they add up to D


def stepped(gradient, weight, value, logits, square, limit=8.0, sizes=SIZES):
    """One step of the logits of a soft mask over layers, in place but for weights."""
    weights, gradients = weight.split(sizes), list(gradient.split(sizes))
    layers = kernels.soft_layers(weights, gradients, logits, square, value)
    layers.step(gradients, (SHARPNESS, PRICE, SMOOTHING, RATE, EPSILON, limit))


def test_nan_is_handed_on(compiled):
    nan = torch.tensor([torch.nan])
    out = nan.clone()
    compiled.put_logistic(out, nan, 1.0)
    assert out.isnan().all()
    logits, one = torch.zeros(1), torch.ones(1)
    stepped(nan, one, one / 2, logits, torch.zeros(1), sizes=[1])
    assert logits.isnan().all()


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request, monkeypatch):
    """With few variables a thread, so that ranges begin within layers."""
    from sklearn_pb.kernels import _numba_soft_pass

    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
    if request.param > 1:
        monkeypatch.setattr(_numba_soft_pass, "GRAIN", 128)
    return request.param


def test_a_soft_mask_is_computed_with_its_weights(threads, monkeypatch):
    d = 3 * (1 << 12) + 77  # more than a block
    sizes = [2, 5000, 3, d - 5005]
    weights, logits = some(d).split(sizes), some(d, seed=1)
    outs, value = [torch.empty(size) for size in sizes], torch.empty(d)
    if threads > 1:
        from sklearn_pb.kernels import _numba_soft_pass

        monkeypatch.setattr(_numba_soft_pass, "GRAIN", 1 << 12)
    layers = kernels.soft_layers(weights, outs, logits, torch.zeros(d), value)
    layers.put(2.0)
    exact = torch.sigmoid(2 * logits.double())
    torch.testing.assert_close(value.double(), exact, rtol=3e-7, atol=1e-9)
    torch.testing.assert_close(torch.cat(outs), torch.cat(weights) * value)
    assert layers.density() == pytest.approx(float(exact.mean()), rel=1e-6)


@pytest.mark.parametrize("limit", [math.inf, 0.5])
def test_a_step_is_gradient_rmsprop_and_clamp(threads, limit):
    logits, value, weight = some(D), MASKS["soft"], some(D, seed=6)
    gradient, square = some(D, seed=4) * 1e-4, some(D, seed=5).square() * 1e-9
    slope = gradient.double() * weight
    of_logits = (slope + PRICE) * SHARPNESS * value * (1 - value.double())
    mean = SMOOTHING * square.double() + (1 - SMOOTHING) * of_logits.square()
    expected = logits - RATE * of_logits / (mean.sqrt() + EPSILON)
    of_weights = gradient * value
    stepped(gradient, weight, value, logits, square, limit)
    expected = expected.clamp(-limit, limit).float()
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(square, mean.float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(gradient, of_weights)


UNFIT = {
    "double": torch.zeros(4, dtype=torch.float64),
    "bytes": torch.zeros(4, dtype=torch.uint8),
    "strided": torch.zeros(8)[::2],
    "differentiable": torch.zeros(4, requires_grad=True),
}


@pytest.mark.parametrize("weight", UNFIT.values(), ids=UNFIT)
def test_layers_of_another_kind_have_no_kernels(weight):
    """Their memory would be taken for what it is not."""
    vectors = [torch.zeros(4) for _ in range(3)]
    assert kernels.soft_layers([weight], [torch.zeros(4)], *vectors) is None
    assert kernels.soft_layers([torch.zeros(4)], [weight], *vectors) is None


@pytest.mark.parametrize(
    "tensors",
    [
        (torch.zeros(3, dtype=torch.float64),),
        (torch.zeros(3), torch.zeros(4)),
        (torch.zeros(3, 2).T,),
        (torch.zeros(3, requires_grad=True),),
        (torch.zeros(3, device="meta"),),
    ],
    ids=["double", "broadcast", "transposed", "differentiable", "elsewhere"],
)
def test_what_is_left_to_torch(tensors):
    assert arithmetic_for(*tensors) is _mask_arithmetic


def test_exponential_and_logarithm_to_the_last_bits():
    from sklearn_pb.kernels._numba_math import exponential, logarithm

    x = np.linspace(-708, 700, 20_001)
    ours = np.array([exponential(value) for value in x])
    np.testing.assert_allclose(ours, np.exp(x), rtol=5e-16)
    assert exponential(-1e4) == exponential(-708.0)
    y = np.concatenate([np.exp(x), np.linspace(0.5, 2, 2_000), [1.0]])
    ours = np.array([logarithm(value) for value in y])
    np.testing.assert_allclose(ours, np.log(y), rtol=5e-16, atol=0)


def test_memory_of_layers_is_kept_for_them():
    """They know addresses only; nothing else may lie there."""
    vectors = some(4), torch.zeros(4), torch.zeros(4)
    layers = kernels.soft_layers([some(2), some(2)], [some(2), some(2)], *vectors)
    assert len({tensor.data_ptr() for tensor in layers._kept}) == 4
    layers.put(1.0)
    for weight, out in zip(layers._kept[:2], layers._kept[2:], strict=True):
        assert out.isfinite().all() and not torch.equal(weight, out)
