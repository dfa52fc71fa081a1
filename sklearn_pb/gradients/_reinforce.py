"""REINFORCE: the score function weighted by the cost."""

from __future__ import annotations

import torch

from ..distributions import CoupledSamples, Independent, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, parametrized, sample_costs, with_traits
from ._sample_numbers import check_n_samples


@with_traits(samples=Independent)
def reinforce(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    samples: CoupledSamples | None = None,
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] by the plain score function.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=10
        Number of evaluations, at least 1.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.
    samples : CoupledSamples, default=None
        Samples drawn before, as `traits` says, from this stream; None draws them.

    Returns
    -------
    estimate : GradientEstimate
        Unbiased. Costs of shape (n_samples,).

    Raises
    ------
    ValueError
        If n_samples < 1.

    Notes
    -----
    Silva (2023), equation (4.10).
    """
    check_n_samples(n_samples, reinforce, "reinforce")
    if samples is None:
        theta = parametrization.probabilities(logits)
        samples = Independent(theta, n_samples, stream)
    costs = sample_costs(function, samples)
    covariance = samples.weighted_sum(costs / n_samples)
    covariance.sub_(samples.probabilities, alpha=float(costs.mean()))
    return parametrized(covariance, costs, logits, parametrization)
