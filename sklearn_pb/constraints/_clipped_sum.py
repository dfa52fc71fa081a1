"""The root of a clipped sum: one scalar equation behind projection and velocity."""

from __future__ import annotations

import math

import torch

Bound = float | torch.Tensor

_LIMIT = 200  # evaluations; a warm start needs about three, a cold one about six
_PATIENCE = 12  # evaluations before every other step is a bisection


class ClippedSum:
    """The points clip(position - price x rates, low, high) and their weighted sum.

    The sum is continuous, piecewise linear and falls as the price grows. Everything is
    a few passes over memory that is allocated once, and no comparison is among them:
    they are the slow passes on a CPU.

    Parameters
    ----------
    position : torch.Tensor of shape (d,)
        Where the points start, at price 0.
    low, high : float or torch.Tensor of shape (d,)
        The bounds.
    costs : torch.Tensor of shape (d,), default=None
        Weights of the sum, above 0; None is 1.
    rates : torch.Tensor of shape (d,), default=None
        How fast each point falls with the price, above 0; None takes the costs.

    Attributes
    ----------
    points : torch.Tensor of shape (d,)
        The points at the last price.
    """

    def __init__(
        self,
        position: torch.Tensor,
        low: Bound,
        high: Bound,
        costs: torch.Tensor | None = None,
        rates: torch.Tensor | None = None,
    ) -> None:
        self.points = torch.empty_like(position)
        self._free = torch.empty_like(position)
        self._position = position
        self._low, self._high = low, high
        self._costs = costs
        self._rates = costs if rates is None else rates

    def at(self, price: float) -> float:
        """Move the points to a price and return their weighted sum."""
        if self._rates is None:
            torch.sub(self._position, price, out=self._free)
        else:
            torch.add(self._position, self._rates, alpha=-price, out=self._free)
        torch.clamp(self._free, self._low, self._high, out=self.points)
        if self._costs is None:
            return self.points.sum().item()
        return (self.points * self._costs).sum().item()

    def slope(self) -> float:
        """Return how fast the sum falls at the last price; call once after `at`."""
        held = self._free.sub_(self.points).sign_().abs_()
        if self._rates is None:
            return len(held) - held.sum().item()
        free = held.neg_().add_(1).mul_(self._rates)
        return (free if self._costs is None else free.mul_(self._costs)).sum().item()


def price_for(curve: ClippedSum, total: float, start: float = 0.0) -> float:
    """Return the least price, at least 0, at which a clipped sum is within a total.

    Newton's method, which ends exactly on a piecewise linear function, kept inside a
    bracket that bisection shrinks where Newton does not.

    Parameters
    ----------
    curve : ClippedSum
        Left at that price.
    total : float
        What the sum may be; one that the lower bounds allow.
    start : float, default=0.0
        A price that is close, such as that of a similar problem.

    Returns
    -------
    price : float
        NaN if the sum is not finite.
    """
    eps = torch.finfo(curve.points.dtype).eps
    price = start if 0 <= start < math.inf else 0.0
    low, high, reach = -1.0, math.inf, 1.0  # low < 0: nothing is too cheap so far
    for turn in range(_LIMIT):
        excess = curve.at(price) - total
        if not math.isfinite(excess):
            return math.nan
        if abs(excess) <= 4 * eps * abs(total) or (price == 0 and excess <= 0):
            break
        low, high = (price, high) if excess > 0 else (low, price)
        slope = curve.slope()
        wanted = price + excess / slope if slope > 0 else math.copysign(math.inf, excess)
        bisect = turn > _PATIENCE and turn % 2 == 1
        wanted, reach = _guarded(wanted, low, high, reach, bisect)
        if abs(wanted - price) <= eps * price:
            break
        price = wanted
    return price


def _guarded(
    wanted: float, low: float, high: float, reach: float, bisect: bool
) -> tuple[float, float]:
    """A price strictly inside the bracket, and how far to look beyond it next time."""
    if high == math.inf:
        if wanted < math.inf and not bisect:
            return wanted, reach
        return low + reach, 2 * reach
    if low < wanted < high and wanted >= 0 and not bisect:
        return wanted, reach
    return (0.0 if low < 0 else (low + high) / 2), reach
