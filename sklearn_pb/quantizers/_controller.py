"""The closed loop that finds the price of a bit for a target."""

from __future__ import annotations

import math

from ..constraints import steered_price

_SETTLED_BY = 0.6  # progress at which the target should be reached
_TRAVEL = 40.0  # how far log(price) can drift over a whole search
_DAMPING = 5.0  # reaction of log(price) to a change of the error
_REACH = 30.0  # log(price) stays this close to where it began


class PriceController:
    """Steer a price so that a size goes from where it is to a target.

    It is to go there along a parabola, fast first, and to be there by 0.6 of the
    search. Logarithms of sizes and prices are compared, so that one setting serves all
    units.

    Parameters
    ----------
    price : float
        Where it begins, above 0.
    target : float
        The size to end with, above 0.

    Attributes
    ----------
    price : float
        The price now.
    """

    def __init__(self, price: float, target: float) -> None:
        self.price = price
        self.target = target
        self._first_price = price
        self._first_size: float | None = None
        self._progress = 0.0
        self._error = 0.0

    def wanted(self, progress: float) -> float:
        """Return the size to have at a moment, once `follow` has seen the first.

        Parameters
        ----------
        progress : float
            Fraction of the search done, in [0, 1].

        Returns
        -------
        size : float
            In the unit of the target.
        """
        first = self.target if self._first_size is None else self._first_size
        left = max(0.0, 1 - progress / _SETTLED_BY) ** 2
        return self.target + (first - self.target) * left

    def follow(self, size: float, progress: float) -> None:
        """Adapt the price to the size; a first call takes down where it begins.

        Parameters
        ----------
        size : float
            Of the quantized weights, if the search ended now.
        progress : float
            Fraction of the search done, in [0, 1].
        """
        if self._first_size is None:
            self._first_size, self._progress = size, progress
            return
        error = math.log(max(size, 1e-9) / max(self.wanted(progress), 1e-9))
        self.price = steered_price(
            self.price,
            error,
            self._error,
            travel=_TRAVEL * (progress - self._progress),
            damping=_DAMPING,
            origin=math.log(self._first_price),
            reach=_REACH,
        )
        self._error, self._progress = error, progress

    def state_dict(self) -> dict[str, float | None]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Plain numbers.
        """
        return {
            "price": self.price,
            "first_size": self._first_size,
            "progress": self._progress,
            "error": self._error,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.price = state["price"]
        self._first_size = state["first_size"]
        self._progress = state["progress"]
        self._error = state["error"]
