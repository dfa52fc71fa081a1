"""Beta*: REINFORCE with the best constant baseline of each coordinate."""

from __future__ import annotations

import torch

from ..distributions import Independent, Parametrization, Sigmoid
from ..functions import enumerate_points
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, parametrized, sample_costs, with_traits
from ._sample_numbers import check_n_samples

MAX_VARIABLES = 16


@with_traits(most_variables=MAX_VARIABLES)
def beta_star(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] with the optimal constant baselines.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=10
        Number of evaluations, at least 1, besides the 2^d of the baselines.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        Unbiased. Costs of shape (n_samples,).

    Raises
    ------
    ValueError
        If d > 16 or n_samples < 1.

    Notes
    -----
    Silva (2023), equation (4.17) with the baselines of theorems 3 and 4. They need all
    2^d costs, with which the exact gradient is at hand as well: this estimator shows
    how far constant baselines can go, it is no way to save evaluations.
    """
    check_n_samples(n_samples, beta_star, "beta-star")
    theta = parametrization.probabilities(logits).detach()
    if len(theta) > MAX_VARIABLES:
        raise ValueError(
            f"n_variables={len(theta)} is too large for 'beta-star', whose baselines "
            f"take 2^d evaluations; it must be at most {MAX_VARIABLES}."
        )
    samples = Independent(theta, n_samples, stream)
    costs = sample_costs(function, samples)
    excess = costs.to(theta)[:, None] - optimal_baselines(function, theta)
    covariance = (excess * (samples.draw(range(n_samples)) - theta)).mean(dim=0)
    return parametrized(covariance, costs, logits, parametrization)


def optimal_baselines(function: Costs, theta: torch.Tensor) -> torch.Tensor:
    """Compute E[J(z with z_i flipped)] for every i, by enumeration.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    theta : torch.Tensor of shape (d,)
        P(z_i = 1).

    Returns
    -------
    baselines : torch.Tensor of shape (d,)
        The constants of theorem 4 of Silva (2023).

    Notes
    -----
    Flipping is its own inverse: every cost is weighted by the probability of the point
    with z_i flipped, without a division that would fail where theta is 0 or 1.
    """
    baselines = torch.zeros_like(theta)
    for Z in enumerate_points(len(theta), dtype=theta.dtype, device=theta.device):
        factors = torch.where(Z > 0, theta, 1 - theta)
        baselines += function(Z).to(theta) @ (
            _product_of_others(factors) * (1 - factors)
        )
    return baselines


def _product_of_others(factors: torch.Tensor) -> torch.Tensor:
    one = torch.ones_like(factors[:, :1])
    before = torch.cat([one, factors[:, :-1]], dim=1).cumprod(dim=1)
    after = torch.cat([one, factors.flip(1)[:, :-1]], dim=1).cumprod(dim=1).flip(1)
    return before * after
