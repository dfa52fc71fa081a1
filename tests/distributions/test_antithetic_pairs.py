"""Antithetic pairs against the two uniforms that they are made of."""

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import AntitheticPairs, DirichletCopula
from sklearn_pb.utils import RandomStream

D = 1 << 17  # two blocks
LIMIT = 4.5
THETAS = [1e-3, 0.3, 0.5, 0.8, 0.999]


def pairs(theta, n=4, seed=0, d=D):
    p = torch.full((d,), theta, dtype=torch.float64)
    return AntitheticPairs(p, n, RandomStream(seed, (3,)))


@pytest.mark.parametrize("theta", THETAS)
def test_marginals_and_correlations(theta):
    z = pairs(theta).draw(range(4)).numpy()
    spread = (D * theta * (1 - theta)) ** 0.5
    assert np.abs(z.sum(axis=1) - D * theta).max() < LIMIT * spread
    both = max(0.0, 2 * theta - 1)  # u < theta and 1 - u < theta
    expected = {(0, 1): both, (2, 3): both, (0, 2): theta**2, (1, 2): theta**2}
    for (a, b), p in expected.items():
        error = LIMIT * (D * p * (1 - p)) ** 0.5
        assert abs((z[a] * z[b]).sum() - D * p) <= error


@pytest.mark.parametrize("theta", THETAS)
def test_the_correlation_is_that_of_the_dirichlet_copula_for_two(theta):
    p = torch.full((3,), theta, dtype=torch.float64)
    expected = DirichletCopula(p, 2, RandomStream(0)).correlation()
    torch.testing.assert_close(pairs(theta, d=3).correlation(), expected)
    assert pairs(theta, d=5).correlation(slice(1, 3)).shape == (2,)


def test_the_uniforms_are_those_of_the_samples():
    """Each z is 1 just where its uniform, told by a unit weight, is below theta."""
    samples = pairs(0.3, n=6)
    z = samples.draw(range(6)).bool()
    for pair in range(3):
        weights = torch.zeros(3, dtype=torch.float64)
        weights[pair] = 1
        u = samples.weighted_uniforms(weights) + 0.5
        assert ((u >= 0) & (u < 1)).all()
        assert torch.equal(z[2 * pair], u < 0.3)
        assert torch.equal(z[2 * pair + 1], 1 - u < 0.3)
        assert abs(u.mean() - 0.5) < LIMIT * (1 / 12 / D) ** 0.5


def test_samples_are_regenerated_in_any_order():
    p = torch.linspace(0, 1, D + 3)
    samples = AntitheticPairs(p, 6, RandomStream(4))
    z = samples.draw(range(6))
    assert torch.equal(z, torch.cat([samples.draw(range(s, s + 1)) for s in range(6)]))
    assert torch.equal(z, AntitheticPairs(p, 6, RandomStream(4)).draw(range(6)))
    assert not torch.equal(z, AntitheticPairs(p, 6, RandomStream(5)).draw(range(6)))
    weights = torch.linspace(-1, 2, 6)
    torch.testing.assert_close(samples.weighted_sum(weights), weights @ z)
    assert (z[:, 0] == 0).all()
    assert (z[:, -1] == 1).all()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_what_is_no_pair(n):
    with pytest.raises(ValueError, match=f"n_samples={n} cannot be split into pairs"):
        AntitheticPairs(torch.tensor([0.5]), n, RandomStream(0))
