"""Silva (2023), table B.1: the probabilities of four coupled bits, in closed form.

Two misprints: the caption says n = 1 and d = 4 for n = 4 and d = 1, and the variable
called theta in the rows is the threshold c = F^-1(theta) = 1 - (1 - theta)^(1/3). With
theta itself each row is still a probability, and they add up to 1, but the mean of a
bit is wrong. See ``doc/errata.md``.
"""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
import torch

from sklearn_pb.distributions import DirichletCopula
from sklearn_pb.utils import RandomStream

N = 4
# For each number of ones: (upper end of the interval, the row's polynomial in x).
ROWS = {
    0: [(1 / 4, lambda x: -((4 * x - 1) ** 3)), (1, lambda x: 0 * x)],
    1: [
        (1 / 4, lambda x: x * (37 * x**2 - 21 * x + 3)),
        (1 / 3, lambda x: -((3 * x - 1) ** 3)),
        (1, lambda x: 0 * x),
    ],
    2: [
        (1 / 4, lambda x: 6 * (1 - 3 * x) * x**2),
        (1 / 3, lambda x: 46 * x**3 - 42 * x**2 + 12 * x - 1),
        (1 / 2, lambda x: -((2 * x - 1) ** 3)),
        (1, lambda x: 0 * x),
    ],
    3: [
        (1 / 4, lambda x: 6 * x**3),
        (1 / 3, lambda x: -58 * x**3 + 48 * x**2 - 12 * x + 1),
        (1 / 2, lambda x: 23 * x**3 - 33 * x**2 + 15 * x - 2),
        (1, lambda x: -((x - 1) ** 3)),
    ],
    4: [
        (1 / 4, lambda x: 0 * x),
        (1 / 3, lambda x: (4 * x - 1) ** 3),
        (1 / 2, lambda x: -44 * x**3 + 60 * x**2 - 24 * x + 3),
        (1, lambda x: 4 * x**3 - 12 * x**2 + 12 * x - 3),
    ],
}
GRID = [Fraction(i, 120) for i in range(121)]


def row(k, x):
    """The table's probability of one given arrangement of k ones."""
    return next(f for upper, f in ROWS[k] if x <= upper)(x)


def derived(k, x):
    """The same by inclusion and exclusion, for the threshold x."""

    def all_above(m):
        return max(Fraction(0), 1 - m * x) ** (N - 1)

    terms = ((-1) ** j * comb(k, j) * all_above(N - k + j) for j in range(k + 1))
    return sum(terms)


def table_counts(theta):
    """P(K = 0), ..., P(K = 4), with the misprint and the reflection put right."""
    larger = max(theta, 1 - theta)
    x = 1 - (1 - larger) ** (1 / (N - 1))
    counts = np.array([comb(N, k) * row(k, x) for k in range(N + 1)])
    return counts if theta > 0.5 else counts[::-1]


@pytest.mark.parametrize("x", GRID, ids=str)
def test_rows_add_up_to_one_with_their_multiplicities(x):
    assert sum(comb(N, k) * row(k, x) for k in range(N + 1)) == 1


@pytest.mark.parametrize("k", range(N + 1))
def test_rows_are_right_for_the_threshold(k):
    for x in GRID:
        assert row(k, x) == derived(k, x) >= 0


def test_rows_are_wrong_for_theta_itself():
    theta = Fraction(3, 5)
    mean = sum(k * comb(N, k) * row(k, theta) for k in range(N + 1)) / N
    assert mean == 1 - (1 - theta) ** 3 != theta


@pytest.mark.parametrize("theta", [0.01, 0.3, 0.5, 0.55, 0.7, 0.9, 0.99])
def test_the_corrected_table_has_the_right_mean(theta):
    assert table_counts(theta) @ np.arange(N + 1) / N == pytest.approx(theta)


@pytest.mark.parametrize("theta", [0.01, 0.3, 0.45, 0.5, 0.55, 0.7, 0.9, 0.99])
def test_sampled_frequencies(theta):
    d = 1 << 17
    p = torch.full((d,), theta, dtype=torch.float64)
    z = DirichletCopula(p, N, RandomStream(9)).draw(range(N))
    observed = np.bincount(z.sum(dim=0).int().numpy(), minlength=N + 1)
    expected = d * table_counts(theta).clip(0)
    error = np.sqrt(expected * (1 - expected / d)).clip(1)
    assert np.abs(observed - expected).max(initial=0) < 6 * error.max()
    assert (np.abs(observed - expected) <= 4.5 * error).all()
