"""Functions given by the table of all their costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables, enumerate_points
from ._placement import PlacedTensors
from ._polynomial import PolynomialFunction

# Cells of the largest intermediate of the multilinear extension.
_CHUNK_CELLS = 2**22
# A polynomial has up to as many terms as the table has costs.
_MOST_POLYNOMIAL_VARIABLES = 20


class TabularFunction(PseudoBooleanFunction):
    """The function with the 2^d costs `values`.

    The cost of z is ``values[h]`` with h = sum_i z_i 2^i: bit i of h is variable i.
    At points of [0, 1]^d the function is its multilinear extension, which is the
    expected cost of independent Bernoulli variables with those probabilities
    (Silva, 2023, theorem 2), in O(2^d) time a row.

    Parameters
    ----------
    values : array-like of shape (2^d,)
        The costs, d >= 1.

    Attributes
    ----------
    n_variables : int
        The number d of binary variables.
    values : torch.Tensor of shape (2^d,)
        The costs in float64.

    Raises
    ------
    ValueError
        If the number of costs is not a power of two or a cost is not finite.

    Notes
    -----
    Costs are returned in the dtype of the points.

    References
    ----------
    Silva (2023), sections 2.1 and 4.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import TabularFunction
    >>> J = TabularFunction([0.0, 1.0, 2.0, 5.0])
    >>> J(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    tensor([1., 2., 2.])
    """

    relaxable = True

    def __init__(self, values: Sequence[float] | np.ndarray | torch.Tensor) -> None:
        if not isinstance(values, torch.Tensor):
            values = np.asarray(values, dtype=np.float64)
        table = torch.as_tensor(values).detach().to("cpu", torch.float64, copy=True)
        size = table.numel()
        if table.ndim != 1 or size < 2 or size & (size - 1):
            raise ValueError(
                "values must hold 2^d costs in one dimension with d >= 1, got shape "
                f"{tuple(table.shape)}."
            )
        if not torch.isfinite(table).all():
            bad = int((~torch.isfinite(table)).nonzero()[0, 0])
            raise ValueError(f"values must be finite, got values[{bad}] = {table[bad]}")
        self.n_variables = size.bit_length() - 1
        self._table = PlacedTensors(values=table)

    @property
    def values(self) -> torch.Tensor:
        """The 2^d costs in float64."""
        return self._table["values"]

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        values = self._table.like(Z)["values"]
        if not Z.requires_grad and bool(((Z == 0) | (Z == 1)).all()):
            return values[_numbers(Z)]
        rows = max(1, _CHUNK_CELLS // values.numel())
        return torch.cat([_multilinear(values, part) for part in Z.split(rows)])

    def flip_deltas(self, z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Return the changes of the cost when one variable is flipped.

        Parameters
        ----------
        z : torch.Tensor or numpy.ndarray of shape (n_variables,)
            A point of {0, 1}^d.

        Returns
        -------
        deltas : torch.Tensor of shape (n_variables,)
            J(z with variable i flipped) - J(z), in float64.
        """
        z = torch.as_tensor(z)
        values = self.values.to(z.device)
        number = _numbers(z[None])
        bits = 1 << torch.arange(self.n_variables, device=z.device)
        return values[number ^ bits] - values[number]

    def to_polynomial(self, tolerance: float = 1e-12) -> PolynomialFunction:
        """Return the equal polynomial, by the Moebius transform of the table.

        Parameters
        ----------
        tolerance : float, default=1e-12
            Weights that are at most so large, as a share of the largest absolute cost,
            are taken for rounding errors and left out.

        Returns
        -------
        function : PolynomialFunction
            With up to 2^d terms.

        Raises
        ------
        TypeError, ValueError
            If `tolerance` is no number of at least 0.
        ValueError
            If there are more than 20 variables.
        """
        check_number(tolerance, "tolerance", low=0)
        d = self.n_variables
        if d > _MOST_POLYNOMIAL_VARIABLES:
            raise ValueError(
                f"n_variables={d} makes up to 2^{d} terms; to_polynomial() takes at "
                f"most {_MOST_POLYNOMIAL_VARIABLES} variables."
            )
        weights = self.values.numpy().copy()
        for i in range(d):
            pairs = weights.reshape(-1, 2, 2**i)
            pairs[:, 1] -= pairs[:, 0]
        least = tolerance * float(self.values.abs().max())
        numbers = np.flatnonzero(np.abs(weights) > least).tolist()
        terms = {
            tuple(i for i in range(d) if number >> i & 1): weights[number]
            for number in numbers
        }
        return PolynomialFunction(terms, d)


def _numbers(Z: torch.Tensor) -> torch.Tensor:
    """Places of binary rows in the table."""
    shifts = torch.arange(Z.shape[1], device=Z.device)
    return (Z.long() << shifts).sum(1)


def _multilinear(values: torch.Tensor, Z: torch.Tensor) -> torch.Tensor:
    """Halve the table once a variable, the highest bit first."""
    table = values.expand(Z.shape[0], -1)
    for i in reversed(range(Z.shape[1])):
        half = table.shape[1] // 2
        # lerp is exact at both ends, so binary points give the table's own costs.
        table = torch.lerp(table[:, :half], table[:, half:], Z[:, i : i + 1])
    return table[:, 0]


def tabulate(
    function: PseudoBooleanFunction, max_variables: int = 20
) -> TabularFunction:
    """Return the table of any pseudo-Boolean function.

    The table gives the exact minimum, and the exact expected cost and its gradient
    for independent Bernoulli variables.

    Parameters
    ----------
    function : PseudoBooleanFunction
        The function, evaluated at all of its 2^d points in float64.
    max_variables : int, default=20
        The largest d that is accepted.

    Returns
    -------
    table : TabularFunction
        Equal to `function` on {0, 1}^d.

    Raises
    ------
    ValueError
        If the function has more than `max_variables` variables.

    Examples
    --------
    >>> from sklearn_pb.functions import BlackBoxFunction, tabulate
    >>> J = BlackBoxFunction(lambda Z: (Z.sum(1) - 1) ** 2, n_variables=2)
    >>> tabulate(J).values
    tensor([1., 0., 0., 1.], dtype=torch.float64)
    """
    d = check_n_variables(function.n_variables)
    if d > max_variables:
        raise ValueError(
            f"{type(function).__name__} has n_variables={d}; tabulating its 2^{d} "
            f"costs is beyond max_variables={max_variables}."
        )
    with torch.no_grad():
        chunks = enumerate_points(d, dtype=torch.float64)
        costs = [function(points).double() for points in chunks]
    return TabularFunction(torch.cat(costs))
