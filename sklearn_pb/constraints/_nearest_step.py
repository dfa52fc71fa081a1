"""The admissible step nearest to a wanted one, for one sum and the unit box."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..utils import check_choice, check_number
from ._clipped_sum import ClippedSum, price_for

_TINY = 1e-30  # lets violations end at zero, not among slow subnormal numbers
_FLICKER = 8.0  # rounding errors up to which a sum counts as being at its total


@dataclass(frozen=True)
class MultiplierSolver:
    """How the multipliers are found.

    Parameters
    ----------
    name : {"exact", "sor", "jacobi"}, default="exact"
        A root, or sweeps of one of two kinds.
    n_iterations : int, default=5
        Number of sweeps, at least 1.
    relaxation : float, default=1.0
        Relaxation factor of the sweeps, in (0, 2).
    """

    name: str = "exact"
    n_iterations: int = 5
    relaxation: float = 1.0

    def check(self, owner: str = "") -> None:
        """Raise unless the settings are allowed; errors name them after the owner."""
        check_choice(self.name, f"{owner}solver", ("exact", "sor", "jacobi"))
        check_number(self.n_iterations, f"{owner}n_iterations", low=1, integer=True)
        check_number(
            self.relaxation,
            f"{owner}relaxation",
            low=0,
            high=2,
            low_open=True,
            high_open=True,
        )


def nearest_step(
    position: torch.Tensor,
    point: torch.Tensor,
    total: float,
    alpha: float,
    costs: torch.Tensor | None,
    metric: torch.Tensor | None,
    solver: MultiplierSolver,
    start: float = 0.0,
) -> tuple[torch.Tensor, float]:
    """Return where the nearest admissible step leads and the price, without checks.

    Parameters
    ----------
    position : torch.Tensor of shape (d,)
        Where the optimizer would go from `point`.
    point : torch.Tensor of shape (d,)
        The point before the step.
    total, alpha, costs, metric
        As in `velocity_multipliers`.
    solver : MultiplierSolver
        How to find the multipliers.
    start : float, default=0.0
        A price that is close, for the exact solver.

    Returns
    -------
    moved : torch.Tensor of shape (d,)
        A new tensor.
    price : float
        Multiplier of the sum; NaN if the point is not finite.
    """
    low, high = _active_bounds(point, alpha)
    violation = _weighted(point, costs) - total
    rounding = _FLICKER * torch.finfo(point.dtype).eps * total
    if violation < -rounding:
        return torch.clamp(position, low, high), 0.0
    allowed = total + (1 - alpha) * violation
    rates = _rates(costs, metric)
    if solver.name != "exact":
        return _sweep(position, (low, high), allowed, costs, rates, solver)
    curve = ClippedSum(position, low, high, costs, rates)
    price = price_for(curve, allowed, start)
    return curve.points, price


def descended(
    position: torch.Tensor,
    price: float,
    costs: torch.Tensor | None,
    metric: torch.Tensor | None,
) -> torch.Tensor:
    """Return ``position - price * costs / metric``, as without any box."""
    return _descend(position, price, _rates(costs, metric))


def _rates(
    costs: torch.Tensor | None, metric: torch.Tensor | None
) -> torch.Tensor | None:
    if metric is None:
        return costs
    return metric.reciprocal() if costs is None else costs / metric


def _descend(
    position: torch.Tensor, price: float, rates: torch.Tensor | None
) -> torch.Tensor:
    if rates is None:
        return position - price
    return torch.add(position, rates, alpha=-price)


def _weighted(values: torch.Tensor, costs: torch.Tensor | None) -> float:
    return (values if costs is None else values * costs).sum().item()


def _active_bounds(
    point: torch.Tensor, alpha: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the sides of the box allow after the step; no bound where inactive.

    Written without comparisons and `where`, which are ten times as slow on a CPU.
    """
    unbounded = torch.finfo(point.dtype).max / 4
    inside = point.clamp(0, 1)
    low = point.clamp(max=0).mul_(1 - alpha).add_(_TINY).clamp_(max=0)
    low.sub_(inside.ceil(), alpha=unbounded)
    high = point.clamp(min=1).sub_(1).mul_(1 - alpha).add_(1)
    high.add_(inside.floor_().neg_().add_(1), alpha=unbounded)
    return low, high


def _sweep(
    position: torch.Tensor,
    bounds: tuple[torch.Tensor, torch.Tensor],
    allowed: float,
    costs: torch.Tensor | None,
    rates: torch.Tensor | None,
    solver: MultiplierSolver,
) -> tuple[torch.Tensor, float]:
    """Relax the multiplier of the sum and those of the boxes in turn, from zero.

    No two boxes share a coordinate, so they relax side by side. The boxes are signed:
    an inactive side never pushes, as its bound is out of reach.
    """
    low, high = bounds
    ones = torch.ones_like(position)
    stiffness = _weighted(ones if rates is None else rates, costs)
    omega, price = solver.relaxation, 0.0
    boxes, fallen = torch.zeros_like(position), position
    for _ in range(solver.n_iterations):
        excess = _weighted(fallen + boxes, costs) - allowed
        price = max(0.0, price + omega * excess / stiffness)
        after = _descend(position, price, rates)
        seen = fallen if solver.name == "jacobi" else after
        kept = boxes.mul_(1 - omega)
        up = torch.sub(low, seen).mul_(omega).add_(kept).clamp_(min=0)
        down = torch.sub(high, seen).mul_(omega).add_(kept).clamp_(max=0)
        boxes, fallen = up.add_(down), after
    return fallen + boxes, price
