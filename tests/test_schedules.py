"""Schedules: their ends, their shape, and that they are values."""

from dataclasses import FrozenInstanceError

import pytest

from sklearn_pb.schedules import (
    CubicSparsity,
    ExponentialSharpness,
    ExponentialTemperature,
    LinearSharpness,
    LinearTemperature,
    Staircase,
)


def test_sharpness_multiplies_by_the_same_factor_each_step():
    schedule = ExponentialSharpness(final=200.0)
    assert schedule(0.0) == 1.0
    assert schedule(1.0) == 200.0
    ratios = [schedule((t + 1) / 10) / schedule(t / 10) for t in range(10)]
    assert ratios == pytest.approx([200.0**0.1] * 10)


def test_sparsity_is_the_cubic_of_zhu_and_gupta():
    schedule = CubicSparsity(final=0.9, initial=0.1, end=0.8)
    for t in range(9):
        expected = 0.9 + (0.1 - 0.9) * (1 - t / 8) ** 3
        assert schedule(t / 10) == pytest.approx(expected)


@pytest.mark.parametrize("end", [0.5, 1.0])
@pytest.mark.parametrize("final", [0.0, 0.3, 0.987654321])
def test_sparsity_ends_exactly_at_its_final_value(final, end):
    schedule = CubicSparsity(final, initial=0.2, end=end)
    assert schedule(0.0) == pytest.approx(0.2)
    assert schedule(end) == schedule(1.0) == final


def test_temperatures_fall_by_the_same_step_or_the_same_factor():
    linear = LinearTemperature(initial=2.0, final=0.5)
    assert [linear(t / 3) for t in range(4)] == pytest.approx([2.0, 1.5, 1.0, 0.5])
    factor = ExponentialTemperature(initial=2.0, final=0.25)
    assert [factor(t / 3) for t in range(4)] == pytest.approx([2.0, 1.0, 0.5, 0.25])


def test_linear_sharpness():
    schedule = LinearSharpness(final=5.0)
    assert [schedule(t / 4) for t in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("n_stages", [2, 3, 20])
def test_a_staircase_is_constant_in_each_stage(n_stages):
    schedule = ExponentialSharpness(200.0)
    staircase = Staircase(schedule, n_stages)
    values = [staircase((i + 0.5) / (10 * n_stages)) for i in range(10 * n_stages)]
    for stage in range(n_stages):
        expected = schedule(stage / (n_stages - 1))
        assert values[10 * stage : 10 * stage + 10] == [expected] * 10
    assert staircase(0.0) == 1.0 and staircase(1.0) == 200.0


def test_one_stage_is_the_last():
    assert Staircase(LinearSharpness(3.0), 1)(0.2) == 3.0


def test_schedules_are_frozen_values():
    assert CubicSparsity(0.5) == CubicSparsity(0.5, 0.0, 1.0)
    assert hash(ExponentialSharpness(3.0)) == hash(ExponentialSharpness(3.0))
    with pytest.raises(FrozenInstanceError):
        CubicSparsity(0.5).final = 0.6
