"""Functions that mislead even the exact gradient of the expected cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables
from ._placement import PlacedTensors
from ._tabular import TabularFunction


class DeceptiveFunction(PseudoBooleanFunction):
    """The further from the solution the better, but for the solution itself.

    J(z) = m at the solution z*, and M0 - h dM / d at Hamming distance h >= 1 from it.
    So the second best point is 1 - z*, at cost M0 - dM, and nearly every difference
    between neighbours points to it. `points_to_solution` says where the gradient of
    the expected cost does not.

    Parameters
    ----------
    n_variables : int
        The number d of variables.
    m : float, default=-1.0
        Cost of the solution, less than M0 - dM.
    M0 : float, default=1.0
        What costs tend to near the solution.
    dM : float, default=1.0
        How much is gained by going all the way to 1 - z*, positive.
    solution : array-like of shape (n_variables,), default=None
        z*, made of zeros and ones; all ones if None.

    Attributes
    ----------
    n_variables : int
        The number d of variables.
    solution : torch.Tensor of shape (n_variables,)
        The only point of cost m.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or m is not below M0 - dM.
    TypeError
        If m, M0 or dM is not a number.

    Notes
    -----
    Relaxed points get the multilinear extension in O(d), that is E[J(z)] for
    independent z_i ~ Ber(theta_i): M0 - (dM / d) E[h] + (m - M0) prod_j p_j, where
    p_j is the probability that z_j is right. Its gradient is the exact one.

    References
    ----------
    Silva (2023), theorem 5, corollary 6 and table 4.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import DeceptiveFunction
    >>> J = DeceptiveFunction(3, m=-2.0, M0=3.0, dM=3.0)
    >>> J(torch.tensor([[1.0, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]]))
    tensor([-2.,  2.,  1.,  0.])
    """

    relaxable = True

    def __init__(
        self,
        n_variables: int,
        m: float = -1.0,
        M0: float = 1.0,
        dM: float = 1.0,
        *,
        solution: Any = None,
    ) -> None:
        self.n_variables = check_n_variables(n_variables)
        check_number(m, "m")
        check_number(M0, "M0")
        check_number(dM, "dM", low=0, low_open=True)
        if not m < M0 - dM:
            raise ValueError(
                f"m={m!r} must be less than M0 - dM = {M0 - dM!r}; otherwise the "
                "solution is not the only minimum."
            )
        self.m, self.M0, self.dM = float(m), float(M0), float(dM)
        self._points = PlacedTensors(solution=_as_bits(solution, self.n_variables))

    @property
    def solution(self) -> torch.Tensor:
        """The only point of cost m."""
        return self._points["solution"]

    def _right(self, Z: torch.Tensor) -> torch.Tensor:
        """Probability that each variable is that of the solution."""
        solution = self._points.like(Z)["solution"]
        return Z * solution + (1 - Z) * (1 - solution)

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        right = self._right(Z)
        distance = (1 - right).sum(1)
        away = self.M0 - distance * (self.dM / self.n_variables)
        return away + (self.m - self.M0) * right.prod(1)

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
        wrong = 1 - self._right(torch.as_tensor(z).double()[None])[0]
        # Going away from the solution costs less, except from the solution itself.
        deltas = (2 * wrong - 1) * (self.dM / self.n_variables)
        distance = int(wrong.sum())
        if distance == 0:
            deltas = deltas + (self.M0 - self.m)
        elif distance == 1:
            deltas = deltas + (self.m - self.M0) * wrong
        return deltas

    def largest_minimum(self, probabilities: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Return the right-hand side of the sign condition (4.20), the bound on m.

        Parameters
        ----------
        probabilities : torch.Tensor or numpy.ndarray of shape (n_variables,)
            theta, the probability of a one for each variable, in [0, 1].

        Returns
        -------
        bounds : torch.Tensor of shape (n_variables,)
            M0 - dM / (d prod_{j != i} p_j), in float64; minus infinity where the
            product is 0.

        Raises
        ------
        ValueError
            If there is not one probability in [0, 1] a variable.

        Notes
        -----
        It tends to minus infinity exponentially fast in d: where no variable is right
        with a probability above 1 - eps, it is at most M0 - dM / (d (1 - eps)^(d-1)),
        and equal to it where all p_j are 1 - eps (corollary 6, whose "if and only if"
        takes that case).
        """
        theta = _as_probabilities(probabilities, self.n_variables)
        others = _products_of_others(self._right(theta[None])[0])
        return self.M0 - self.dM / (self.n_variables * others)

    def points_to_solution(
        self, probabilities: torch.Tensor | np.ndarray
    ) -> torch.Tensor:
        """Say where the negative gradient of E[J] raises the solution's probability.

        Parameters
        ----------
        probabilities : torch.Tensor or numpy.ndarray of shape (n_variables,)
            theta, the probability of a one for each variable, in [0, 1].

        Returns
        -------
        agrees : torch.Tensor of bool, shape (n_variables,)
            Whether m is at most `largest_minimum`: the sign condition (4.20) of
            theorem 5, coordinate by coordinate. Where the probability that all other
            variables are right is 0, the theorem says nothing, and this says False.

        Raises
        ------
        ValueError
            If there is not one probability in [0, 1] a variable.

        Examples
        --------
        >>> import torch
        >>> from sklearn_pb.functions import DeceptiveFunction
        >>> J = DeceptiveFunction(8, m=-1.0)
        >>> J.points_to_solution(torch.full((8,), 0.6)).any()
        tensor(False)
        >>> J.points_to_solution(torch.full((8,), 0.7)).all()
        tensor(True)
        """
        return self.m <= self.largest_minimum(probabilities)


class SaddleFunction(TabularFunction):
    """Two equal solutions in opposite corners of the square.

    J(z) is `low` where z_1 and z_2 differ and `high` where they agree. At
    theta = (0.5, 0.5) the gradient of the expected cost is zero: descent on the exact
    gradient never leaves, and half of the samples cost `high`.

    Parameters
    ----------
    low : float, default=0.0
        The cost m of the solutions (1, 0) and (0, 1).
    high : float, default=1.0
        The cost M of (0, 0) and (1, 1), more than `low`.

    Raises
    ------
    ValueError
        If `low` is not less than `high`, or one of them not finite.
    TypeError
        If `low` or `high` is not a number.

    References
    ----------
    Silva (2023), example 9 and figure 4.4.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import SaddleFunction
    >>> theta = torch.tensor([[0.5, 0.5]], requires_grad=True)
    >>> cost = SaddleFunction()(theta)
    >>> cost.item(), torch.autograd.grad(cost.sum(), theta)[0].tolist()
    (0.5, [[0.0, 0.0]])
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        check_number(low, "low")
        check_number(high, "high")
        if not low < high:
            raise ValueError(f"low={low!r} must be less than high={high!r}.")
        super().__init__([high, low, low, high])


def _products_of_others(values: torch.Tensor) -> torch.Tensor:
    """Products of all entries but one, without dividing: entries may be zero."""
    one = torch.ones_like(values[:1])
    before = torch.cat([one, values.cumprod(0)[:-1]])
    after = torch.cat([values.flip(0).cumprod(0).flip(0)[1:], one])
    return before * after


def _as_bits(solution: Any, d: int) -> torch.Tensor:
    if solution is None:
        return torch.ones(d, dtype=torch.float64)
    bits = torch.as_tensor(np.asarray(solution, dtype=np.float64))
    if tuple(bits.shape) != (d,) or not bool(((bits == 0) | (bits == 1)).all()):
        raise ValueError(
            f"solution must hold n_variables={d} zeros and ones, got {solution!r}."
        )
    return bits


def _as_probabilities(probabilities: Any, d: int) -> torch.Tensor:
    theta = torch.as_tensor(probabilities).detach().double()
    if tuple(theta.shape) != (d,):
        raise ValueError(
            f"probabilities have shape {tuple(theta.shape)}, but must have shape "
            f"({d},)."
        )
    if not bool(((theta >= 0) & (theta <= 1)).all()):
        raise ValueError(f"probabilities must lie in [0, 1], got {theta.tolist()}.")
    return theta
