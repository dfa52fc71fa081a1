"""Costs with their slopes, for the estimators that need a differentiable J."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..distributions import CoupledSamples
from ._base import ROWS_AT_ONCE, Costs


def relaxed_costs(function: Costs, Z: torch.Tensor) -> torch.Tensor:
    """Evaluate points of [0, 1]^d, and see that their costs carry a gradient.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs, differentiable in them.
    Z : torch.Tensor of shape (m, d)
        The points; they require a gradient.

    Returns
    -------
    costs : torch.Tensor of shape (m,)
        One cost a point, with its autograd graph.

    Raises
    ------
    ValueError
        If the costs carry no gradient.
    """
    costs = function(Z)
    if not costs.requires_grad:
        raise ValueError(
            f"function={function!r} returned costs without a gradient for points that "
            "require one; this gradient estimator needs a J that is differentiable on "
            "[0, 1]^d (relaxable=True). 'loorf' and 'arms' need its values only."
        )
    return costs


def costs_and_slopes(
    function: Costs, Z: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Evaluate points of [0, 1]^d with the gradient of each cost.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs, differentiable in them.
    Z : torch.Tensor of shape (m, d)
        The points.

    Returns
    -------
    costs : torch.Tensor of shape (m,)
        One cost a point.
    slopes : torch.Tensor of shape (m, d)
        dJ/dz at each point.
    """
    with torch.enable_grad():
        points = Z.detach().requires_grad_()
        costs = relaxed_costs(function, points)
        (slopes,) = torch.autograd.grad(costs.sum(), points)
    return costs.detach(), slopes


def slopes_at_samples(
    function: Costs, samples: CoupledSamples
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Evaluate every sample with the gradient of its cost, a few at a time.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points to (m,) costs, differentiable in them. One with a method
        ``costs_and_slopes_of(samples, part)`` is asked that instead.
    samples : CoupledSamples
        The samples.

    Yields
    ------
    Z : torch.Tensor of shape (m, d)
        The points.
    costs : torch.Tensor of shape (m,)
        One cost a point.
    slopes : torch.Tensor of shape (m, d)
        dJ/dz at each point.
    """
    ask = getattr(function, "costs_and_slopes_of", None)
    d = len(samples.probabilities)
    for part in chunks(samples.n_samples, d, ROWS_AT_ONCE):
        Z = samples.draw(part)
        yield Z, *(ask(samples, part) if ask else costs_and_slopes(function, Z))


def chunks(n_samples: int, d: int, at_once: int) -> list[range]:
    """Split the numbers of samples, so that few of them are held at a time.

    Parameters
    ----------
    n_samples : int
        The number of samples.
    d : int
        Coordinates of a sample.
    at_once : int
        Coordinates to hold at a time, where that is at least one sample.

    Returns
    -------
    parts : list of range
        They cover 0 to n_samples - 1.
    """
    step = max(1, at_once // d)
    return [range(s, min(s + step, n_samples)) for s in range(0, n_samples, step)]
