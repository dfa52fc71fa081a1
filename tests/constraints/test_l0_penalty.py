"""The penalty's strength: fixed without a target, steered to one in closed loop."""

import math
import re

import pytest
from sklearn.base import clone

from sklearn_pb.constraints import L0Penalty
from sklearn_pb.schedules import CubicSparsity


class Plant:
    """Densities that answer a price with a delay: d theta moves down as it rises.

    Variables have slopes spread over `spread` decades around `size`; each is kept
    where its slope is above the price.
    """

    def __init__(self, size, spread=2.0, n=2000, lag=0.05):
        steps = [(i + 0.5) / n - 0.5 for i in range(n)]
        self.slopes = [size * 10 ** (spread * step) for step in steps]
        self.lag = lag
        self.theta = [0.5] * n

    def density(self):
        return sum(self.theta) / len(self.theta)

    def mean_slope(self):
        return sum(self.slopes) / len(self.slopes)

    def step(self, price):
        for i, slope in enumerate(self.slopes):
            goal = 1.0 if slope > price else 0.0
            self.theta[i] += self.lag * (goal - self.theta[i])


def steer(plant, penalty, n_steps=400):
    penalty.calibrate(plant.mean_slope())
    for step in range(1, n_steps + 1):
        plant.step(penalty.strength)
        penalty.follow(plant.density(), step / n_steps, 1 / n_steps)
    return plant.density()


@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_the_density_reaches_its_target_at_any_scale(size, sparsity):
    state = L0Penalty().steer(0.5, sparsity)
    density = steer(Plant(size, n=500), state)
    assert density == pytest.approx(1 - sparsity, rel=0.25)


@pytest.mark.parametrize("first", [1e-8, 1.0, 1e4])
def test_a_strength_is_only_where_the_steering_starts(first):
    state = L0Penalty(strength=first).steer(0.5, 0.9)
    assert state.strength == first
    assert steer(Plant(1.0, n=500), state, 1000) == pytest.approx(0.1, rel=0.3)


def test_without_a_target_the_strength_is_fixed():
    state = L0Penalty(strength=0.25).steer(0.5)
    state.calibrate(100.0)
    for step in range(1, 10):
        state.follow(0.9, step / 10, 0.1)
    assert state.strength == 0.25


def test_zero_stays_zero_without_a_target():
    state = L0Penalty(strength=0).steer(0.5)
    state.calibrate(100.0)
    assert state.strength == 0


def test_zero_can_still_be_steered():
    state = L0Penalty(strength=0).steer(0.5, 0.9)
    assert steer(Plant(1.0, n=500), state) == pytest.approx(0.1, rel=0.3)


def test_auto_is_a_tenth_of_the_mean_slope():
    state = L0Penalty().steer(0.5)
    assert state.strength is None and not state.calibrated
    state.calibrate(3.0)
    assert state.strength == pytest.approx(0.3) and state.calibrated


def test_too_dense_raises_and_too_sparse_lowers_the_price():
    for density, sign in ((0.9, 1), (0.001, -1)):
        state = L0Penalty(strength=1.0).steer(0.5, 0.9)
        state.calibrate(1.0)
        state.follow(density, 1.0, 0.01)
        assert sign * math.log(state.strength) > 0


def test_the_target_is_a_cubic_from_the_first_density():
    state = L0Penalty().steer(0.8, 0.9)
    assert isinstance(state.target, CubicSparsity)
    assert state.target(0.0) == pytest.approx(0.2)
    assert state.target(1.0) == 0.9


def test_nothing_is_followed_before_the_first_strength_is_known():
    state = L0Penalty(strength=1.0).steer(0.5, 0.9)
    state.follow(0.9, 0.5, 0.1)
    assert state.strength == 1.0


def test_extreme_densities_keep_the_strength_finite():
    state = L0Penalty(strength=1.0).steer(0.5, 0.99)
    state.calibrate(1.0)
    for density in [0.0] * 50 + [1.0] * 50:
        state.follow(density, 1.0, 1.0)
        assert 0 < state.strength < math.inf


def test_saved_states_go_on_alike():
    first = L0Penalty().steer(0.5, 0.9)
    first.calibrate(2.0)
    first.follow(0.4, 0.3, 0.1)
    saved = first.state_dict()
    second = L0Penalty().steer(0.5, 0.9)
    second.load_state_dict(saved)
    for density in (0.3, 0.2, 0.15):
        first.follow(density, 0.5, 0.1)
        second.follow(density, 0.5, 0.1)
    assert first == second


@pytest.mark.parametrize(
    "strength, error, message",
    [
        (-1.0, ValueError, "L0Penalty.strength=-1.0 must be a number in [0, inf)"),
        (math.nan, ValueError, "L0Penalty.strength=nan"),
        (math.inf, ValueError, "L0Penalty.strength=inf"),
        ("much", TypeError, "L0Penalty.strength='much'"),
        (None, TypeError, "L0Penalty.strength=None"),
    ],
)
def test_senseless_strengths_are_refused(strength, error, message):
    with pytest.raises(error, match=re.escape(message)):
        L0Penalty(strength=strength).steer(0.5)


def test_the_constructor_only_stores():
    assert clone(L0Penalty(strength="much")).strength == "much"
    assert L0Penalty().get_params() == {"strength": "auto"}
