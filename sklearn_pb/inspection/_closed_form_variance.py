"""Means and variances of gradient estimators in closed form, from all 2^d costs.

Most estimators on hard samples weight the costs: coordinate i is sum_s a_s J(z_s), and
a_s depends on z_i of the samples alone, in fact on z_si and on the number K of ones
among them. Given these bits, the costs matter through their first two moments only, so

    E[g_i^2 | K = k] = a_1^2 (k S_1 + k (k - 1) T_11)
                     + a_0^2 ((n - k) S_0 + (n - k) (n - k - 1) T_00)
                     + 2 a_1 a_0 k (n - k) T_10

with S_a = E[J^2 | z_i = a] and T_ab = E[J J' | z_i = a, z'_i = b] for two samples. The
law of K is binomial, or that of the coupling. Silva (2023), section B.1.1, sums over
all multisets of n of the 2^d points instead, which is the same and ends at n = d = 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..distributions import Parametrization, dirichlet_correlation
from ..functions import enumerate_points
from ..gradients import (
    arms,
    beta_star,
    disarm,
    exact,
    loorf,
    muprop,
    reinforce,
    straight_through,
)
from ..gradients._beta_star import optimal_baselines
from ..gradients._slopes import costs_and_slopes
from ._bit_counts import MOST_COUPLED, binomial_counts, dirichlet_counts
from ._cost_moments import CostMoments, coupled_moments, independent_moments

MAX_VARIABLES = 16
MeanAndVariance = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Setting:
    """Where a gradient is estimated.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs.
    logits : torch.Tensor
        The free parameters, in float64.
    parametrization : Parametrization
        The map from logits to probabilities.
    n_samples : int
        The number n of samples.
    """

    function: Callable[[torch.Tensor], torch.Tensor]
    logits: torch.Tensor
    parametrization: Parametrization
    n_samples: int

    @property
    def theta(self) -> torch.Tensor:
        """P(z_i = 1)."""
        return self.parametrization.probabilities(self.logits).detach()

    def points(self) -> torch.Tensor:
        """All points, (2^d, d)."""
        dtype, device = self.logits.dtype, self.logits.device
        points = enumerate_points(len(self.theta), dtype=dtype, device=device)
        return torch.cat(list(points))

    def costs(self) -> torch.Tensor:
        """All costs, (2^d,)."""
        with torch.no_grad():
            return self.function(self.points()).to(self.logits)

    def pull_back(self, mean: torch.Tensor, variance: torch.Tensor) -> MeanAndVariance:
        """Turn mean and variance of a covariance into those of a gradient."""
        factor = self.parametrization.pull_back(torch.ones_like(mean), self.logits)
        return factor * mean, factor.square() * variance.clamp(min=0)


def baseline_variance(setting: Setting, baselines: torch.Tensor) -> MeanAndVariance:
    """Return mean and variance of REINFORCE with constant baselines.

    Parameters
    ----------
    setting : Setting
        Where the gradient is estimated.
    baselines : torch.Tensor of shape (d,)
        What is taken from the costs, a constant a coordinate.

    Returns
    -------
    mean, variance : torch.Tensor shaped as the logits
        Exact.
    """
    theta, n = setting.theta, setting.n_samples
    moments = independent_moments(setting.costs(), theta).less(baselines)
    ones = ((1 - theta) / n)[:, None].expand(-1, n + 1)
    zeros = (-theta / n)[:, None].expand(-1, n + 1)
    counts = binomial_counts(theta, n)
    return setting.pull_back(*_weighted_costs(counts, ones, zeros, moments))


def _reinforce(setting: Setting) -> MeanAndVariance:
    return baseline_variance(setting, torch.zeros_like(setting.theta))


def _beta_star(setting: Setting) -> MeanAndVariance:
    return baseline_variance(
        setting, optimal_baselines(setting.function, setting.theta)
    )


def _loorf(setting: Setting) -> MeanAndVariance:
    theta, n = setting.theta, setting.n_samples
    moments = independent_moments(setting.costs(), theta)
    ones, zeros = _leave_one_out(theta, n)
    counts = binomial_counts(theta, n)
    return setting.pull_back(*_weighted_costs(counts, ones, zeros, moments))


def _arms(setting: Setting) -> MeanAndVariance:
    return setting.pull_back(*_coupled(setting, setting.n_samples))


def _disarm(setting: Setting) -> MeanAndVariance:
    # Independent pairs, each of them ARMS on two samples.
    mean, variance = _coupled(setting, 2)
    return setting.pull_back(mean, variance / (setting.n_samples // 2))


def _coupled(setting: Setting, n: int) -> MeanAndVariance:
    theta = setting.theta
    correlation = dirichlet_correlation(torch.minimum(theta, 1 - theta), n)
    moments = coupled_moments(setting.costs(), theta, correlation)
    ones, zeros = _leave_one_out(theta, n)
    undo = 1 / (1 - correlation)[:, None]
    counts = dirichlet_counts(theta, n)
    return _weighted_costs(counts, ones * undo, zeros * undo, moments)


def _leave_one_out(theta: torch.Tensor, n: int) -> MeanAndVariance:
    """Weights (d, n + 1) of the cost of a one and of a zero, by the number of ones."""
    share = torch.arange(n + 1, dtype=theta.dtype, device=theta.device) / n
    ones, zeros = (1 - share) / (n - 1), -share / (n - 1)
    return ones.expand(len(theta), -1), zeros.expand(len(theta), -1)


def _weighted_costs(
    counts: torch.Tensor, ones: torch.Tensor, zeros: torch.Tensor, moments: CostMoments
) -> MeanAndVariance:
    """Mean and variance (d,) of sum_s a_s J(z_s); see the top of the file.

    `counts` are the (d, n + 1) probabilities of K, `ones` and `zeros` the weights of
    the costs of samples with a one and with a zero.
    """
    k = torch.arange(counts.shape[1], dtype=counts.dtype, device=counts.device)
    rest = counts.shape[1] - 1 - k
    mean_0, mean_1 = moments.mean.T[:, :, None]
    square_0, square_1 = moments.square.T[:, :, None]
    both_0, both_1 = moments.cross[:, 0, 0, None], moments.cross[:, 1, 1, None]
    mixed = moments.cross[:, 1, 0, None]
    mean = ones * k * mean_1 + zeros * rest * mean_0
    square = (
        ones.square() * (k * square_1 + k * (k - 1) * both_1)
        + zeros.square() * (rest * square_0 + rest * (rest - 1) * both_0)
        + 2 * ones * zeros * k * rest * mixed
    )
    average = (counts * mean).sum(1)
    return average, (counts * square).sum(1) - average.square()


def _exact(setting: Setting) -> MeanAndVariance:
    gradient = exact(
        setting.function, setting.logits, parametrization=setting.parametrization
    ).gradient
    return gradient, torch.zeros_like(gradient)


def _muprop(setting: Setting) -> MeanAndVariance:
    theta = setting.theta
    (middle,), (slope,) = costs_and_slopes(setting.function, theta[None])
    points = setting.points()
    left = setting.costs() - middle - (points - theta) @ slope
    terms = left[:, None] * (points - theta)
    mean, variance = _mean_of_terms(terms, setting)
    return setting.pull_back(mean + slope * theta * (1 - theta), variance)


def _straight_through(setting: Setting) -> MeanAndVariance:
    _, slopes = costs_and_slopes(setting.function, setting.points())
    return _mean_of_terms(slopes, setting)


def _mean_of_terms(terms: torch.Tensor, setting: Setting) -> MeanAndVariance:
    """Mean and variance of the average of n independent terms, given by the point."""
    theta, points = setting.theta, setting.points()
    weights = torch.where(points > 0, theta, 1 - theta).prod(1)
    mean = weights @ terms
    return mean, weights @ (terms - mean).square() / setting.n_samples


CLOSED_FORMS: dict[Callable[..., Any], Callable[[Setting], MeanAndVariance]] = {
    arms: _arms,
    beta_star: _beta_star,
    disarm: _disarm,
    exact: _exact,
    loorf: _loorf,
    muprop: _muprop,
    reinforce: _reinforce,
    straight_through: _straight_through,
}


def closed_form(
    estimator: Callable[..., Any], n_variables: int, n_samples: int
) -> Callable[[Setting], MeanAndVariance] | None:
    """Return the closed form of an estimator, if there is one for such sizes.

    Parameters
    ----------
    estimator : callable
        The estimator.
    n_variables, n_samples : int
        The numbers d and n.

    Returns
    -------
    form : callable or None
        Maps a `Setting` to mean and variance.
    """
    too_many = estimator is arms and n_samples > MOST_COUPLED
    if n_variables > MAX_VARIABLES or too_many:
        return None
    return CLOSED_FORMS.get(estimator)
