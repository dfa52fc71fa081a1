"""Sums of one curve over the variables: where extrapolation is put to the test."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from scipy import sparse

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables
from ._quadratic import QuadraticFunction


class _SeparableFunction(PseudoBooleanFunction):
    """J(z) = sum_i f(z_i): linear on {0, 1}^d, anything in between."""

    relaxable = True

    def __init__(self, n_variables: int = 1) -> None:
        self.n_variables = check_n_variables(n_variables)

    @abstractmethod
    def _curve(self, z: torch.Tensor) -> torch.Tensor:
        """Values of f at each entry of a floating point tensor."""

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        return self._curve(Z).sum(1)

    def _ends(self) -> tuple[float, float]:
        """f(0) and f(1)."""
        ends = self._curve(torch.tensor([0.0, 1.0], dtype=torch.float64))
        return float(ends[0]), float(ends[1])

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
        at_zero, at_one = self._ends()
        return (1 - 2 * torch.as_tensor(z).double()) * (at_one - at_zero)

    def to_quadratic(self) -> QuadraticFunction:
        """Return the linear function with the same costs on {0, 1}^d.

        Returns
        -------
        function : QuadraticFunction
            Its relaxation is the multilinear extension, unlike that of this function.
        """
        at_zero, at_one = self._ends()
        d = self.n_variables
        nothing = sparse.csr_array((d, d), dtype=np.float64)
        return QuadraticFunction(
            nothing, np.full(d, at_one - at_zero), constant=d * at_zero
        )


class SteepBarriers(_SeparableFunction):
    """A curve that falls towards the wrong end, but for two steep barriers.

    With d = 1, J(0) = -1 and J(1) = 1. The slope is -2, which points to z = 1,
    everywhere but on [0.125, 0.13) and [0.87, 0.875), where it is 398. A
    continuation from z = 0.5 ends at the solution only if its learning rate is large
    enough to be thrown back by the second barrier beyond the first, and not so large
    that it steps over the second.

    Parameters
    ----------
    n_variables : int, default=1
        The number d of variables; the cost is the sum of the curve over them.

    Raises
    ------
    ValueError
        If `n_variables` is less than 1.

    References
    ----------
    Silva (2023), example 6 and figure 3.3a.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import SteepBarriers
    >>> SteepBarriers()(torch.tensor([[0.0], [0.5], [1.0]]))
    tensor([-1.,  0.,  1.])
    """

    _EDGES = (0.125, 0.13, 0.87, 0.875)
    _INTERCEPTS = (-1.0, -51.0, 1.0, -347.0, 3.0)
    _SLOPES = (-2.0, 398.0, -2.0, 398.0, -2.0)

    def _curve(self, z: torch.Tensor) -> torch.Tensor:
        at = z.detach().contiguous()
        piece = torch.bucketize(at, z.new_tensor(self._EDGES), right=True)
        slopes = z.new_tensor(self._SLOPES)[piece]
        return z.new_tensor(self._INTERCEPTS)[piece] + slopes * z


class MisleadingHill(_SeparableFunction):
    """A hill whose top lies left of the middle, and whose foot at 0 is lower.

    With d = 1, J(0) = 0 and J(1) = 1, with the top J(0.4) = 2 between them. The slope
    is negative from there on: gradient descent from any z > 0.4, and so from z = 0.5,
    goes to z = 1 whatever its learning rate is.

    Parameters
    ----------
    n_variables : int, default=1
        The number d of variables; the cost is the sum of the curve over them.

    Raises
    ------
    ValueError
        If `n_variables` is less than 1.

    References
    ----------
    Silva (2023), example 7 and figure 3.3b.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import MisleadingHill
    >>> MisleadingHill()(torch.tensor([[0.0], [0.4], [1.0]]))
    tensor([0., 2., 1.])
    """

    _TOP = 0.4

    def _curve(self, z: torch.Tensor) -> torch.Tensor:
        # 12.5 = 2 / 0.4^2 and 0.36 = 0.6^2; written so that both ends are exact.
        left = 2 * ((z - self._TOP) / self._TOP) ** 2
        right = ((z - self._TOP) / (1 - self._TOP)) ** 2
        return 2 - torch.where(z < self._TOP, left, right)


class QuadraticDistance(_SeparableFunction):
    """J(z) = sum_i (z_i - target)^2.

    With a target just below 1/2 the solution is 0 by a small margin, 1 - 2 target a
    variable. Relaxed, the least cost is at z = target: straight-through and Concrete
    gradients lead there instead of to the solution.

    Parameters
    ----------
    target : float, default=0.499
        The point that is nearest in [0, 1].
    n_variables : int, default=1
        The number d of variables.

    Raises
    ------
    ValueError
        If `n_variables` is less than 1 or `target` not a finite number.

    References
    ----------
    Tucker et al. (2017), section 5.1, with targets such as 0.45; Silva (2023),
    section 3.3, on what a relaxation may be outside of {0, 1}^d.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import QuadraticDistance
    >>> QuadraticDistance(0.25)(torch.tensor([[0.0], [0.25], [1.0]]))
    tensor([0.0625, 0.0000, 0.5625])
    """

    def __init__(self, target: float = 0.499, n_variables: int = 1) -> None:
        super().__init__(n_variables)
        check_number(target, "target")
        self.target = float(target)

    def _curve(self, z: torch.Tensor) -> torch.Tensor:
        return (z - self.target) ** 2
