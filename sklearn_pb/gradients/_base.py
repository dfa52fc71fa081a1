"""What gradient estimators share: evaluating regenerated samples, the result type."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from ..distributions import CoupledSamples, Parametrization

Costs = Callable[[torch.Tensor], torch.Tensor]

ROWS_AT_ONCE = 1 << 15  # coordinates of samples that exist at the same time, if d allows


class GradientEstimate(NamedTuple):
    """A gradient and the costs it was made from.

    Attributes
    ----------
    gradient : torch.Tensor shaped as the logits
        Estimate of the gradient of E[J(z)] for the logits.
    costs : torch.Tensor of shape (n,)
        The costs of the samples, in their order.
    """

    gradient: torch.Tensor
    costs: torch.Tensor


def sample_costs(function: Costs, samples: CoupledSamples) -> torch.Tensor:
    """Evaluate every sample, holding a few of them at a time.

    Parameters
    ----------
    function : callable
        Maps (m, d) points to (m,) costs.
    samples : CoupledSamples
        The samples.

    Returns
    -------
    costs : torch.Tensor of shape (n,)
        One cost a sample.
    """
    n, d = samples.n_samples, len(samples.probabilities)
    chunk = max(1, ROWS_AT_ONCE // d)
    return torch.cat(
        [
            function(samples.draw(range(s, min(s + chunk, n)))).detach()
            for s in range(0, n, chunk)
        ]
    )


def leave_one_out_weights(costs: torch.Tensor) -> torch.Tensor:
    """Weights of the leave-one-out baseline; they sum to zero.

    Parameters
    ----------
    costs : torch.Tensor of shape (n,)
        Costs of the samples, n at least 2.

    Returns
    -------
    weights : torch.Tensor of shape (n,)
        ``(J_s - mean J) / (n - 1)``.
    """
    return (costs - costs.mean()) / (len(costs) - 1)


def at_least_two(n_samples: int, name: str) -> None:
    """Raise if an estimator that compares samples was given fewer than two.

    Parameters
    ----------
    n_samples : int
        What was asked for.
    name : str
        The estimator.

    Raises
    ------
    ValueError
        If n_samples < 2.
    """
    if n_samples < 2:
        raise ValueError(
            f"n_samples={n_samples} is too small for {name!r}, which compares samples "
            "with each other; it must be at least 2."
        )


def parametrized(
    covariance: torch.Tensor,
    costs: torch.Tensor,
    logits: torch.Tensor,
    parametrization: Parametrization,
) -> GradientEstimate:
    """Turn an estimated covariance into a gradient for the logits.

    Parameters
    ----------
    covariance : torch.Tensor of shape (d,)
        Estimate of Cov(J, z_i).
    costs : torch.Tensor of shape (n,)
        The costs it was made from.
    logits : torch.Tensor
        Where the gradient is taken.
    parametrization : Parametrization
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        The gradient and the costs.
    """
    return GradientEstimate(parametrization.pull_back(covariance, logits), costs)
