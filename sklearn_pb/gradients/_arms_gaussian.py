"""ARMS with the Gaussian copula."""

from __future__ import annotations

import torch

from ..distributions import CoupledSamples, GaussianCopula, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import (
    Costs,
    GradientEstimate,
    leave_one_out_weights,
    sample_costs,
    with_traits,
)
from ._coupled import coupled_estimate
from ._sample_numbers import check_n_samples


@with_traits(fewest_samples=2, samples=GaussianCopula)
def arms_gaussian(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 10,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    samples: CoupledSamples | None = None,
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] from samples coupled by correlated normals.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=10
        Number of evaluations, at least 2.
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
        If n_samples < 2.

    Notes
    -----
    Dimitriev and Zhou (2021), the second of their two copulas: LOORF divided by 1
    minus the correlation of two samples, as in Silva (2023), equation (4.16). The
    Dirichlet copula of `arms` is faster, and of stronger correlation where theta is
    far from 1/2. Normals are regenerated, so memory does not grow with n.
    """
    check_n_samples(n_samples, arms_gaussian, "arms-gaussian")
    if samples is None:
        theta = parametrization.probabilities(logits)
        samples = GaussianCopula(theta, n_samples, stream)
    costs = sample_costs(function, samples)
    weights = leave_one_out_weights(costs)
    return coupled_estimate(samples, weights, costs, logits, parametrization)
