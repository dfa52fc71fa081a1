"""The last step towards a target, which the search alone would miss by a little."""

from __future__ import annotations

from collections.abc import Callable

_CLOSE = 0.005  # a size this close below the target, as a fraction, is good enough
_HALVINGS = 40


def largest_within(
    size: Callable[[float], float], wanted: float, low: float, high: float
) -> tuple[float, float]:
    """Return the largest argument whose size is within a target, nearly.

    Parameters
    ----------
    size : callable
        Does not fall as its argument rises; it may jump.
    wanted : float
        The target.
    low, high : float
        Where to look.

    Returns
    -------
    within, beyond : float
        The argument found, and one close above it whose size is beyond the target.
        Both are `low` or `high` if all sizes are beyond or within.

    Examples
    --------
    >>> from sklearn_pb.quantizers._trim import largest_within
    >>> within, beyond = largest_within(lambda x: x * x, 9.0, 0.0, 10.0)
    >>> 2.99 < within <= 3.0 < beyond
    True
    """
    if size(high) <= wanted:
        return high, high
    if size(low) > wanted:
        return low, low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = size(middle)
        if found > wanted:
            high = middle
            continue
        low = middle
        if found >= (1 - _CLOSE) * wanted:
            break
    return low, high
