"""Concrete and hard concrete: their laws, and samples of known sign."""

import math

import pytest
import torch
from scipy import stats

from sklearn_pb.distributions import (
    Concrete,
    HardConcrete,
    conditional_derivative,
    conditional_latent,
    log_odds,
    logistic_noise,
)
from sklearn_pb.utils import RandomStream

THETA = torch.tensor([0.02, 0.3, 0.5, 0.9], dtype=torch.float64)
N = 4000


def latents(n=N, theta=THETA):
    odds = log_odds(theta)
    return odds + logistic_noise(RandomStream(1), range(n), odds)


def test_noise_is_logistic_and_regenerated():
    noise = logistic_noise(RandomStream(0), range(N), THETA)
    assert stats.kstest(noise.flatten().numpy(), "logistic").pvalue > 1e-3
    again = logistic_noise(RandomStream(0), range(7, 9), THETA)
    assert torch.equal(again, noise[7:9])


def test_log_odds_are_finite():
    theta = torch.tensor([0.0, 1e-30, 0.5, 1 - 2.0**-24, 1.0])
    odds = log_odds(theta)
    assert torch.isfinite(odds).all()
    torch.testing.assert_close(odds[1:4], torch.logit(theta[1:4]))
    assert odds[0] == -odds[4] == -100


@pytest.mark.parametrize("temperature", [0.1, 1.0, 5.0])
def test_a_sample_exceeds_one_half_with_probability_theta(temperature):
    """The temperature divides the noise too, or this would depend on it."""
    z = Concrete(temperature).relax(latents())
    error = (THETA * (1 - THETA) / N).sqrt()
    assert ((z > 0.5).double().mean(dim=0) - THETA).abs().le(5 * error).all()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_concrete_has_the_density_of_maddison(temperature):
    """Maddison et al. (2016), equation (24), integrated: P(Z < z)."""
    z = Concrete(temperature).relax(latents())
    for i, theta in enumerate(THETA.tolist()):
        shift = math.log(theta / (1 - theta))
        below = lambda x, shift=shift: torch.sigmoid(  # noqa: E731
            temperature * torch.logit(torch.as_tensor(x)) - shift
        ).numpy()
        assert stats.kstest(z[:, i].numpy(), below).pvalue > 1e-3


def test_samples_become_binary_as_the_temperature_falls():
    z = Concrete(1e-3).relax(latents())
    assert (torch.minimum(z, 1 - z) < 1e-3).double().mean() > 0.98


@pytest.mark.parametrize(
    "relaxation",
    [HardConcrete(), HardConcrete(0.3, gamma=-0.5, zeta=1.05), HardConcrete(2.0)],
)
def test_hard_concrete_is_not_zero_as_often_as_it_says(relaxation):
    z = relaxation.sample(log_odds(THETA), RandomStream(2), range(N))
    expected = relaxation.nonzero_probability(log_odds(THETA))
    error = (expected * (1 - expected) / N).sqrt()
    assert ((z > 0).double().mean(dim=0) - expected).abs().le(5 * error + 1e-12).all()
    assert z.min() == 0 and z.max() == 1


def test_a_latent_of_known_sign_has_the_conditional_law():
    """A two-sample test against the latents that happen to have the sign."""
    latent = latents()
    noise = logistic_noise(RandomStream(9), range(N), THETA)
    for bit in (0.0, 1.0):
        given = conditional_latent(log_odds(THETA), torch.full_like(noise, bit), noise)
        assert ((given > 0) == bool(bit)).all()
        for i in range(len(THETA)):
            some = latent[:, i][(latent[:, i] > 0) == bool(bit)]
            assert stats.ks_2samp(given[:, i].numpy(), some.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("theta", [1e-6, 0.2, 0.7, 1 - 1e-6])
def test_coupled_noise_gives_the_same_latent_and_its_derivative(theta):
    """Tucker et al. (2017), appendix C: v is made from u, and h' equals h."""
    odds = log_odds(torch.tensor([theta], dtype=torch.float64)).requires_grad_()
    u = torch.tensor([[0.3 * (1 - theta)], [1 - 0.3 * theta]], dtype=torch.float64)
    latent = odds.detach() + torch.logit(u)
    hard = (latent > 0).double()
    v = torch.where(hard > 0, (u - (1 - theta)) / theta, u / (1 - theta))
    again = conditional_latent(odds, hard, torch.logit(v))
    torch.testing.assert_close(again.detach(), latent, rtol=1e-6, atol=1e-9)
    for row in range(2):
        (slope,) = torch.autograd.grad(again[row], odds, retain_graph=True)
        got = conditional_derivative(latent, odds.detach())[row]
        torch.testing.assert_close(got, slope, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    "relaxation, message",
    [
        (Concrete(0), "temperature=0 must be a number in"),
        (HardConcrete(gamma=0.1), "gamma=0.1"),
        (HardConcrete(zeta=1), "zeta=1 must"),
    ],
)
def test_senseless_parameters(relaxation, message):
    with pytest.raises(ValueError, match=message):
        relaxation.check()
