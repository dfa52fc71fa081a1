"""Flips under a budget, whether the function knows their changes of cost or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..budget import Evaluator
from ..functions._flips import (
    Costs,
    EvaluatedNeighbourhood,
    EvaluatedSweep,
    Neighbourhood,
    Sweep,
)


class Moves:
    """Flips under a budget: what a run needs to charge them correctly.

    A function that knows changes of cost gives them itself, and the run reports how
    many it used; any other is evaluated through the evaluator, which then counts.

    Parameters
    ----------
    evaluator : Evaluator
        The function under its budget.

    Attributes
    ----------
    counts : bool
        Whether the run has to report what it uses, as the function knows changes of
        cost.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self.counts = evaluator.function.has_flips
        self._function = evaluator.function if self.counts else evaluator

    def sweep(self, points: np.ndarray, costs: np.ndarray | None = None) -> Sweep:
        """Return replicas whose variables are visited class by class.

        Parameters
        ----------
        points : numpy.ndarray of uint8, shape (R, d)
            Where they start.
        costs : numpy.ndarray of shape (R,), default=None
            What the points are known to cost; nothing is counted then.

        Returns
        -------
        sweep : Sweep
            Of the first of the points only, if the budget does not allow for more.
        """
        return self._opened(self._function.sweep, EvaluatedSweep, points, costs)

    def neighbourhood(
        self, points: np.ndarray, costs: np.ndarray | None = None
    ) -> Neighbourhood:
        """Return replicas that know the change of cost of every flip.

        Parameters
        ----------
        points : numpy.ndarray of uint8, shape (R, d)
            Where they start.
        costs : numpy.ndarray of shape (R,), default=None
            What the points are known to cost; nothing is counted then.

        Returns
        -------
        neighbourhood : Neighbourhood
            Of the first of the points only, if the budget does not allow for more.
        """
        return self._opened(
            self._function.neighbourhood, EvaluatedNeighbourhood, points, costs
        )

    def _opened(
        self,
        make: Callable[[np.ndarray], Any],
        evaluated: Callable[[Costs, np.ndarray], Any],
        points: np.ndarray,
        costs: np.ndarray | None,
    ) -> Any:
        if not self.counts:
            if costs is None:
                return make(points)
            return evaluated(_Remembering(self._evaluator, costs), points.copy())
        if costs is None:
            points = points[: self.allowance(len(points))]
        replicas = make(points)
        if costs is None:
            self._charge_points(replicas.costs, points)
        return replicas

    def place(
        self, replicas: Sweep | Neighbourhood, rows: np.ndarray, points: np.ndarray
    ) -> np.ndarray:
        """Put replicas elsewhere, as many as the budget allows.

        Parameters
        ----------
        replicas : Sweep or Neighbourhood
            What `sweep` or `neighbourhood` returned.
        rows : numpy.ndarray of int, shape (m,)
            Distinct replicas.
        points : numpy.ndarray of uint8, shape (m, d)
            Where they are from now on.

        Returns
        -------
        rows : numpy.ndarray of int
            The first of them, which are there now.
        """
        allowed = self.allowance(len(rows))
        rows, points = rows[:allowed], points[:allowed]
        replicas.place(rows, points)
        self._charge_points(replicas.costs[rows], points)
        return rows

    def _charge_points(self, costs: np.ndarray, points: np.ndarray) -> None:
        """Report points whose costs were computed, which takes longer than changes."""
        if self.counts:
            point_of = points.__getitem__
            self._evaluator.charge(len(points), costs, point_of, timed=False)

    def allowance(self, n: int) -> int:
        """Return how many changes of cost may be used now, from 1 to n.

        Parameters
        ----------
        n : int
            How many are wanted.

        Returns
        -------
        allowed : int
            All of them if the evaluator counts by itself.
        """
        return self._evaluator.allowance(n) if self.counts else n

    def charge(
        self, n: int, costs: np.ndarray, point_of: Callable[[int], np.ndarray]
    ) -> None:
        """Report changes of cost that were used.

        Parameters
        ----------
        n : int
            How many.
        costs : numpy.ndarray of shape (R,)
            What the replicas cost now.
        point_of : callable
            Gives the point (d,) at which a replica stands.
        """
        if self.counts:
            self._evaluator.charge(n, costs, point_of)


class _Remembering:
    """A function that is first asked for costs which are known already."""

    def __init__(self, function: Costs, known: np.ndarray) -> None:
        self._function = function
        self._known: np.ndarray | None = known

    def __call__(self, Z: torch.Tensor) -> torch.Tensor:
        known, self._known = self._known, None
        return self._function(Z) if known is None else torch.from_numpy(known.copy())
