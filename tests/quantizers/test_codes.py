"""The grid of SMOL against enumeration of its bit strings."""

import itertools
import math

import pytest
import torch

from sklearn_pb.quantizers import (
    bits_of_codes,
    logits_of_bits,
    precision_of_logits,
    quantize_smol,
    real_precision,
    smol_codes,
    zero_precision,
)

PRECISIONS = range(1, 9)
# Every multiple of 2^-10 in [-3, 3]: all values of up to 8 bits, all ties, and beyond.
FINE = torch.arange(-3 * 2**10, 3 * 2**10 + 1) / 2.0**10


def enumerated(bits):
    """All values of so many bits, rising, as the sums that define them."""
    strings = itertools.product((-1.0, 1.0), repeat=bits)
    return sorted(
        math.fsum(b * 2.0**-j for j, b in enumerate(string)) for string in strings
    )


def nearest(values, grid):
    """The nearest of the grid by comparing all; of two the larger."""
    grid = torch.tensor(grid, dtype=torch.float64)
    distances = (values.double()[:, None] - grid.flip(0)).abs()
    return grid.flip(0)[distances.argmin(1)]  # argmin takes the first, the larger


@pytest.fixture
def weights():
    return 1.2 * torch.randn(4000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bits", PRECISIONS)
def test_the_values_are_the_sums_of_all_bit_strings(bits):
    reached = quantize_smol(FINE, torch.tensor(bits)).unique()
    assert reached.tolist() == enumerated(bits)
    assert len(reached) == 2**bits


@pytest.mark.parametrize("bits", PRECISIONS)
def test_the_nearest_value_wins_and_the_larger_of_two(bits, weights):
    values = torch.cat([FINE, weights])
    wanted = nearest(values, enumerated(bits))
    assert torch.equal(quantize_smol(values, torch.tensor(bits)).double(), wanted)


def test_ties_are_among_what_was_compared():
    got = quantize_smol(torch.tensor([-1.0, 0.0, 1.0, -0.0]), torch.tensor(2))
    assert got.tolist() == [-0.5, 0.5, 1.5, 0.5]


def test_next_to_a_tie_the_nearer_wins_to_the_last_bit():
    for bits in range(1, 17):
        p, tie = torch.tensor(bits), torch.tensor(2.0 - 2.0 ** (2 - bits))
        below = torch.nextafter(tie, torch.tensor(0.0))
        half = 2.0 ** (1 - bits)
        assert float(quantize_smol(tie, p)) == float(tie) + half
        assert float(quantize_smol(below, p)) == (float(tie) - half if bits > 1 else 1)


def test_the_example_of_the_thesis():
    values = torch.tensor([0.2, 0.2])
    bits = torch.tensor([2, 0], dtype=torch.uint8)
    assert quantize_smol(values, bits).tolist() == [0.5, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bits", [0, *PRECISIONS, 16])
def test_idempotent(bits, dtype, weights):
    p = torch.tensor(bits, dtype=torch.uint8)
    once = quantize_smol(weights.to(dtype), p)
    assert once.dtype == dtype
    assert torch.equal(quantize_smol(once, p), once)


def test_no_bits_are_plus_zero(weights):
    got = quantize_smol(weights, torch.tensor(0))
    assert torch.equal(got, torch.zeros(4000)) and not got.signbit().any()


@pytest.mark.parametrize("bits", PRECISIONS)
def test_the_error_halves_with_each_bit(bits):
    inside = FINE[FINE.abs() <= 2.0].double()
    error = (quantize_smol(inside, torch.tensor(bits)) - inside).abs()
    assert float(error.max()) == 2.0 ** (1 - bits)
    assert float(error.mean()) == pytest.approx(2.0**-bits, rel=1e-3)


def test_at_a_single_value_more_bits_may_be_worse():
    one = torch.ones(4)  # a value of one bit, and so of no other number of bits
    error = (quantize_smol(one, torch.arange(1, 5)) - one).abs()
    assert error.tolist() == [0.0, 0.5, 0.25, 0.125]


def test_clipping_is_to_the_ends(weights):
    for p in range(1, 17):
        far = quantize_smol(torch.tensor([9.0, -9.0, math.inf]), torch.tensor(p))
        end = 2.0 - 2.0 ** (1 - p)
        assert far.tolist() == [end, -end, end]


def test_values_of_different_precisions_are_disjoint():
    sets = [set(enumerated(p)) for p in PRECISIONS]
    for first, second in itertools.combinations(sets, 2):
        assert not first & second


def test_precisions_broadcast(weights):
    rows = weights.view(4, 1000)
    bits = torch.tensor([[0], [1], [3], [8]], dtype=torch.uint8)
    got = quantize_smol(rows, bits)
    for row, p, wanted in zip(rows, bits, got, strict=True):
        assert torch.equal(quantize_smol(row, p), wanted)


@pytest.mark.parametrize("largest", [1, 3, 7, 8, 16])
def test_codes_are_the_values_and_carry_the_bits(largest):
    bits = torch.arange(largest + 1, dtype=torch.uint8)[:, None]
    codes = smol_codes(FINE.expand(largest + 1, -1), bits, largest)
    step = torch.tensor(2.0 ** (1 - largest))
    wanted = quantize_smol(FINE.expand(largest + 1, -1), bits)
    assert codes.dtype == torch.int32
    assert torch.equal(codes.to(torch.float32) * step, wanted)
    assert torch.equal(bits_of_codes(codes, largest), bits.expand(codes.shape))


@pytest.mark.parametrize("largest, integer_bits", [(1, 2), (3, 4), (7, 8)])
def test_which_integers_codes_fit_into(largest, integer_bits):
    codes = smol_codes(FINE, torch.tensor(largest), largest)
    end = 2 ** (integer_bits - 1) - 1
    assert (int(codes.min()), int(codes.max())) == (-end, end)


@pytest.mark.parametrize("largest", PRECISIONS)
def test_every_integer_below_the_end_is_a_code(largest):
    every = torch.arange(1 - 2**largest, 2**largest, dtype=torch.int32)
    bits = bits_of_codes(every, largest)
    values = every * 2.0 ** (1 - largest)
    assert torch.equal(smol_codes(values, bits, largest), every)
    for code, p in zip(every.tolist(), bits.tolist(), strict=True):
        assert (code * 2.0 ** (1 - largest) in enumerated(p)) if p else code == 0


def test_no_weight_has_bits():
    codes = smol_codes(torch.ones(3), torch.zeros(3, dtype=torch.uint8), 0)
    assert codes.tolist() == [0, 0, 0]
    assert bits_of_codes(codes, 0).tolist() == [0, 0, 0]


def test_empty_tensors():
    empty, bits = torch.zeros(0, 3), torch.zeros(0, 1, dtype=torch.uint8)
    assert quantize_smol(empty, bits).shape == (0, 3)
    codes = smol_codes(empty, bits, 4)
    assert codes.shape == bits_of_codes(codes, 4).shape == (0, 3)


@pytest.mark.parametrize("bits", range(1, 17))
def test_zero_precision_exactly_up_to_half_of_the_smallest_value(bits, weights):
    edge = torch.tensor(2.0**-bits)
    over = torch.nextafter(edge, torch.tensor(1.0))
    values = torch.cat([FINE, weights, torch.stack([edge, -edge, over, -over])])
    p = torch.tensor(bits, dtype=torch.uint8)
    zeroed = zero_precision(values, p) == 0
    assert torch.equal(zeroed, values.abs() <= 2.0**-bits)
    wide = values.double()  # the comparison itself must not round
    assert torch.equal(zeroed, wide.abs() <= (wide - quantize_smol(wide, p)).abs())
    assert zeroed[-4:].tolist() == [True, True, False, False]


def test_a_wider_band_of_zeros():
    values = torch.tensor([0.5, -0.51, 1.0])
    bits = torch.tensor(2, dtype=torch.uint8)
    assert zero_precision(values, bits, 2.0).tolist() == [0, 2, 2]


def test_zero_precision_keeps_the_other_bits():
    bits = torch.tensor([[1], [3], [0]], dtype=torch.uint8)
    got = zero_precision(torch.tensor([0.4, 0.6, -1.9]).expand(3, 3), bits)
    assert got.dtype == torch.uint8
    assert got.tolist() == [[0, 1, 1], [3, 3, 3], [0, 0, 0]]


def test_real_precision_by_hand_and_without_overflow():
    assert float(real_precision(torch.tensor(0.0))) == 2.0
    wanted = 1 + math.log2(1 + math.exp(1.5))
    assert float(real_precision(torch.tensor(-1.5))) == pytest.approx(wanted)
    far = real_precision(torch.tensor([-1e4, 1e4, math.inf]))
    assert far.tolist() == pytest.approx([1 + 1e4 / math.log(2), 1.0, 1.0])


def test_the_slope_of_real_precision():
    logits = torch.tensor([-200.0, -2.0, 0.3, 200.0], requires_grad=True)
    real_precision(logits).sum().backward()
    wanted = [-1.0 / (1.0 + math.exp(s)) / math.log(2) for s in (-200.0, -2, 0.3, 200)]
    assert logits.grad.tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("rounding", ["floor", "round", "ceil"])
def test_whole_bits_come_back(rounding):
    bits = torch.arange(1, 17)
    got = precision_of_logits(logits_of_bits(bits), rounding)
    assert got.dtype == torch.uint8 and got.tolist() == bits.tolist()


@pytest.mark.parametrize(
    "rounding, wanted",
    [("floor", [1, 2, 2, 7]), ("round", [1, 3, 2, 8]), ("ceil", [2, 3, 3, 8])],
)
def test_rounding(rounding, wanted):
    logits = logits_of_bits(torch.tensor([1.3, 2.5001, 2.49, 7.9]))
    assert precision_of_logits(logits, rounding).tolist() == wanted


@pytest.mark.parametrize(
    ("rounding", "worst"), [("floor", 2.0), ("round", 2**0.5), ("ceil", 1.0)]
)
def test_only_ceil_keeps_the_error_within_the_noise(rounding, worst):
    logits = logits_of_bits(torch.linspace(1.001, 6, 500)).double()[:, None]
    noise = torch.sigmoid(logits)
    values = torch.linspace(-1, 1, 2001, dtype=torch.float64) * (2 - noise)
    error = quantize_smol(values, precision_of_logits(logits, rounding)) - values
    ratio = float((error.abs() / noise).max())
    assert ratio == pytest.approx(worst, rel=0.02)


@pytest.mark.parametrize(
    "rounding, wanted",
    [
        ("floor", [1, 2, 2, 4, 4, 8]),
        ("round", [1, 2, 4, 4, 8, 8]),
        ("ceil", [2, 4, 4, 8, 8, 8]),
    ],
)
def test_rounding_to_widths(rounding, wanted):
    logits = logits_of_bits(torch.tensor([1.4, 2.9, 3.1, 5.9, 6.1, 12.0]))
    assert precision_of_logits(logits, rounding, (1, 2, 4, 8)).tolist() == wanted


def test_below_the_first_width_is_the_first():
    logits = torch.tensor([math.inf, -math.inf])
    assert precision_of_logits(logits, "floor", (4, 8)).tolist() == [4, 8]
    assert precision_of_logits(logits).tolist() == [1, 16]


def test_logits_of_the_initial_precision():
    got = logits_of_bits(8)
    assert got.shape == () and got.dtype == torch.float32
    assert float(got) == pytest.approx(-math.log(127))
    assert float(logits_of_bits(1)) == math.inf
    assert float(torch.sigmoid(logits_of_bits(1))) == 1.0
    assert float(logits_of_bits(2000.0)) == pytest.approx(-1999 * math.log(2))


def test_errors_name_what_is_wrong():
    values, bits = torch.ones(2), torch.tensor([1, 3])
    with pytest.raises(ValueError, match=r"bits from 1 to 3 .* largest=2"):
        smol_codes(values, bits, 2)
    with pytest.raises(ValueError, match=r"largest=17 .* \[0, 16\]"):
        smol_codes(values, bits, 17)
    with pytest.raises(ValueError, match="values must be finite"):
        smol_codes(torch.tensor([math.nan, 1.0]), bits, 3)
    with pytest.raises(ValueError, match="codes up to 4 must be below"):
        bits_of_codes(torch.tensor([-4]), 2)
    with pytest.raises(TypeError, match=r"largest=2\.0"):
        bits_of_codes(torch.tensor([1]), 2.0)
    with pytest.raises(ValueError, match="rounding='up' is unknown"):
        precision_of_logits(values, "up")
    with pytest.raises(ValueError, match="NaN"):
        precision_of_logits(torch.tensor([math.nan]))
    with pytest.raises(ValueError, match=r"bits=0\.5"):
        logits_of_bits(0.5)


@pytest.mark.parametrize(
    "widths, error",
    [
        ((), ValueError),
        ((2, 1), ValueError),
        ((2, 2), ValueError),
        ((0, 1), ValueError),
        ((1, 17), ValueError),
        ((1.5,), TypeError),
    ],
)
def test_widths_rise(widths, error):
    with pytest.raises(error, match="widths"):
        precision_of_logits(torch.zeros(1), "floor", widths)
