"""Replicas of a point that know what each flip would change: the classical moves.

Two views, as two access patterns are fast: a `Neighbourhood` keeps the change of cost
of every flip of each replica (tabu search takes the best), a `Sweep` visits classes of
variables that do not interact and gives the changes of one class for all replicas
(annealing decides on each). Here are the contracts, and the two for any function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch

Costs = Callable[[torch.Tensor], torch.Tensor]


def as_replicas(points: np.ndarray | torch.Tensor, n_variables: int) -> np.ndarray:
    """Return checked points (R, d) as a new array of uint8.

    Parameters
    ----------
    points : array-like of shape (R, d) or (d,)
        Zeros and ones; one point is one replica.
    n_variables : int
        The number d.

    Returns
    -------
    points : numpy.ndarray of uint8, shape (R, d)
        A copy.

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is not 0 or 1.
    """
    given = np.atleast_2d(np.asarray(points))
    if given.ndim != 2 or given.shape[1] != n_variables:
        raise ValueError(
            f"points has shape {given.shape}, but the function takes "
            f"(n_replicas, {n_variables})."
        )
    if not ((given == 0) | (given == 1)).all():
        raise ValueError("points must hold zeros and ones only.")
    return given.astype(np.uint8)


class Neighbourhood(ABC):
    """Replicas with the change of cost of every flip, kept up to date.

    Parameters
    ----------
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas; the neighbourhood owns them from now on.

    Attributes
    ----------
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas now.
    costs : numpy.ndarray of float64, shape (R,)
        Their costs.
    """

    points: np.ndarray
    costs: np.ndarray

    def __init__(self, points: np.ndarray) -> None:
        self.points = points

    @property
    @abstractmethod
    def deltas(self) -> np.ndarray:
        """J(point with variable i flipped) - J(point), shape (R, d); read only."""

    @abstractmethod
    def flip(self, rows: np.ndarray, variables: np.ndarray) -> None:
        """Flip one variable in some of the replicas.

        Parameters
        ----------
        rows : numpy.ndarray of int, shape (m,)
            Distinct replicas.
        variables : numpy.ndarray of int, shape (m,)
            The variable to flip in each of them.
        """

    @abstractmethod
    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere.

        Parameters
        ----------
        rows : numpy.ndarray of int, shape (m,)
            Distinct replicas.
        points : numpy.ndarray of uint8, shape (m, d)
            Where they are from now on.
        """

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        """What flips add to, and rounding therefore makes other than from scratch.

        Arrays with an entry or a row for each replica, to copy from and to write to:
        with them, replicas made anew at the same points go on to the last digit.
        """
        return (self.costs,)


class Sweep(ABC):
    """Replicas whose variables are visited class by class.

    No two variables of a class share a term of J, so the changes of cost of its flips
    add up and a whole class may be decided at once.

    Parameters
    ----------
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.
    classes : list of numpy.ndarray of int
        A partition of the variables.

    Attributes
    ----------
    points : numpy.ndarray of uint8, shape (d, R)
        The replicas now, one a column.
    costs : numpy.ndarray of float64, shape (R,)
        Their costs.
    classes : list of numpy.ndarray of int
        The partition.
    """

    points: np.ndarray
    costs: np.ndarray
    classes: list[np.ndarray]

    def __init__(self, points: np.ndarray, classes: list[np.ndarray]) -> None:
        self.points = np.ascontiguousarray(points.T)
        self.classes = classes

    @abstractmethod
    def deltas(self, k: int) -> np.ndarray:
        """Return the changes of cost of the flips of one class.

        Parameters
        ----------
        k : int
            Number of the class.

        Returns
        -------
        deltas : numpy.ndarray of shape (size of the class, R)
            J(point with the variable flipped) - J(point); may be overwritten.
        """

    @abstractmethod
    def flip(self, k: int, chosen: np.ndarray) -> None:
        """Flip variables of the class whose `deltas` were asked for last.

        Parameters
        ----------
        k : int
            Number of that class.
        chosen : numpy.ndarray of bool, shape (size of the class, R)
            Which to flip.
        """

    @abstractmethod
    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere.

        Parameters
        ----------
        columns : numpy.ndarray of int, shape (m,)
            Distinct replicas.
        points : numpy.ndarray of uint8, shape (m, d)
            Where they are from now on.
        """

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        """What flips add to: see `Neighbourhood`."""
        return (self.costs,)


class EvaluatedNeighbourhood(Neighbourhood):
    """The neighbourhood of any function: each change is an evaluation of J.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points of float64 to (m,) costs.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.
    """

    def __init__(self, function: Costs, points: np.ndarray) -> None:
        super().__init__(points)
        self._function = function
        self.costs = evaluate(function, points)
        self._deltas = np.zeros(points.shape)
        self._stale = np.ones(len(points), bool)

    @property
    def deltas(self) -> np.ndarray:
        """The changes of cost; computed now for the replicas that have moved."""
        for row in np.flatnonzero(self._stale):
            flipped = np.bitwise_xor(
                self.points[row], np.eye(len(self.points[row]), dtype=np.uint8)
            )
            self._deltas[row] = evaluate(self._function, flipped) - self.costs[row]
            self._stale[row] = False
        return self._deltas

    def flip(self, rows: np.ndarray, variables: np.ndarray) -> None:
        """Flip one variable in some of the replicas."""
        self.costs[rows] += self.deltas[rows, variables]
        self.points[rows, variables] ^= 1
        self._stale[rows] = True

    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        costs = evaluate(self._function, points)  # first: a budget may end in there
        self.points[rows], self.costs[rows] = points, costs
        self._stale[rows] = True


class EvaluatedSweep(Sweep):
    """The sweep of any function: each change is an evaluation of J.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points of float64 to (m,) costs.
    points : numpy.ndarray of uint8, shape (R, d)
        The replicas.
    """

    def __init__(self, function: Costs, points: np.ndarray) -> None:
        super().__init__(points, [np.array([i]) for i in range(points.shape[1])])
        self._function = function
        self.costs = evaluate(function, points)

    def deltas(self, k: int) -> np.ndarray:
        """Return the changes of cost of the flips of variable k."""
        flipped = self.points.T.copy()
        flipped[:, k] ^= 1
        self._last = (evaluate(self._function, flipped) - self.costs)[None]
        return self._last.copy()

    def flip(self, k: int, chosen: np.ndarray) -> None:
        """Flip variable k in the chosen replicas."""
        self.points[k] ^= chosen[0]
        self.costs += np.where(chosen[0], self._last[0], 0.0)

    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        costs = evaluate(self._function, points)  # first: a budget may end in there
        self.points[:, columns], self.costs[columns] = points.T, costs


class NeighbourhoodSweep(Sweep):
    """One variable at a time, where only a neighbourhood is known.

    Parameters
    ----------
    neighbourhood : Neighbourhood
        The replicas.
    """

    def __init__(self, neighbourhood: Neighbourhood) -> None:
        d = neighbourhood.points.shape[1]
        self.classes = [np.array([i]) for i in range(d)]
        self._neighbourhood = neighbourhood

    @property
    def points(self) -> np.ndarray:  # type: ignore[override]
        """The replicas now, one a column."""
        return self._neighbourhood.points.T

    @property
    def costs(self) -> np.ndarray:  # type: ignore[override]
        """Their costs."""
        return self._neighbourhood.costs

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        """Those of the neighbourhood."""
        return self._neighbourhood.running_sums

    def deltas(self, k: int) -> np.ndarray:
        """Return the changes of cost of the flips of variable k."""
        return self._neighbourhood.deltas[:, k][None].copy()

    def flip(self, k: int, chosen: np.ndarray) -> None:
        """Flip variable k in the chosen replicas."""
        rows = np.flatnonzero(chosen[0])
        if len(rows):
            self._neighbourhood.flip(rows, np.full(len(rows), k))

    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        self._neighbourhood.place(columns, points)


def evaluate(function: Costs, points: np.ndarray) -> np.ndarray:
    """Return the costs of points held as small integers.

    Parameters
    ----------
    function : callable
        J: maps (m, d) points of float64 to (m,) costs.
    points : numpy.ndarray of shape (m, d)
        Zeros and ones.

    Returns
    -------
    costs : numpy.ndarray of float64, shape (m,)
        One cost a row.
    """
    with torch.no_grad():
        costs = function(torch.from_numpy(points.astype(np.float64)))
    return costs.cpu().numpy().astype(np.float64)
