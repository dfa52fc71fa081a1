"""The root of a clipped sum: one scalar equation behind projection and velocity."""

from __future__ import annotations

import math

import torch

from ._scratch import Scratch

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
    scratch : Scratch, default=None
        Where the points are kept; None is memory of their own.

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
        scratch: Scratch | None = None,
    ) -> None:
        self._scratch = Scratch() if scratch is None else scratch
        self.points = self._scratch.like(position, "points")
        self._free = self._scratch.like(position, "free")
        self._position = position
        self._low, self._high = low, high
        self._costs = costs
        self._rates = costs if rates is None else rates
        # A device is asked once for both numbers; a CPU spares the last slope.
        self._at_once = position.device.type != "cpu"
        self._slope = math.nan

    def at(self, price: float) -> float:
        """Move the points to a price and return their weighted sum."""
        descend(self._position, price, self._rates, out=self._free)
        torch.clamp(
            self._free,
            self._low,  # type: ignore[arg-type]
            self._high,  # type: ignore[arg-type]
            out=self.points,
        )
        total = weighted_sum(self.points, self._costs, self._scratch)
        if not self._at_once:
            return total.item()
        value, self._slope = torch.stack([total, self._falling()]).tolist()
        return value

    def slope(self) -> float:
        """Return how fast the sum falls at the last price; call once after `at`."""
        return self._slope if self._at_once else self._falling().item()

    def _falling(self) -> torch.Tensor:
        held = self._free.sub_(self.points).sign_().abs_()  # 1 where at a bound
        if self._rates is None:
            return len(held) - held.sum()
        falling = held.neg_().add_(1).mul_(self._rates)
        return weighted_sum(falling, self._costs, self._scratch)


def descend(
    position: torch.Tensor,
    price: float,
    rates: torch.Tensor | None,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return ``position - price * rates``: where the price alone would lead."""
    if rates is None:
        return torch.sub(position, price, out=out)
    return torch.add(position, rates, alpha=-price, out=out)


def weighted_sum(
    values: torch.Tensor, costs: torch.Tensor | None, scratch: Scratch
) -> torch.Tensor:
    """Return the sum of values, each times its cost if there are any."""
    if costs is None:
        return values.sum()
    return torch.mul(values, costs, out=scratch.like(values, "products")).sum()


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
        jump = excess / slope if slope > 0 else math.copysign(math.inf, excess)
        bisect = turn > _PATIENCE and turn % 2 == 1
        wanted, reach = _guarded(price + jump, low, high, reach, bisect)
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
