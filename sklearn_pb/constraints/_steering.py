"""How the price of a thing follows the error of its amount."""

from __future__ import annotations

import math


def steered_price(
    price: float,
    error: float,
    last_error: float,
    *,
    travel: float,
    damping: float,
    origin: float,
    reach: float,
) -> float:
    """Return the next price in a closed loop.

    Prices and amounts are compared in logarithms, so that one setting serves all: the
    log of the price drifts in proportion to the error, clipped at 1, and reacts to its
    change.

    Parameters
    ----------
    price : float
        The price now, above 0.
    error : float
        Log of the ratio of the amount to the one that is wanted by now.
    last_error : float
        The error at the last call.
    travel : float
        How far the drift goes in this step at an error of 1.
    damping : float
        Reaction to a change of the error.
    origin : float
        Log of the price that the loop began with.
    reach : float
        The log of the price stays this close to the origin.

    Returns
    -------
    price : float
        Above 0.
    """
    log_price = math.log(price) + travel * max(-1.0, min(1.0, error))
    log_price += damping * (error - last_error)
    return math.exp(max(origin - reach, min(origin + reach, log_price)))
