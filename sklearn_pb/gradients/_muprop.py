"""MuProp: the score function on what a first-order Taylor expansion leaves over."""

from __future__ import annotations

import torch

from ..distributions import Independent, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, parametrized, sample_costs, with_traits
from ._sample_numbers import check_n_samples
from ._slopes import costs_and_slopes


@with_traits(needs_relaxable=True)
def muprop(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] with a Taylor expansion as control variate.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs, differentiable in them.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=10
        Number of samples, at least 1. One more evaluation is made, with its slope, at
        the mean theta.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        Unbiased. Costs of shape (n_samples,), those of the samples.

    Raises
    ------
    ValueError
        If n_samples < 1, or the costs carry no gradient.

    Notes
    -----
    Gu et al. (2016), equation (6); Silva (2023), chapter 5. The control variate is
    ``h(z) = J(theta) + J'(theta) (z - theta)``, whose own part of the gradient is
    known: ``J'(theta) dtheta/dr``. A linear J has no variance left.
    """
    check_n_samples(n_samples, muprop, "muprop")
    theta = parametrization.probabilities(logits).detach()
    (middle,), (slope,) = costs_and_slopes(function, theta[None])
    offset = middle - slope @ theta
    costs: list[torch.Tensor] = []

    def remainder(Z: torch.Tensor) -> torch.Tensor:
        costs.append(function(Z).detach())
        return costs[-1] - offset - Z @ slope

    samples = Independent(theta, n_samples, stream)
    left = sample_costs(remainder, samples)
    covariance = samples.weighted_sum(left / n_samples)
    covariance.sub_(theta, alpha=float(left.mean()))
    covariance.add_(slope * theta * (1 - theta))
    return parametrized(covariance, torch.cat(costs), logits, parametrization)
