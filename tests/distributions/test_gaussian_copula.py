"""The Gaussian copula against scipy's normal distributions."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import ndtr, ndtri, owens_t

from sklearn_pb.distributions import (
    GaussianCopula,
    dirichlet_correlation,
    gaussian_correlation,
)
from sklearn_pb.utils import RandomStream

D = 1 << 16
LIMIT = 4.5
THETAS = [1e-3, 0.05, 0.3, 0.5, 0.7, 0.999]
SIZES = [2, 3, 4, 10]


def coupled(theta, n, seed=0, d=D):
    p = torch.full((d,), theta, dtype=torch.float64)
    return GaussianCopula(p, n, RandomStream(seed, (n,)))


def both_probability(q, n):
    """P(two normals of correlation -1/(n-1) lie below Phi^-1(q)), by Owen's T."""
    ratio = np.inf if n == 2 else (n / (n - 2)) ** 0.5
    return q - 2 * owens_t(ndtri(q), ratio)


@pytest.mark.parametrize("n", [3, 4, 10, 100])
@pytest.mark.parametrize("q", [1e-3, 0.05, 0.3, 0.5])
def test_owens_t_is_the_bivariate_normal(q, n):
    """The oracle itself, against scipy's integration."""
    rho = -1 / (n - 1)
    h = ndtri(q)
    integrated = stats.multivariate_normal.cdf([h, h], cov=[[1, rho], [rho, 1]])
    assert both_probability(q, n) == pytest.approx(integrated, abs=1e-7)


@pytest.mark.parametrize("n", [*SIZES, 100, 10_000])
def test_correlation(n):
    q = np.concatenate([np.geomspace(1e-12, 0.1, 60), np.linspace(0.1, 0.5, 60)])
    expected = (both_probability(q, n) - q * q) / (q * (1 - q))
    got = gaussian_correlation(torch.from_numpy(q), n).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-13)
    single = gaussian_correlation(torch.from_numpy(q).float(), n).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-6)


@pytest.mark.parametrize("n", SIZES)
def test_correlation_at_one_half_is_in_closed_form(n):
    """Sheppard: P(both below the median) = 1/4 + asin(rho) / (2 pi)."""
    got = gaussian_correlation(torch.tensor([0.5], dtype=torch.float64), n).item()
    assert got == pytest.approx(2 / np.pi * np.arcsin(-1 / (n - 1)), abs=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", SIZES)
def test_correlation_is_safe_at_the_ends(n, dtype):
    tiny = torch.finfo(dtype).tiny
    rho = gaussian_correlation(torch.tensor([0.0, tiny, 1e-30, 0.5], dtype=dtype), n)
    assert torch.isfinite(rho).all()
    assert ((rho >= -1) & (rho <= 0)).all()
    assert rho[:3].abs().max() < 1e-6
    probabilities = torch.tensor([0.0, tiny, 0.5, 1.0], dtype=dtype)
    samples = GaussianCopula(probabilities, n, RandomStream(0))
    assert torch.isfinite(samples.correlation()).all()
    z = samples.draw(range(n))
    assert (z[:, 0] == 0).all()
    assert (z[:, 3] == 1).all()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("theta", THETAS)
def test_each_sample_has_the_marginal_and_each_pair_the_correlation(theta, n):
    samples = coupled(theta, n)
    z = samples.draw(range(n)).numpy()
    spread = (D * theta * (1 - theta)) ** 0.5
    assert np.abs(z.sum(axis=1) - D * theta).max() < LIMIT * spread
    q = min(theta, 1 - theta)
    rare = z if theta <= 0.5 else 1 - z
    both = max(0.0, both_probability(q, n))
    together = (rare @ rare.T)[np.triu_indices(n, 1)]
    assert stats.binom.sf(together.max() - 1, D, both) > 1e-6
    assert stats.binom.cdf(together.min(), D, both) > 1e-6
    rho = samples.correlation(slice(0, 1)).item()
    assert rho == pytest.approx((both - q * q) / (q * (1 - q)), abs=1e-12)


@pytest.mark.parametrize("n", [3, 4])
def test_not_all_normals_lie_on_the_same_side(n):
    """They sum to zero, so all of them are below 0 never."""
    counts = coupled(0.5, n).draw(range(n)).sum(dim=0)
    assert counts.min() >= 1
    assert counts.max() <= n - 1
    more, less = ((counts - n / 2).sign() == side for side in (1, -1))  # by symmetry
    error = (more | less).double().sum().sqrt()
    assert abs(more.double().sum() - less.double().sum()) < LIMIT * error


@pytest.mark.parametrize("theta", THETAS)
def test_two_samples_are_the_plain_antithetic_pair(theta):
    z = coupled(theta, 2, seed=3).draw(range(2))
    rare = z if theta <= 0.5 else 1 - z
    assert rare.sum(dim=0).max() <= 1
    if theta == 0.5:
        assert (z.sum(dim=0) == 1).all()


def test_the_normals_behind_the_samples_are_equicorrelated():
    """A sweep of thresholds tells each sample's normal; compare Kendall's tau."""
    n, d = 4, 4000
    levels = np.linspace(-2.5, 2.5, 41)
    ranks = sum(
        GaussianCopula(
            torch.full((d,), float(ndtr(level)), dtype=torch.float64),
            n,
            RandomStream(9),
        ).draw(range(n))
        for level in levels
    ).numpy()
    correlation = np.corrcoef(ranks)[np.triu_indices(n, 1)]
    assert np.abs(correlation + 1 / (n - 1)).max() < LIMIT / d**0.5


def test_samples_are_regenerated_in_any_order():
    p = torch.linspace(0, 1, D + 20)  # two blocks
    samples = GaussianCopula(p, 7, RandomStream(4))
    z = samples.draw(range(7))
    assert torch.equal(z, torch.cat([samples.draw(range(s, s + 1)) for s in range(7)]))
    assert torch.equal(z, GaussianCopula(p, 7, RandomStream(4)).draw(range(7)))
    assert not torch.equal(z, GaussianCopula(p, 7, RandomStream(5)).draw(range(7)))
    weights = torch.linspace(-1, 2, 7)
    torch.testing.assert_close(samples.weighted_sum(weights), weights @ z)


def test_it_couples_stronger_than_the_dirichlet_copula_near_one_half_only():
    tails = torch.tensor([0.02, 0.1, 0.5], dtype=torch.float64)
    weaker = gaussian_correlation(tails, 4) > dirichlet_correlation(tails, 4)
    assert weaker.tolist() == [True, True, False]


def test_one_sample_cannot_be_coupled():
    with pytest.raises(ValueError, match="n_samples=1"):
        GaussianCopula(torch.tensor([0.5]), 1, RandomStream(0))
