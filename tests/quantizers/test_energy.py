"""The energy of multiplications against the numbers of the thesis."""

import pytest
import torch

from sklearn_pb.quantizers import (
    estimate_energy,
    multiplier_latency,
    multiplier_power,
)


def test_the_numbers_for_up_to_three_bits():
    bits = torch.arange(4, dtype=torch.uint8)
    assert multiplier_power(bits).tolist() == pytest.approx([0, 1, 2.41, 3.83])
    assert multiplier_latency(bits).tolist() == pytest.approx([0, 1, 1.91, 2.10])


def test_each_further_bit_adds_what_the_third_added():
    bits = torch.arange(2, 17).double()
    for model, third in ((multiplier_power, 1.42), (multiplier_latency, 0.19)):
        assert model(bits).diff().tolist() == pytest.approx([third] * 14)


def test_power_is_nearly_rows_and_adders():
    # k rows of partial products and k - 1 adders that need 0.414 of a row each
    bits = torch.arange(1, 9).double()
    wanted = bits + 0.414 * (bits - 1)
    assert multiplier_power(bits).tolist() == pytest.approx(wanted.tolist(), rel=4e-3)


def test_slopes_are_those_between_whole_numbers():
    bits = torch.tensor([0.5, 1.5, 2.5, 6.5], dtype=torch.float64, requires_grad=True)
    multiplier_power(bits).sum().backward()
    assert bits.grad.tolist() == pytest.approx([1.0, 1.41, 1.42, 1.42])
    assert multiplier_latency(bits).tolist() == pytest.approx(
        [0.5, 1.455, 2.005, 2.765]
    )


def test_the_example_of_the_thesis():
    # 74, 24.5 and 1.5 % of the weights at 1, 2 and 3 bits beside 2 bits for all: the
    # text says 57.5 % of the power, 36 % faster, 62.7 % less energy.
    mixed = estimate_energy([torch.tensor([1, 2, 3])], [torch.tensor([74, 24.5, 1.5])])
    plain = estimate_energy([torch.tensor([2, 2, 2])], [torch.tensor([74, 24.5, 1.5])])
    assert mixed.power / plain.power == pytest.approx(0.576, abs=5e-4)
    assert 1 - mixed.latency / plain.latency == pytest.approx(0.351, abs=5e-4)
    assert 1 - mixed.energy / plain.energy == pytest.approx(0.627, abs=1e-3)


def test_by_hand_over_two_layers():
    bits = [torch.tensor([[2], [0]], dtype=torch.uint8), torch.tensor(3)]
    uses = [torch.full((2, 3), 4.0), 24.0]  # 12 at 2 bits, 12 at none, 24 at 3
    got = estimate_energy(bits, uses)
    assert got.power == pytest.approx((12 * 2.41 + 24 * 3.83) / 48)
    assert got.latency == pytest.approx((12 * 1.91 + 24 * 2.10) / 48)
    summed = (12 * 2.41 * 1.91 + 24 * 3.83 * 2.10) / 48
    assert got.summed_energy == pytest.approx(summed)
    assert got.energy == pytest.approx(got.power * got.latency)
    assert got.energy < got.summed_energy


def test_groups_give_what_weights_give():
    groups, counts = torch.tensor([1, 4, 0]), torch.tensor([5, 2, 9])
    each = groups.repeat_interleave(counts)
    assert estimate_energy([groups], [counts]) == estimate_energy([each], [1.0])


def test_a_network_of_one_bit_is_the_unit():
    got = estimate_energy([torch.ones(3, 3)], [7.0])
    assert (got.power, got.latency, got.energy, got.summed_energy) == (1, 1, 1, 1)


def test_nothing_costs_nothing():
    for bits, uses in (([], []), ([torch.tensor([3, 8])], [0.0])):
        assert estimate_energy(bits, uses).energy == 0.0
    assert estimate_energy([torch.zeros(4)], [9.0]).summed_energy == 0.0


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="multiplications for 0 layers"):
        estimate_energy([torch.ones(1)], [])
    with pytest.raises(ValueError, match="must not be negative"):
        estimate_energy([torch.ones(1)], [-1.0])
    with pytest.raises(ValueError, match="must not be negative"):
        estimate_energy([torch.tensor([-1, 2])], [1.0])
