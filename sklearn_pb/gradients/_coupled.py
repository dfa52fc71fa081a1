"""What is common to estimators on negatively correlated samples."""

from __future__ import annotations

import torch

from ..distributions import CoupledSamples, Parametrization
from ._base import GradientEstimate, parametrized, parts_of


def coupled_estimate(
    samples: CoupledSamples,
    weights: torch.Tensor,
    costs: torch.Tensor,
    logits: torch.Tensor,
    parametrization: Parametrization,
) -> GradientEstimate:
    """Weight samples and undo what their correlation takes from the mean.

    Parameters
    ----------
    samples : CoupledSamples
        n samples; those compared with each other have `samples.correlation()`.
    weights : torch.Tensor of shape (n,)
        Weights that would give the covariance without bias for independent samples.
    costs : torch.Tensor of shape (n,)
        Costs of the samples.
    logits : torch.Tensor
        Where the gradient is taken.
    parametrization : Parametrization
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        The gradient and the costs.

    Notes
    -----
    Dimitriev and Zhou (2021); Silva (2023), equation (4.16).
    """
    covariance = samples.weighted_sum(weights)
    for part in parts_of(len(covariance)):
        covariance[part] /= 1 - samples.correlation(part)
    return parametrized(covariance, costs, logits, parametrization)
