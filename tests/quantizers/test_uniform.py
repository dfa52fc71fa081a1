"""Uniform grids of signed codes against numbers computed by hand."""

import math

import pytest
import torch

from sklearn_pb.quantizers import odd_codes, odd_step, uniform_codes, uniform_step


@pytest.fixture
def weights():
    return torch.randn(6, 500, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("bits", range(2, 17))
def test_the_largest_value_has_the_last_code(bits, weights):
    largest = weights.abs().amax(1, keepdim=True)
    step = uniform_step(largest, bits)
    codes = uniform_codes(weights, step, bits)
    assert codes.dtype == torch.int32
    assert codes.abs().amax(1).tolist() == [2 ** (bits - 1) - 1] * 6
    error = (codes * step - weights).abs() / step
    assert float(error.max()) <= 0.5 + 2.0 ** (bits - 22)  # the rounding of float32


def test_the_nearest_code_by_brute_force(weights):
    step, every = torch.tensor(0.3), torch.arange(-7, 8)
    distances = (weights[..., None].double() - 0.3 * every).abs()
    assert torch.equal(uniform_codes(weights, step, 4), every[distances.argmin(-1)])


def test_each_row_may_have_its_bits(weights):
    bits = torch.arange(2, 8, dtype=torch.uint8)[:, None]
    step = uniform_step(torch.ones(()), bits)
    codes = uniform_codes(weights, step, bits)
    for row in range(6):
        wanted = uniform_codes(weights[row], step[row], row + 2)
        assert torch.equal(codes[row], wanted)


def test_halves_and_ends():
    values = torch.tensor([-9.0, -2.5, -1.5, 0.5, 1.5, 9.0])
    assert uniform_codes(values, torch.ones(()), 3).tolist() == [-3, -2, -2, 0, 2, 3]
    full = uniform_codes(values, torch.ones(()), 3, symmetric=False)
    assert full.tolist() == [-4, -2, -2, 0, 2, 3]


def test_zeros_stay_zeros():
    step = uniform_step(torch.zeros(2, 1), 8)
    assert step.tolist() == [[1.0], [1.0]]
    assert uniform_codes(torch.zeros(2, 3), step, 8).tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_levels_of_dorefa(bits, weights):
    top = 2**bits - 1
    values = torch.cat([weights.clamp(-1, 1).flatten(), torch.linspace(-1, 1, 999)])
    scaled = (values.double() + 1) / 2 * top  # equation 9 as it is written
    wanted = 2 * torch.floor(scaled + 0.5) - top
    codes = odd_codes(values, bits)
    assert torch.equal(codes.double(), wanted)
    assert codes.unique().tolist() == list(range(-top, top + 1, 2))
    levels = codes.float() * odd_step(bits)
    assert float((levels - values).abs().max()) <= 1.0 / top + 1e-6


def test_one_bit_is_the_sign():
    codes = odd_codes(torch.tensor([-3.0, -0.01, 0.0, 0.01]), 1)
    assert codes.tolist() == [-1, -1, 1, 1] and float(odd_step(1)) == 1.0


def test_errors_name_what_is_wrong():
    one = torch.ones(2)
    with pytest.raises(ValueError, match=r"bits=1 must lie in \[2, 16\]"):
        uniform_step(one, 1)
    with pytest.raises(ValueError, match="largest must be finite"):
        uniform_step(torch.tensor(math.inf), 4)
    with pytest.raises(ValueError, match="step must be positive"):
        uniform_codes(one, torch.zeros(()), 4)
    with pytest.raises(ValueError, match="values must be finite"):
        uniform_codes(one * math.nan, one, 4)
    with pytest.raises(ValueError, match=r"bits=17"):
        odd_codes(one, 17)
    with pytest.raises(TypeError, match=r"bits=2.5"):
        odd_step(2.5)
