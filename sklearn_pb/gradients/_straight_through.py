"""Straight-through: the backward pass takes the sample for its probability."""

from __future__ import annotations

import torch

from ..distributions import Independent, Parametrization, Sigmoid
from ..utils import RandomStream
from ._base import Costs, GradientEstimate, with_traits
from ._sample_numbers import check_n_samples


@with_traits(
    unbiased=False,
    needs_relaxable=True,
    parametrizations=("sigmoid", "direct", "cosine"),
)
def straight_through(
    function: Costs,
    logits: torch.Tensor,
    stream: RandomStream,
    *,
    n_samples: int = 1,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    derivative: bool = False,
) -> GradientEstimate:
    """Estimate the gradient of E[J(z)] by the slope of J at hard samples.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs, differentiable in them.
    logits : torch.Tensor of shape (d,)
        Where the gradient is taken.
    stream : RandomStream
        The address of the draws; give another one each step.
    n_samples : int, default=1
        Number of evaluations to average over, at least 1.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities, with one logit a variable unless
        `derivative` is True.
    derivative : bool, default=False
        False: dE/dr = dJ/dz (the identity). True: times dtheta/dr.

    Returns
    -------
    estimate : GradientEstimate
        Biased. Costs of shape (n_samples,).

    Raises
    ------
    ValueError
        If n_samples < 1, or if the slope of one variable would have to go to several
        logits.

    Notes
    -----
    Bengio et al. (2013); Silva (2023), section 5.1. On J(z) = (z - C)^2 it is
    drawn to theta = C, not to the better end of the two.
    """
    check_n_samples(n_samples, straight_through, "straight-through")
    if parametrization.components > 1 and not derivative:
        raise ValueError(
            f"parametrization={parametrization} has {parametrization.components} "
            "logits a variable, and the identity says nothing about how they share a "
            "slope; derivative=True does, or take one with one logit a variable."
        )
    samples = Independent(parametrization.probabilities(logits), n_samples, stream)
    Z = samples.draw(range(n_samples)).requires_grad_()
    with torch.enable_grad():
        costs = function(Z)
        (slopes,) = torch.autograd.grad(costs.sum(), Z)
    slope = slopes.mean(dim=0)
    if derivative:
        slope = slope * parametrization.derivative(logits.detach())
    return GradientEstimate(slope, costs.detach())
