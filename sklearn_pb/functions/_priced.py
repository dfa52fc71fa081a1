"""A function with a price of each one on top."""

from __future__ import annotations

import numpy as np
import torch

from ._base import PseudoBooleanFunction
from ._flips import Neighbourhood, Sweep
from ._polynomial import PolynomialFunction
from ._quadratic import QuadraticFunction


def with_price(function: PseudoBooleanFunction, price: float) -> PseudoBooleanFunction:
    """Return J(z) + price x (number of ones).

    Parameters
    ----------
    function : PseudoBooleanFunction
        J.
    price : float
        What each one costs.

    Returns
    -------
    function : PseudoBooleanFunction
        A `QuadraticFunction` if J is one; J itself if the price is 0.
    """
    if price == 0:
        return function
    if isinstance(function, QuadraticFunction):
        linear = function.linear + price
        return QuadraticFunction(function.Q, linear, function.constant)
    kind = PricedPolynomial if hasattr(function, "to_polynomial") else PricedFunction
    return kind(function, price)


class PricedFunction(PseudoBooleanFunction):
    """J(z) + price x (number of ones), for any J.

    Parameters
    ----------
    function : PseudoBooleanFunction
        J.
    price : float
        What each one costs.
    """

    def __init__(self, function: PseudoBooleanFunction, price: float) -> None:
        self.function = function
        self.price = price
        self.n_variables = function.n_variables
        self.relaxable = function.relaxable

    @property
    def points_dtype(self) -> torch.dtype | None:
        """That of J."""
        return self.function.points_dtype

    @property
    def initial_probabilities(self) -> np.ndarray | None:
        """Those of J."""
        return self.function.initial_probabilities

    @property
    def has_flips(self) -> bool:
        """Whether J knows its changes by a flip."""
        return self.function.has_flips

    @property
    def _label(self) -> str:
        return self.function._label

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        return self.function(Z) + self.price * Z.sum(dim=1)

    def _neighbourhood(self, points: np.ndarray) -> Neighbourhood:
        if not self.has_flips:
            return super()._neighbourhood(points)
        return _PricedNeighbourhood(self.function.neighbourhood(points), self.price)

    def _sweep(self, points: np.ndarray) -> Sweep:
        if not self.has_flips:
            return super()._sweep(points)
        return _PricedSweep(self.function.sweep(points), self.price)


class PricedPolynomial(PricedFunction):
    """J(z) + price x (number of ones), for a J that knows its terms.

    Parameters
    ----------
    function : PseudoBooleanFunction
        J, with ``to_polynomial()``.
    price : float
        What each one costs.
    """

    def to_polynomial(self) -> PolynomialFunction:
        """Return an equal polynomial.

        Returns
        -------
        polynomial : PolynomialFunction
            The terms of J and the price of each variable.
        """
        terms = dict(self.function.to_polynomial().terms)  # type: ignore[attr-defined]
        for i in range(self.n_variables):
            terms[(i,)] = terms.get((i,), 0.0) + self.price
        return PolynomialFunction(terms, self.n_variables)


class _PricedNeighbourhood(Neighbourhood):
    def __init__(self, inner: Neighbourhood, price: float) -> None:
        self._inner = inner
        self._price = price

    @property
    def points(self) -> np.ndarray:  # type: ignore[override]
        return self._inner.points

    @property
    def costs(self) -> np.ndarray:  # type: ignore[override]
        return self._inner.costs + self._price * self.points.sum(axis=1)

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        return self._inner.running_sums

    @property
    def deltas(self) -> np.ndarray:
        return self._inner.deltas + self._price * (1.0 - 2.0 * self.points)

    def flip(self, rows: np.ndarray, variables: np.ndarray) -> None:
        self._inner.flip(rows, variables)

    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        self._inner.place(rows, points)


class _PricedSweep(Sweep):
    def __init__(self, inner: Sweep, price: float) -> None:
        self.classes = inner.classes
        self._inner = inner
        self._price = price

    @property
    def points(self) -> np.ndarray:  # type: ignore[override]
        return self._inner.points

    @property
    def costs(self) -> np.ndarray:  # type: ignore[override]
        return self._inner.costs + self._price * self.points.sum(axis=0)

    @property
    def running_sums(self) -> tuple[np.ndarray, ...]:
        return self._inner.running_sums

    def deltas(self, k: int) -> np.ndarray:
        steps = 1.0 - 2.0 * self.points[self.classes[k]]
        return self._inner.deltas(k) + self._price * steps

    def flip(self, k: int, chosen: np.ndarray) -> None:
        self._inner.flip(k, chosen)

    def place(self, columns: np.ndarray, points: np.ndarray) -> None:
        self._inner.place(columns, points)
