"""Rounding after training: the best clipping against brute force."""

import pytest
import torch
from quantization_spaces import (
    assert_lends_what_it_quantizes,
    lent,
    normal,
    pulled_back,
    space_of,
)

from sklearn_pb.quantizers import PostTraining


def grid_of(bits, grid):
    if grid == "smol" or bits == 1:
        return torch.arange(-(2**bits) + 1, 2**bits, 2).double()
    return torch.arange(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1)).double()


def least_error(weight, bits, grid):
    """The least squared error of 40 000 steps."""
    levels, best = grid_of(bits, grid), torch.inf
    largest = float(weight.abs().max()) / float(levels.max())
    weight = weight.double()
    for steps in torch.linspace(0.005, 1.5, 40_000).double().mul(largest).split(2000):
        distances = weight[:, None, None] - steps[:, None] * levels
        best = min(best, float(distances.square().amin(2).sum(0).min()))
    return best


@pytest.mark.parametrize("grid", ["uniform", "smol"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_no_step_errs_less(bits, grid):
    for seed in range(3):
        weight = normal(30, seed=seed)
        weight[0] *= 3  # an outlier, that is better clipped
        method = PostTraining(bits=bits, grid=grid)
        run = method.start(space_of(weight, zero_precision=False))
        error = float((lent(run, [weight], False)[0] - weight).square().sum())
        assert error <= 1.02 * least_error(weight, bits, grid)


def test_channels_are_searched_apart():
    weight = normal(3, 20) * torch.tensor([[1.0], [0.01], [7.0]])
    run = PostTraining(bits=3).start(space_of(weight, scale="channel"))
    rounded = lent(run, [weight], False)[0]
    for i in range(3):
        alone = PostTraining(bits=3).start(space_of(weight[i]))
        torch.testing.assert_close(rounded[i], lent(alone, [weight[i]], False)[0])


def test_a_sample_is_enough_for_a_large_layer():
    weight = normal(300_000)
    alive = normal(300_000, seed=1) > 0
    run = PostTraining(bits=2).start(space_of(weight, alive=[alive]))
    error = float((lent(run, [weight], False)[0] - weight)[alive].square().mean())
    # Three even levels for normal numbers: the step is 1.2240, the error 0.1902.
    assert error == pytest.approx(0.1902, abs=0.002)
    assert float(run.quantize([weight])[0].step) == pytest.approx(1.224, abs=0.01)


def test_max_reaches_the_largest_weight():
    weight = torch.tensor([0.1, -0.35, 0.7])
    run = PostTraining(bits=4, clipping="max").start(space_of(weight))
    tensor = run.quantize([weight])[0]
    assert tensor.codes.tolist() == [1, -4, 7]  # 0.35 is 3.5 steps: to the even one
    assert float(tensor.step) == pytest.approx(0.1)


@pytest.mark.parametrize("grid", ["uniform", "smol"])
def test_codes_are_of_their_grid(grid):
    weight = normal(500) * 3
    run = PostTraining(bits=3, grid=grid).start(space_of(weight, zero_precision=False))
    codes = run.quantize([weight])[0].codes
    assert codes.unique().tolist() == grid_of(3, grid).tolist()


def test_training_passes_see_the_weights():
    weight, gradient = normal(4), normal(4, seed=1)
    run = PostTraining(bits=2).start(space_of(weight))
    assert torch.equal(lent(run, [weight])[0], weight)
    assert torch.equal(pulled_back(run, [weight], [gradient])[0], gradient)
    assert not PostTraining.trains
    assert_lends_what_it_quantizes(run, [weight])


def test_zero_precision_takes_the_bits_of_what_is_near_zero():
    weight = torch.tensor([1.0, -1.0, 3.0, 0.49, -0.2, 0.0, 0.51])
    method = PostTraining(bits=2, grid="smol", clipping="max")
    run = method.start(space_of(weight))
    tensor = run.quantize([weight])[0]
    assert float(tensor.step) == pytest.approx(1.0)
    assert tensor.codes.tolist() == [1, -1, 3, 0, 0, 0, 1]
    assert tensor.bits.tolist() == [2, 2, 2, 0, 0, 0, 2]
    assert run.mean_bits() == pytest.approx(8 / 7)
    without = method.start(space_of(weight, zero_precision=False))
    assert without.quantize([weight])[0].codes.tolist()[3:] == [1, -1, 1, 1]


@pytest.mark.parametrize("grid", ["uniform", "smol"])
@pytest.mark.parametrize("bits", [1, 3])
def test_pruned_weights_stay_zero_and_do_not_count(bits, grid):
    weight, alive = normal(5, 8), normal(5, 8, seed=2) > 0
    method = PostTraining(bits=bits, grid=grid)
    run = method.start(space_of(weight, alive=[alive], zero_precision=False))
    tensor = run.quantize([weight * alive])[0]
    assert not tensor.codes[~alive].any()
    assert tensor.bits[~alive].max() == 0
    alone = method.start(space_of(weight[alive], zero_precision=False))
    same = alone.quantize([weight[alive]])[0]
    assert torch.equal(tensor.codes[alive], same.codes)
    assert torch.equal(lent(run, [weight])[0] != 0, alive)


def test_zeros_have_a_step():
    run = PostTraining(bits=3).start(space_of(torch.zeros(2, 3), scale="channel"))
    assert not lent(run, [torch.zeros(2, 3)], False)[0].any()


@pytest.mark.parametrize(
    ("parameter", "value"), [("clipping", "best"), ("grid", "log"), ("bits", 0)]
)
def test_checks_its_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"{parameter}="):
        PostTraining(**{parameter: value}).check()
