"""ARM: antithetic pairs, weighted by the uniforms that they are made of."""

from __future__ import annotations

import torch

from ..distributions import AntitheticPairs, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, parametrized, sample_costs, with_traits
from ._sample_numbers import check_n_samples


@with_traits(fewest_samples=2, even_samples=True, samples=AntitheticPairs)
def arm(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    samples: AntitheticPairs | None = None,
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] by augmenting, REINFORCE and merging.

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
    samples : AntitheticPairs, default=None
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
    Yin and Zhou (2019), averaged over n / 2 pairs: with z = 1[u < theta] and its
    antithetic twin z' = 1[1 - u < theta], (J(z) - J(z')) (1/2 - u) is the gradient for
    the logits of a sigmoid. That is the covariance of J with z, from which the
    gradient for any other parametrization follows. It varies more than `disarm`,
    which is its mean given the samples.
    """
    check_n_samples(n_samples, arm, "arm")
    if samples is None:
        theta = parametrization.probabilities(logits)
        samples = AntitheticPairs(theta, n_samples, stream)
    costs = sample_costs(function, samples)
    gaps = costs[1::2] - costs[::2]
    covariance = samples.weighted_uniforms(gaps * (2 / n_samples))
    return parametrized(covariance, costs, logits, parametrization)
