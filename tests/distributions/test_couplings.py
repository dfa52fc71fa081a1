"""The Dirichlet copula against its exact joint probabilities.

With q = min(theta, 1 - theta) and c = 1 - q^(1/(n-1)), m given coordinates of a flat
Dirichlet point all exceed c with probability max(0, 1 - m c)^(n-1). Everything about
the coupled bits follows from that by inclusion and exclusion.
"""

from math import comb

import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_pb.distributions import (
    AntitheticPairs,
    DirichletCopula,
    GaussianCopula,
    Independent,
    _couplings,
    dirichlet_correlation,
)
from sklearn_pb.utils import RandomStream

THETAS = [1e-3, 0.05, 0.25, 0.3, 0.4, 0.5, 0.7, 0.95, 0.999]
SIZES = [2, 3, 4, 10]
D = 1 << 16
LIMIT = 4.5


def all_exceed(q, n, m):
    """P(m given samples have the rarer value)."""
    return max(0.0, 1 - m * (1 - q ** (1 / (n - 1)))) ** (n - 1)


def count_probabilities(theta, n):
    """P(K = 0), ..., P(K = n) for the number K of ones."""
    q = min(theta, 1 - theta)
    rare = [
        comb(n, k)
        * sum(
            (-1) ** j * comb(n - k, j) * all_exceed(q, n, k + j)
            for j in range(n - k + 1)
        )
        for k in range(n + 1)
    ]
    return np.array(rare if theta <= 0.5 else rare[::-1])


def coupled(theta, n, seed=0, d=D):
    p = torch.full((d,), theta, dtype=torch.float64)
    return DirichletCopula(p, n, RandomStream(seed, (n,)))


@pytest.mark.parametrize("n", [*SIZES, 25])
@pytest.mark.parametrize("theta", THETAS)
def test_oracle_is_a_distribution_with_the_right_mean(theta, n):
    probabilities = count_probabilities(theta, n)
    assert probabilities.min() > -1e-9
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    assert probabilities @ np.arange(n + 1) == pytest.approx(n * theta, rel=1e-6)


@pytest.mark.parametrize("n", [*SIZES, 100])
@pytest.mark.parametrize("theta", THETAS)
def test_correlation_is_that_of_the_joint_probabilities(theta, n):
    q = min(theta, 1 - theta)
    expected = (all_exceed(q, n, 2) - q * q) / (q * (1 - q))
    got = coupled(theta, n, d=3).correlation()
    torch.testing.assert_close(got, got.new_full((3,), expected), rtol=1e-8, atol=1e-9)
    single = dirichlet_correlation(torch.tensor([q], dtype=torch.float32), n)
    assert single.item() == pytest.approx(expected, abs=2e-5)


def test_correlation_of_a_part():
    samples = DirichletCopula(torch.linspace(0, 1, 11), 4, RandomStream(0))
    every = samples.correlation()
    assert torch.equal(samples.correlation(slice(3, 7)), every[3:7])
    assert every[0] == every[-1] == 0
    assert ((every >= -1) & (every <= 0)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", SIZES)
def test_correlation_is_safe_at_the_ends(n, dtype):
    tiny = torch.finfo(dtype).tiny
    tails = torch.tensor([0.0, tiny, 1e-30, 1e-7, 0.5], dtype=dtype)
    rho = dirichlet_correlation(tails, n)
    assert torch.isfinite(rho).all()
    assert ((rho >= -1 - 1e-6) & (rho <= 0)).all()
    assert rho[:3].abs().max() < 1e-6


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("theta", THETAS)
def test_counts_of_ones(theta, n):
    samples = coupled(theta, n)
    z = samples.draw(range(n))
    observed = np.bincount(z.sum(dim=0).int().numpy(), minlength=n + 1)
    expected = D * count_probabilities(theta, n).clip(0)
    assert observed[expected < 1e-6].sum() == 0
    # Cells too small for the chi-square are tested by their Poisson tails.
    for count, mean in zip(observed, expected, strict=True):
        if 1e-6 <= mean < 20:
            assert stats.poisson.cdf(count, mean) > 1e-5
            assert stats.poisson.sf(count - 1, mean) > 1e-5
    big = expected >= 20
    deviation = observed[big] - expected[big]
    assert (deviation**2 / expected[big]).sum() < stats.chi2.isf(1e-5, big.sum())


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("theta", THETAS)
def test_each_sample_has_the_marginal_and_each_pair_the_correlation(theta, n):
    z = coupled(theta, n, seed=1).draw(range(n)).numpy()
    q = min(theta, 1 - theta)
    spread = (D * q * (1 - q)) ** 0.5
    assert np.abs(z.sum(axis=1) - D * theta).max() < LIMIT * spread
    rare = z if theta <= 0.5 else 1 - z
    both = all_exceed(q, n, 2)
    together = (rare @ rare.T)[np.triu_indices(n, 1)]
    error = np.sqrt(D * both * (1 - both))
    assert np.abs(together - D * both).max() <= LIMIT * error + 1e-9


@pytest.mark.parametrize("n", [2, 3, 5, 10, 25])
@pytest.mark.parametrize("theta", [0.05, 0.3, 0.5, 0.8])
def test_count_moments(theta, n):
    """E[C(K, m)] = C(n, m) max(0, 1 - m c)^(n-1), K the rarer value's count."""
    q = min(theta, 1 - theta)
    z = coupled(theta, n, seed=2).draw(range(n)).sum(dim=0).int().numpy()
    counts = z if theta <= 0.5 else n - z
    table = np.array([[comb(k, m) for k in range(n + 1)] for m in range(n + 1)], float)
    for m in range(1, n + 1):
        values = table[m][counts]
        expected = comb(n, m) * all_exceed(q, n, m)
        if D * expected < 1e-6:
            assert not values.any()
            continue
        error = values.std() / D**0.5
        if (values > 0).sum() > 50:
            assert abs(values.mean() - expected) <= LIMIT * error + 1e-9


@pytest.mark.parametrize("theta", THETAS)
def test_two_samples_are_the_plain_antithetic_pair(theta):
    z = coupled(theta, 2, seed=3).draw(range(2))
    both, neither = (z.sum(dim=0) == 2).any(), (z.sum(dim=0) == 0).any()
    # u and 1 - u: never both the rarer value, and at 1/2 always different.
    assert not (both if theta < 0.5 else neither) or theta == 0.5
    if theta == 0.5:
        assert not both and not neither
    rho = coupled(theta, 2, d=1).correlation().item()
    odds = min(theta, 1 - theta) / max(theta, 1 - theta)
    assert rho == pytest.approx(-odds)


@pytest.mark.parametrize("d", [101, 2001])  # few samples are kept, many are not
@pytest.mark.parametrize("kind", [Independent, DirichletCopula])
def test_samples_are_regenerated_in_any_order(kind, d):
    p = torch.linspace(0, 1, d)
    samples = kind(p, 7, RandomStream(4))
    z = samples.draw(range(7))
    assert torch.equal(z, torch.cat([samples.draw(range(s, s + 1)) for s in range(7)]))
    assert torch.equal(z, kind(p, 7, RandomStream(4)).draw(range(7)))
    assert not torch.equal(z, kind(p, 7, RandomStream(5)).draw(range(7)))
    weights = torch.linspace(-1, 2, 7)
    torch.testing.assert_close(samples.weighted_sum(weights), weights @ z)


@pytest.mark.parametrize("some", [range(5), range(3, 0, -1), range(2, 3)])
@pytest.mark.parametrize("kind", [Independent, DirichletCopula])
def test_kept_samples_are_those_made_again(kind, some, monkeypatch):
    p, weights = torch.linspace(0, 1, 30), torch.linspace(-1, 2, 5)
    kept = kind(p, 5, RandomStream(4))
    z, total = kept.draw(some), kept.weighted_sum(weights)
    monkeypatch.setattr(_couplings, "KEPT", 0)
    again = kind(p, 5, RandomStream(4))
    assert torch.equal(again.draw(some), z)
    torch.testing.assert_close(again.weighted_sum(weights), total)
    z.fill_(9)  # what is done to a sample does not reach the others
    assert torch.equal(kept.draw(some), again.draw(some))
    torch.testing.assert_close(kept.weighted_sum(weights), total)


@pytest.mark.parametrize(
    "kind", [Independent, DirichletCopula, AntitheticPairs, GaussianCopula]
)
def test_samples_that_are_kept_on_demand_are_the_same(kind):
    p, weights = torch.linspace(0, 1, 5001), torch.linspace(-1, 2, 4)
    drawn, kept = (kind(p, 4, RandomStream(4)) for _ in range(2))
    kept.keep()
    assert kept.mask(3).dtype == torch.uint8
    z = drawn.draw(range(4))
    for s in range(4):
        assert torch.equal(kept.mask(s).float(), z[s])
        assert torch.equal(drawn.mask(s), z[s])
    for some in (range(4), range(3, 0, -1), range(2, 4), range(1, 2)):
        assert torch.equal(kept.draw(some), z[list(some)])
        assert torch.equal(drawn.draw(some), z[list(some)])
    torch.testing.assert_close(kept.weighted_sum(weights), weights @ z)
    kept.draw(range(4)).fill_(9)
    assert torch.equal(kept.draw(range(4)), z)


def test_many_samples_are_not_kept():
    many = Independent(torch.full((10**6,), 0.5), 5, RandomStream(0))
    many.keep()
    assert many.mask(0).dtype == torch.float32


def test_coordinates_are_independent_of_each_other():
    z = coupled(0.4, 4, seed=6).draw(range(4)).numpy()
    for a, b in [(z[0, :-1], z[0, 1:]), (z[0, :-1], z[1, 1:]), (z[2, :-2], z[3, 2:])]:
        assert abs(np.corrcoef(a, b)[0, 1]) * D**0.5 < LIMIT


def test_independent_samples_are_uncorrelated():
    samples = Independent(torch.full((D,), 0.3), 3, RandomStream(7))
    assert samples.correlation() == 0.0
    off = np.corrcoef(samples.draw(range(3)).numpy())[np.triu_indices(3, 1)]
    assert np.abs(off).max() * D**0.5 < LIMIT


def test_one_sample_cannot_be_coupled():
    with pytest.raises(ValueError, match="n_samples=1"):
        DirichletCopula(torch.tensor([0.5]), 1, RandomStream(0))
