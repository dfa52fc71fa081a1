"""The exact gradient, by enumeration of every point."""

from __future__ import annotations

import torch

from ..distributions import Parametrization, Sigmoid
from ..functions import enumerate_points
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, parametrized, with_traits

MAX_VARIABLES = 20


@with_traits(fewest_samples=0, most_variables=MAX_VARIABLES)
def exact(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream | None = None,
    *,
    n_samples: int | None = None,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
) -> GradientEstimate:
    """Compute the gradient of E[J(z)] from all 2^d costs.

    Parameters
    ----------
    function : callable
        J: maps (m, d) binary points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    stream : RandomStream, default=None
        Not used: nothing is drawn.
    n_samples : int, default=None
        Not used: every point is evaluated.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        The true gradient. Costs of shape (2^d,), in the order of
        `sklearn_pb.functions.enumerate_points`.

    Raises
    ------
    ValueError
        If d > 20.

    Notes
    -----
    Silva (2023), equation (4.19): E[J] is the multilinear extension of J.
    """
    theta = parametrization.probabilities(logits)
    d = len(theta)
    if d > MAX_VARIABLES:
        raise ValueError(
            f"n_variables={d} is too large for the exact gradient, which enumerates "
            f"2^d points; it must be at most {MAX_VARIABLES}."
        )
    all_costs, mean, moment = [], theta.new_zeros(()), torch.zeros_like(theta)
    for Z in enumerate_points(d):
        Z = Z.to(theta)
        costs = function(Z).to(theta)
        weighted = costs * torch.where(Z > 0, theta, 1 - theta).prod(dim=1)
        mean = mean + weighted.sum()
        moment = moment + weighted @ Z
        all_costs.append(costs)
    covariance = moment - theta * mean
    return parametrized(covariance, torch.cat(all_costs), logits, parametrization)
