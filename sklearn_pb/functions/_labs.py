"""Low autocorrelation binary sequences."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import pad

from ._base import PseudoBooleanFunction
from ._enumeration import check_n_variables
from ._flips import Neighbourhood
from ._polynomial import PolynomialFunction, Term, add_expanded

# Cells of the shifted copies of all points of a chunk.
_CHUNK_CELLS = 2**22


class LABS(PseudoBooleanFunction):
    """The energy sum_k C_k^2 of the aperiodic autocorrelations of a sequence.

    With spins s_i = 2 z_i - 1 and C_k = sum_i s_i s_{i+k}, k = 1, ..., n - 1. Low
    energies are rare and isolated: a hard problem for every search.

    Parameters
    ----------
    n : int
        The length of the sequence, at least 2.

    Attributes
    ----------
    n_variables : int
        The length n.

    Raises
    ------
    TypeError
        If `n` is no integer.
    ValueError
        If `n` is less than 2.

    Notes
    -----
    On [0, 1]^n the function is its multilinear extension, the expected energy of
    independent Bernoulli variables: in C_k^2 the squares of spins are taken as 1. That
    adds n - k - sum_i s_i^2 s_{i+k}^2 + 2 sum_i s_{i-k} s_{i+k} (1 - s_i^2) to it.
    An evaluation takes O(n^2) time; the changes of all n flips take O(n log n).

    The optimal energies of n = 10, 15, 20, 25, 30, 35 are 13, 15, 26, 36, 59, 73
    (Packebusch and Mertens, 2016).

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import LABS
    >>> LABS(4)(torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]))
    tensor([ 2., 14.])
    """

    relaxable = True

    def __init__(self, n: int) -> None:
        if check_n_variables(n) < 2:
            raise ValueError(f"n={n} must be at least 2.")
        self.n_variables = int(n)

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        chunk = max(1, _CHUNK_CELLS // self.n_variables**2)
        return torch.cat([self._energies(part) for part in Z.split(chunk)])

    def _energies(self, Z: torch.Tensor) -> torch.Tensor:
        n, spins = self.n_variables, 2 * Z - 1
        # Row k of the shifted copies is s_k, s_{k+1}, ..., 0, ..., 0.
        shifted = pad(spins, (0, n - 1)).unfold(1, n, 1)[:, 1:]
        energies = (shifted @ spins[:, :, None])[:, :, 0].square().sum(1)
        if not Z.requires_grad and bool(((Z == 0) | (Z == 1)).all()):
            return energies
        squares = spins.square()
        pairs = (squares.sum(1).square() - squares.square().sum(1)) / 2
        # Every second row of these holds s_{i-k} s_{i+k} for all k, and s_i^2.
        reversed_copies = pad(spins, (n - 1, n - 1)).unfold(1, n, 1)[:, ::2]
        around = (reversed_copies @ spins.flip(1)[:, :, None])[:, :, 0] - squares
        energies = energies - pairs + n * (n - 1) / 2
        return energies + (around * (1 - squares)).sum(1)

    def _neighbourhood(self, points: np.ndarray) -> _LabsNeighbourhood:
        return _LabsNeighbourhood(points)

    def to_polynomial(self) -> PolynomialFunction:
        """Return the equal polynomial, of degree 4.

        Returns
        -------
        function : PolynomialFunction
            With about n^3 / 3 monomials.
        """
        n = self.n_variables
        spins: dict[Term, float] = {}
        for k in range(1, n):
            for i in range(n - k):
                for j in range(n - k):
                    # A spin that occurs twice is 1.
                    term = tuple(sorted({i, i + k} ^ {j, j + k}))
                    spins[term] = spins.get(term, 0.0) + 1.0
        terms: dict[Term, float] = {}
        for term, weight in spins.items():
            add_expanded(terms, weight, [(i, -1.0, 2.0) for i in term])
        return PolynomialFunction(terms, n)


class _LabsNeighbourhood(Neighbourhood):
    """All changes of the energy, computed afresh by fast Fourier transforms.

    A flip of s_i changes C_k by -2 s_i (s_{i-k} + s_{i+k}), and so the energy by
    -4 s_i sum_{j != i} C_|i-j| s_j + 4 sum_k (s_{i-k} + s_{i+k})^2. With S the
    transform of s, |S|^2 is that of C, and S^2 that of all sum_k s_{i-k} s_{i+k}.
    """

    def __init__(self, points: np.ndarray) -> None:
        super().__init__(points)
        self.costs = np.zeros(len(points))
        self._deltas = np.zeros(points.shape)
        self._compute(np.arange(len(points)))

    @property
    def deltas(self) -> np.ndarray:
        """The changes of cost."""
        return self._deltas

    def flip(self, rows: np.ndarray, variables: np.ndarray) -> None:
        """Flip one variable in some of the replicas."""
        self.points[rows, variables] ^= 1
        self._compute(rows)

    def place(self, rows: np.ndarray, points: np.ndarray) -> None:
        """Put replicas elsewhere."""
        self.points[rows] = points
        self._compute(rows)

    def _compute(self, rows: np.ndarray) -> None:
        n = self.points.shape[1]
        spins = 2.0 * self.points[rows] - 1.0
        # Twice the length keeps the ends of the sequence apart.
        transform = np.fft.rfft(spins, 2 * n)
        power = transform.real**2 + transform.imag**2 - n  # without C_0
        stack = np.stack([power, transform * power, transform**2])
        # All of these are integers, so that rounding makes them exact.
        found = np.rint(np.fft.irfft(stack, 2 * n))
        self.costs[rows] = np.square(found[0, :, 1:n]).sum(1)
        around = (found[2, :, : 2 * n : 2] - 1) / 2
        self._deltas[rows] = 4 * (n - 1) + 8 * around - 4 * spins * found[1, :, :n]
