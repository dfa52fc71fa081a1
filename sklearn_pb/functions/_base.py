"""The contract of every pseudo-Boolean function."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from ..exceptions import ObjectiveError
from ._flips import (
    EvaluatedNeighbourhood,
    EvaluatedSweep,
    Neighbourhood,
    NeighbourhoodSweep,
    Sweep,
    as_replicas,
)


class PseudoBooleanFunction(ABC):
    """A function J from {0, 1}^d to the real numbers, to be minimised.

    A subclass sets `n_variables` and implements `_evaluate`. If the formula also
    makes sense, and is differentiable, for points of [0, 1]^d, it sets
    `relaxable` to True: methods that need a gradient of J then accept it.

    Attributes
    ----------
    n_variables : int
        The number d of binary variables.
    relaxable : bool
        Whether J accepts points of [0, 1]^d and carries gradients through them.

    Notes
    -----
    Classical searches ask for a `neighbourhood` or a `sweep`: replicas of a point that
    know what each flip would change. Both work for any function, by evaluating it; one
    that can say more cheaply overrides `_neighbourhood`, or `_sweep`, or both.
    ``to_quadratic()`` gives an equal `QuadraticFunction` and ``to_polynomial()`` an
    equal `PolynomialFunction`, where there is one.
    """

    n_variables: int
    relaxable: bool = False

    @abstractmethod
    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        """Costs (n,) of the rows of a checked (n, d) floating point tensor."""

    def __call__(self, Z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Evaluate J on each row.

        Parameters
        ----------
        Z : torch.Tensor or numpy.ndarray of shape (n, n_variables)
            Points of {0, 1}^d, or of [0, 1]^d where the function is relaxable.

        Returns
        -------
        costs : torch.Tensor of shape (n,)
            One cost a row, on the device of Z.

        Raises
        ------
        ValueError
            If Z does not have `n_variables` columns.
        ObjectiveError
            If the function did not give one finite cost a row.
        """
        Z = torch.as_tensor(Z)
        if Z.ndim != 2 or Z.shape[1] != self.n_variables:
            raise ValueError(
                f"Z has shape {tuple(Z.shape)}, but {type(self).__name__} takes "
                f"(n, {self.n_variables})."
            )
        if not Z.is_floating_point():
            Z = Z.to(torch.get_default_dtype())
        costs = self._evaluate(Z)
        self._check_costs(costs, Z.shape[0])
        return costs

    @property
    def points_dtype(self) -> torch.dtype | None:
        """The dtype in which a search must give points, or None if any will do.

        A function that takes any is taken to know its costs in float64 when its points
        are; one that is made for one precision overrides this.
        """
        return None

    @property
    def initial_probabilities(self) -> np.ndarray | None:
        """Where a search without a warm start begins, or None if any point is as good.

        The probability of a one for each variable, an array (n_variables,). A function
        whose good points are known to be unlike a draw by coin, with very few ones for
        example, overrides this; it is also where searches go that start again.
        """
        return None

    @property
    def has_flips(self) -> bool:
        """Whether changes of the cost by a flip are cheaper than evaluations."""
        base = PseudoBooleanFunction
        return (
            type(self)._neighbourhood is not base._neighbourhood
            or type(self)._sweep is not base._sweep
        )

    def neighbourhood(self, points: np.ndarray | torch.Tensor) -> Neighbourhood:
        """Return replicas that know the change of cost of every flip.

        Parameters
        ----------
        points : array-like of shape (R, n_variables) or (n_variables,)
            Where the replicas start.

        Returns
        -------
        neighbourhood : Neighbourhood
            Its `deltas` has shape (R, n_variables).
        """
        return self._neighbourhood(as_replicas(points, self.n_variables))

    def sweep(self, points: np.ndarray | torch.Tensor) -> Sweep:
        """Return replicas whose variables are visited class by class.

        Parameters
        ----------
        points : array-like of shape (R, n_variables) or (n_variables,)
            Where the replicas start.

        Returns
        -------
        sweep : Sweep
            Its `classes` are sets of variables without a common term.
        """
        return self._sweep(as_replicas(points, self.n_variables))

    def _neighbourhood(self, points: np.ndarray) -> Neighbourhood:
        return EvaluatedNeighbourhood(self, points)

    def _sweep(self, points: np.ndarray) -> Sweep:
        if self.has_flips:
            return NeighbourhoodSweep(self.neighbourhood(points))
        return EvaluatedSweep(self, points)

    @property
    def _label(self) -> str:
        """How error messages call this function."""
        return type(self).__name__

    def _check_costs(self, costs: torch.Tensor, n: int) -> None:
        if tuple(costs.shape) != (n,):
            raise ObjectiveError(
                f"{self._label} returned costs of shape {tuple(costs.shape)} "
                f"for {n} rows; it must return shape ({n},)."
            )
        if not torch.isfinite(costs).all():
            bad = int((~torch.isfinite(costs)).nonzero()[0, 0])
            raise ObjectiveError(
                f"{self._label} returned the cost {costs[bad].item()} for row "
                f"{bad}; costs must be finite (price infeasible points with a large "
                "finite number)."
            )
