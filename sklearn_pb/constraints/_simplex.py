"""Euclidean projection onto the capped simplex."""

from __future__ import annotations

import math

import torch

from ..utils import check_number
from ._clipped_sum import ClippedSum, price_for
from ._scratch import Scratch


@torch.no_grad()
def project_capped_simplex(
    position: torch.Tensor,
    total: float,
    costs: torch.Tensor | None = None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the nearest point with coordinates in [0, 1] and a bounded sum.

    The point is clip(position - price x costs, 0, 1) with the least price, at least 0,
    that keeps the sum within the total: the root of one scalar equation. Each step
    towards it is O(d) and reads one number from the device; three to eight suffice.

    Parameters
    ----------
    position : torch.Tensor of shape (d,)
        Any point, in float32 or float64, on any device.
    total : float
        What sum_i costs_i x_i may be at most; at least 0. From the sum of the costs
        on, only the box [0, 1] is left.
    costs : torch.Tensor of shape (d,), default=None
        What each coordinate counts for, above 0; None is 1.
    out : torch.Tensor of shape (d,), default=None
        Where to write the result, such as `position` itself; None is a new tensor.

    Returns
    -------
    projection : torch.Tensor of shape (d,)
        The sum keeps to the total up to rounding.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the position is not finite.

    Notes
    -----
    This is the constraint set of Oh et al. (2023), equation (9), and the step of
    ProbMask (Zhou et al., 2021), which find the root by bisection.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import project_capped_simplex
    >>> project_capped_simplex(torch.tensor([1.5, 0.5, 0.25, -1.0]), total=1.25)
    tensor([1.0000, 0.2500, 0.0000, 0.0000])
    """
    check_vector(position, "position")
    check_number(total, "total", low=0)
    if costs is not None:
        check_positive(costs, "costs", position)
    if out is not None:
        check_like(out, "out", position)
    if not bool(position.isfinite().all()):
        raise ValueError("position must be finite, but it holds infinity or NaN.")
    points, _ = project(position, total, costs)
    return points if out is None else out.copy_(points)


def project(
    position: torch.Tensor,
    total: float,
    costs: torch.Tensor | None = None,
    start: float = 0.0,
    scratch: Scratch | None = None,
) -> tuple[torch.Tensor, float]:
    """Return the projection and its price, without checks.

    Parameters
    ----------
    position : torch.Tensor of shape (d,)
        Any point.
    total : float
        What the sum may be at most.
    costs : torch.Tensor of shape (d,), default=None
        What each coordinate counts for.
    start : float, default=0.0
        A price that is close.
    scratch : Scratch, default=None
        Memory to work in.

    Returns
    -------
    points : torch.Tensor of shape (d,)
        A new tensor, or one that the scratch will use again.
    price : float
        The multiplier of the sum; NaN if the position is not finite.
    """
    curve = ClippedSum(position, 0.0, 1.0, costs, scratch=scratch)
    price = price_for(curve, total, start)
    return curve.points, price


def check_vector(value: object, name: str) -> None:
    """Raise unless a value is a float32 or float64 tensor with one axis.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    """
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, not {type(value).__name__}.")
    if value.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name} must be float32 or float64, not {value.dtype}.")
    if value.ndim != 1:
        raise ValueError(f"{name} must have one axis, not shape {tuple(value.shape)}.")


def check_like(value: object, name: str, model: torch.Tensor) -> None:
    """Raise unless a value is a tensor of the shape, type and device of another.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    model : torch.Tensor
        What it must be like.
    """
    check_vector(value, name)
    assert isinstance(value, torch.Tensor)
    wanted = (tuple(model.shape), model.dtype, model.device)
    given = (tuple(value.shape), value.dtype, value.device)
    if given != wanted:
        raise ValueError(
            f"{name} must have shape, type and device {wanted}, not {given}."
        )


def check_positive(value: object, name: str, model: torch.Tensor) -> None:
    """Raise unless a value is like another tensor, and finite and above 0 throughout.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    model : torch.Tensor
        What it must be like.
    """
    check_like(value, name, model)
    assert isinstance(value, torch.Tensor)
    if len(value) and not (value.amin().item() > 0 and value.amax().item() < math.inf):
        raise ValueError(
            f"{name} must be finite and above 0, not in "
            f"[{value.amin().item()}, {value.amax().item()}]."
        )
