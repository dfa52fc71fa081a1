"""Pathwise gradients of relaxed samples: what they compute, where they fail."""

import pytest
import torch

from sklearn_pb.distributions import PRESETS, Concrete, HardConcrete, log_odds
from sklearn_pb.functions import QuadraticDistance, QuadraticFunction
from sklearn_pb.gradients import Pathwise, concrete, exact, hard_concrete
from sklearn_pb.methods import MonteCarlo, SearchSpace, StraightThrough
from sklearn_pb.utils import RandomStream

J = QuadraticFunction([[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]])
THETA = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "relaxation", [Concrete(), Concrete(0.2), HardConcrete(), HardConcrete(1.5)]
)
def test_by_differences_with_common_random_numbers(relaxation, preset):
    parametrization, stream = PRESETS[preset](), RandomStream(3)
    logits = parametrization.logits(THETA)

    def mean_cost(r):
        odds = log_odds(parametrization.probabilities(r))
        return J(relaxation.sample(odds, stream, range(6))).mean()

    got = Pathwise(relaxation)(
        J, logits, stream, n_samples=6, parametrization=parametrization
    )
    assert got.costs.mean() == pytest.approx(float(mean_cost(logits)))
    h = 1e-6
    for index in range(logits.numel()):
        step = torch.zeros_like(logits)
        step.view(-1)[index] = h
        expected = (mean_cost(logits + step) - mean_cost(logits - step)) / (2 * h)
        torch.testing.assert_close(
            got.gradient.view(-1)[index], expected, rtol=1e-5, atol=1e-8
        )


def test_the_bias_shrinks_with_the_temperature():
    logits, n = torch.logit(THETA), 20_000
    truth = exact(J, logits).gradient
    biases = [
        float(
            (
                Pathwise(Concrete(t))(J, logits, RandomStream(0), n_samples=n).gradient
                - truth
            ).norm()
        )
        for t in (3.0, 1.0, 0.3)
    ]
    assert biases[0] > 1.5 * biases[1] > 3 * biases[2]


def end_of_search(method, steps=300):
    """The probability of a one in min (z - 0.499)^2, where z = 0 costs a bit less."""
    function = QuadraticDistance(target=0.499)
    search = method.start(SearchSpace(1, RandomStream(0), dtype=torch.float64))
    for step in range(steps):
        search.advance(step / steps)
        mask, slope = search.mask(), None
        if search.needs_slope:
            point = mask.clone().requires_grad_()
            (slope,) = torch.autograd.grad(function(point[None])[0], point)
        search.update(function, slope)
    return float(search.probabilities())


def test_they_fail_near_one_half_where_loorf_does_not():
    """Tucker et al. (2017); Silva (2023), chapter 5: they are drawn to the target."""
    options = {"initial_probability": 0.2, "learning_rate": 0.03}
    assert end_of_search(MonteCarlo(gradient="loorf", **options)) < 0.05
    for method in (
        MonteCarlo(gradient="concrete", **options),
        MonteCarlo(gradient="hard-concrete", **options),
        StraightThrough(**options),
    ):
        assert end_of_search(method) > 0.25


def test_presets_are_the_two_distributions():
    assert concrete == Pathwise(Concrete()) == Pathwise()
    assert hard_concrete == Pathwise(HardConcrete())


def test_senseless_temperature():
    with pytest.raises(ValueError, match="temperature=0"):
        Pathwise(Concrete(0))(J, torch.zeros(3), RandomStream(0))
