"""The best points of a search, and new ones made from them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Elite:
    """A few good points that differ from each other.

    Parameters
    ----------
    size : int
        How many are kept.
    n_variables : int
        The number d.

    Attributes
    ----------
    points : numpy.ndarray of uint8, shape (m, d)
        The points, m <= size.
    costs : numpy.ndarray of shape (m,)
        Their costs.
    """

    def __init__(self, size: int, n_variables: int) -> None:
        self._size = size
        self.points = np.zeros((0, n_variables), np.uint8)
        self.costs = np.zeros(0)

    def add(self, point: np.ndarray, cost: float) -> bool:
        """Keep a point if it is new and good enough.

        Parameters
        ----------
        point : numpy.ndarray of shape (d,)
            The point.
        cost : float
            Its cost.

        Returns
        -------
        kept : bool
            Whether it was.
        """
        if (self.points == point).all(axis=1).any():
            return False
        if len(self.costs) < self._size:
            self.points = np.vstack([self.points, point[None]])
            self.costs = np.append(self.costs, cost)
            return True
        worst = int(self.costs.argmax())
        if cost >= self.costs[worst]:
            return False
        self.points[worst], self.costs[worst] = point, cost
        return True

    def cross(self, generator: np.random.Generator) -> np.ndarray:
        """Return a point between two of them, some variables of which are flipped.

        Parameters
        ----------
        generator : numpy.random.Generator
            Where the draws come from.

        Returns
        -------
        point : numpy.ndarray of uint8, shape (d,)
            Where the two agree, it does as they do but for a few variables.
        """
        a, b = self.points[generator.integers(0, len(self.points), 2)]
        d = len(a)
        point = np.where(generator.random(d) < generator.random(), a, b)
        strength = 0.02 + 0.13 * generator.random()
        flipped = generator.random(d) < strength
        flipped[generator.integers(d)] = True
        return point ^ flipped.astype(np.uint8)

    def state_dict(self) -> dict[str, Any]:
        """Return copies of the points and their costs."""
        return {"points": self.points.copy(), "costs": self.costs.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.points, self.costs = state["points"].copy(), state["costs"].copy()
