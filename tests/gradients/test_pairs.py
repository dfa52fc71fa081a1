"""ARM and DisARM: their formulas on given uniforms, and how they relate."""

import pytest
import torch

from sklearn_pb.distributions import AntitheticPairs, Cosine
from sklearn_pb.functions import QuadraticFunction, TabularFunction
from sklearn_pb.gradients import arm, arms, disarm, traits_of
from sklearn_pb.utils import RandomStream

J = TabularFunction([3.0, -1.0, 0.5, 2.0, -2.0, 4.0, 1.0, -3.0])
LOGITS = torch.tensor([-0.8, 0.0, 1.4], dtype=torch.float64)
N = 6


def uniforms(theta, n, stream):
    samples, units = AntitheticPairs(theta, n, stream), torch.eye(n // 2).double()
    return torch.stack([samples.weighted_uniforms(unit) for unit in units]) + 0.5


def test_arm_is_the_formula_of_yin_and_zhou():
    """(f(1[u > sigma(-phi)]) - f(1[u < sigma(phi)])) (u - 1/2), for each pair."""
    u = uniforms(LOGITS.sigmoid(), N, RandomStream(3))
    first = J((u > torch.sigmoid(-LOGITS)).double())
    second = J((u < torch.sigmoid(LOGITS)).double())
    expected = ((first - second)[:, None] * (u - 0.5)).mean(dim=0)
    got = arm(J, LOGITS, RandomStream(3), n_samples=N)
    torch.testing.assert_close(got.gradient, expected)
    costs = torch.stack([second, first], dim=1).flatten()
    torch.testing.assert_close(got.costs, costs)


def test_disarm_is_the_formula_of_dong_mnih_and_tucker():
    """1/2 (f(b) - f(b')) (-1)^b' 1[b != b'] sigma(|alpha|), for each pair."""
    samples = AntitheticPairs(LOGITS.sigmoid(), N, RandomStream(4))
    b, twin = samples.draw(range(N)).view(-1, 2, 3).unbind(dim=1)
    sign = torch.where(twin == 1, -1.0, 1.0).double() * (b != twin)
    gap = (J(b) - J(twin))[:, None]
    expected = (gap * sign * torch.sigmoid(LOGITS.abs()) / 2).mean(dim=0)
    got = disarm(J, LOGITS, RandomStream(4), n_samples=N)
    torch.testing.assert_close(got.gradient, expected)


def test_disarm_is_the_mean_of_arm_given_the_bits():
    """Uniforms redrawn where they leave the bits alone give DisARM on average."""
    theta, stream = LOGITS.sigmoid(), RandomStream(5)
    bits = AntitheticPairs(theta, 2, stream).draw(range(2))
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(200_000, 3, generator=generator, dtype=torch.float64)
    same = ((u < theta) == bits[0].bool()) & ((1 - u < theta) == bits[1].bool())
    half = torch.stack([(0.5 - u[same[:, i], i]).mean() for i in range(3)])
    costs = J(bits)
    expected = disarm(J, LOGITS, stream, n_samples=2).gradient
    torch.testing.assert_close(
        (costs[0] - costs[1]) * half, expected, atol=0.02, rtol=0
    )


def test_one_pair_of_disarm_is_arms_with_two_samples():
    """In the values that the estimate takes; the draws are others."""
    J = QuadraticFunction([[1.0]])
    logits = torch.tensor([0.7], dtype=torch.float64)
    values = [
        {
            round(e(J, logits, RandomStream(s), n_samples=2).gradient.item(), 12)
            for s in range(40)
        }
        for e in (disarm, arms)
    ]
    assert values[0] == values[1]
    assert len(values[0]) == 2


@pytest.mark.parametrize("estimator", [arm, disarm])
def test_another_parametrization_is_the_chain_rule(estimator):
    """The draws depend on theta only; so gradients differ by dr'/dr."""
    theta, cosine = LOGITS.sigmoid(), Cosine()
    logits = cosine.logits(theta)
    got = estimator(J, logits, RandomStream(6), n_samples=4, parametrization=cosine)
    plain = estimator(J, LOGITS, RandomStream(6), n_samples=4)
    chain = cosine.derivative(logits) / (theta * (1 - theta))
    torch.testing.assert_close(got.gradient, plain.gradient * chain)


@pytest.mark.parametrize("estimator", [arm, disarm])
def test_pairs_are_declared(estimator):
    traits = traits_of(estimator)
    assert traits.even_samples
    assert traits.fewest_samples == 2
