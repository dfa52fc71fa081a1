"""Parametrizations against autograd and the formulas of Silva (2023), table 4.2."""

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import (
    PRESETS,
    Cosine,
    Direct,
    Escort,
    Parametrization,
    Sigmoid,
)

THETA = torch.tensor([1e-3, 0.05, 0.25, 0.5, 0.7, 0.95, 0.999], dtype=torch.float64)


@pytest.fixture(params=PRESETS, name="parametrization")
def make_parametrization(request):
    return PRESETS[request.param]()


def other_logits(parametrization):
    """Points of the domain that the inverse map does not reach."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, 7) if parametrization.components == 2 else (7,)
    r = torch.rand(shape, generator=generator, dtype=torch.float64)
    return r if isinstance(parametrization, Direct) else 5 * r - 2.5


def all_logits(parametrization):
    return [parametrization.logits(THETA), other_logits(parametrization)]


def test_presets_are_parametrizations(parametrization):
    assert isinstance(parametrization, Parametrization)
    assert parametrization == type(parametrization)()  # a value
    assert hash(parametrization) == hash(type(parametrization)())


def test_inverse_maps(parametrization):
    logits = parametrization.logits(THETA)
    back = parametrization.probabilities(logits)
    torch.testing.assert_close(back, THETA, rtol=1e-12, atol=0)
    expected = (2, 7) if parametrization.components == 2 else (7,)
    assert logits.shape == expected


@pytest.mark.parametrize("bit", [0.0, 1.0])
def test_scores_are_the_gradients_of_log_p(parametrization, bit):
    for r in all_logits(parametrization):
        z = torch.full((7,), bit, dtype=torch.float64)
        r = r.clone().requires_grad_()
        theta = parametrization.probabilities(r)
        log_p = torch.where(z > 0, theta, 1 - theta).log().sum()
        (expected,) = torch.autograd.grad(log_p, r)
        got = parametrization.score(r.detach(), z)
        assert got.shape == r.shape
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


def test_derivatives_are_those_of_the_probabilities(parametrization):
    for r in all_logits(parametrization):
        r = r.clone().requires_grad_()
        (expected,) = torch.autograd.grad(parametrization.probabilities(r).sum(), r)
        got = parametrization.derivative(r.detach())
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


SETTLED = {
    "sigmoid": torch.tensor([-1000.0, 1000.0]),
    "direct": torch.tensor([0.0, 1.0]),
    "cosine": torch.tensor([0.0, np.pi]),
    "escort": torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
}


@pytest.mark.parametrize("name", PRESETS)
def test_settled_variables_have_no_gradient(name):
    parametrization, r = PRESETS[name](), SETTLED[name]
    assert parametrization.probabilities(r).tolist() == [0.0, 1.0]
    for value in (
        parametrization.score(r, torch.tensor([1.0, 0.0])),
        parametrization.derivative(r),
        parametrization.pull_back(torch.tensor([3.0, -2.0]), r),
    ):
        assert torch.equal(value, torch.zeros_like(r))


def table_4_2(parametrization, r, z):
    theta = parametrization.probabilities(r)
    return {
        Cosine: lambda: (torch.cos(r) + 2 * z - 1) / torch.sin(r),
        Direct: lambda: (z - theta) / (theta * (1 - theta)),
        Sigmoid: lambda: z - theta,
        Escort: lambda: torch.stack([-(theta - z) * 4 / r[0], (theta - z) * 4 / r[1]]),
    }[type(parametrization)]()


def test_scores_of_table_4_2(parametrization):
    for r in all_logits(parametrization):
        for bit in (0.0, 1.0):
            z = torch.full((7,), bit, dtype=torch.float64)
            expected = table_4_2(parametrization, r, z)
            torch.testing.assert_close(
                parametrization.score(r, z), expected, rtol=1e-9, atol=1e-9
            )


def test_expressions_and_inverse_maps_of_table_4_2():
    r = torch.linspace(0.1, 3.0, 5, dtype=torch.float64)
    expected = {
        Cosine(): ((1 - torch.cos(r)) / 2, np.pi - torch.arccos(2 * THETA - 1)),
        Sigmoid(): (1 / (1 + torch.exp(-r)), THETA.log() - (1 - THETA).log()),
        Direct(): (r.clamp(max=1), THETA),
    }
    for parametrization, (theta, logits) in expected.items():
        torch.testing.assert_close(parametrization.probabilities(r), theta)
        torch.testing.assert_close(parametrization.logits(THETA), logits)
    pair = torch.stack([-r, r.flip(0)])
    powers = pair.abs() ** 4
    torch.testing.assert_close(
        Escort().probabilities(pair), powers[0] / powers.sum(dim=0)
    )
    odds = (THETA / (1 - THETA)) ** 0.25
    torch.testing.assert_close(
        Escort().logits(THETA), torch.stack([odds, torch.ones_like(odds)])
    )


def test_only_direct_limits_its_logits(parametrization):
    r = other_logits(parametrization) * 100
    kept = r.clone()
    parametrization.constrain_(r)
    if isinstance(parametrization, Direct):
        assert r.min() >= parametrization.eps and r.max() <= 1 - parametrization.eps
    else:
        assert torch.equal(r, kept)


def test_the_sigmoid_says_when_a_covariance_is_a_gradient():
    covariance = torch.tensor([0.3, -0.2])
    for logits in ([0.0, 15.0], [-15.0, 2.0]):
        logits = torch.tensor(logits)
        assert Sigmoid().keeps_covariance(logits)
        assert torch.equal(Sigmoid().pull_back(covariance, logits), covariance)
    assert not Sigmoid().keeps_covariance(torch.tensor([0.0, 40.0]))
    assert not Sigmoid().keeps_covariance(torch.tensor([0.0, torch.nan]))
    assert not Direct().keeps_covariance(torch.tensor([0.5]))
