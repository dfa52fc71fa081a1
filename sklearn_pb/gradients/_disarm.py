"""DisARM, also known as U2G: antithetic pairs whose uniforms are averaged out."""

from __future__ import annotations

import torch

from ..distributions import AntitheticPairs, CoupledSamples, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, sample_costs, with_traits
from ._coupled import coupled_estimate
from ._sample_numbers import check_n_samples


@with_traits(fewest_samples=2, even_samples=True, samples=AntitheticPairs)
def disarm(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    samples: CoupledSamples | None = None,
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] from antithetic pairs.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=10
        Number of evaluations, even.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.
    samples : CoupledSamples, default=None
        Samples drawn before, as `traits` says, from this stream; None draws them.

    Returns
    -------
    estimate : GradientEstimate
        Unbiased. Costs of shape (n_samples,), two a pair.

    Raises
    ------
    ValueError
        If n_samples is odd or less than 2.

    Notes
    -----
    Dong et al. (2020) and Yin et al. (2020), averaged over n / 2 pairs: half of
    (J(z) - J(z')) (z - z') max(theta, 1 - theta), which is LOORF on a pair divided by
    1 minus the correlation of its samples; so one pair is `arms` with n = 2.
    """
    check_n_samples(n_samples, disarm, "disarm")
    if samples is None:
        theta = parametrization.probabilities(logits)
        samples = AntitheticPairs(theta, n_samples, stream)
    costs = sample_costs(function, samples)
    gaps = (costs[::2] - costs[1::2]) / n_samples
    weights = torch.stack([gaps, -gaps], dim=1).flatten()
    return coupled_estimate(samples, weights, costs, logits, parametrization)
