"""The admissible step nearest to a wanted one, for one sum and the unit box."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..utils import check_choice, check_number
from ._clipped_sum import ClippedSum, descend, price_for, weighted_sum
from ._scratch import Scratch

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
    scratch: Scratch | None = None,
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
    scratch : Scratch, default=None
        Memory to work in.

    Returns
    -------
    moved : torch.Tensor of shape (d,)
        A new tensor, or one that the scratch will use again.
    price : float
        Multiplier of the sum; NaN if the point is not finite.
    """
    scratch = Scratch() if scratch is None else scratch
    low, high = _active_bounds(point, alpha, scratch)
    violation = weighted_sum(point, costs, scratch).item() - total
    rounding = _FLICKER * torch.finfo(point.dtype).eps * total
    if violation < -rounding:
        moved = scratch.like(position, "points")
        return torch.clamp(position, low, high, out=moved), 0.0
    allowed = total + (1 - alpha) * violation
    rates = price_rates(costs, metric)
    if solver.name != "exact":
        sweeps = _Sweeps(position, (low, high), costs, rates, scratch)
        return sweeps.relax(allowed, solver)
    curve = ClippedSum(position, low, high, costs, rates, scratch)
    price = price_for(curve, allowed, start)
    return curve.points, price


def price_rates(
    costs: torch.Tensor | None, metric: torch.Tensor | None
) -> torch.Tensor | None:
    """Return how fast each coordinate falls with the price; None is 1."""
    if metric is None:
        return costs
    return metric.reciprocal() if costs is None else costs / metric


def _active_bounds(
    point: torch.Tensor, alpha: float, scratch: Scratch
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the sides of the box allow after the step; no bound where inactive.

    Written without comparisons and `where`, which are ten times as slow on a CPU.
    """
    low, high, work = (scratch.like(point, name) for name in ("low", "high", "free"))
    unbounded = torch.finfo(point.dtype).max / 4
    torch.clamp(point, max=0, out=low).mul_(1 - alpha).add_(_TINY).clamp_(max=0)
    torch.clamp(point, 0, 1, out=work).ceil_()  # 1 above the lower side
    low.sub_(work, alpha=unbounded)
    torch.clamp(point, min=1, out=high).sub_(1).mul_(1 - alpha).add_(1)
    torch.clamp(point, 0, 1, out=work).floor_().sub_(1)  # -1 below the upper side
    high.sub_(work, alpha=unbounded)
    return low, high


class _Sweeps:
    """Relaxation of the multiplier of the sum and of those of the boxes, in turn.

    No two boxes share a coordinate, so they relax side by side. Their multipliers are
    signed, in one vector: a side that is not active is out of reach and never pushes.
    """

    def __init__(
        self,
        position: torch.Tensor,
        bounds: tuple[torch.Tensor, torch.Tensor],
        costs: torch.Tensor | None,
        rates: torch.Tensor | None,
        scratch: Scratch,
    ) -> None:
        self._position, self._costs, self._rates = position, costs, rates
        self._low, self._high = bounds
        self._scratch = scratch
        self._fallen = scratch.like(position, "free").copy_(position)
        self._boxes = scratch.like(position, "boxes").zero_()
        self._points = scratch.like(position, "points")
        self._up = scratch.like(position, "up")

    def relax(
        self, allowed: float, solver: MultiplierSolver
    ) -> tuple[torch.Tensor, float]:
        """Return the point and the price after some sweeps that start from zero."""
        stiffness = self._stiffness()
        omega, price = solver.relaxation, 0.0
        for _ in range(solver.n_iterations):
            torch.add(self._fallen, self._boxes, out=self._points)
            total = weighted_sum(self._points, self._costs, self._scratch)
            excess = total.item() - allowed
            price = max(0.0, price + omega * excess / stiffness)
            if solver.name == "jacobi":
                self._relax_boxes(omega)
                self._fall(price)
            else:
                self._fall(price)
                self._relax_boxes(omega)
        return torch.add(self._fallen, self._boxes, out=self._points), price

    def _stiffness(self) -> float:
        if self._rates is None:
            return float(len(self._position))
        return weighted_sum(self._rates, self._costs, self._scratch).item()

    def _fall(self, price: float) -> None:
        descend(self._position, price, self._rates, out=self._fallen)

    def _relax_boxes(self, omega: float) -> None:
        kept = self._boxes.mul_(1 - omega)
        up = torch.sub(self._low, self._fallen, out=self._up).mul_(omega)
        up.add_(kept).clamp_(min=0)
        down = torch.sub(self._high, self._fallen, out=self._points).mul_(omega)
        down.add_(kept).clamp_(max=0)
        torch.add(up, down, out=self._boxes)
