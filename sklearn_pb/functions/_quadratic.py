"""Quadratic pseudo-Boolean functions, dense or sparse."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ..utils import check_number
from ._base import PseudoBooleanFunction
from ._flips import Neighbourhood, Sweep
from ._graphs import is_graph
from ._placement import PlacedTensors
from ._quadratic_flips import QuadraticSweep, quadratic_neighbourhood
from ._quadratic_terms import QuadraticTerms


class QuadraticFunction(PseudoBooleanFunction):
    """J(z) = z'Qz + linear'z + constant.

    As z_i^2 = z_i, the diagonal of Q is part of the linear term; Q is also made
    symmetric. So the function on [0, 1]^d is the multilinear extension: the expected
    cost of independent Bernoulli variables.

    Parameters
    ----------
    Q : array-like, torch.Tensor or scipy sparse matrix of shape (d, d)
        Pairwise costs; need not be symmetric. A sparse Q is never made dense.
    linear : array-like of shape (d,), default=None
        Costs of single variables; zeros if None.
    constant : float, default=0.0
        Cost of the point 0.

    Attributes
    ----------
    n_variables : int
        The number d of binary variables.
    Q : torch.Tensor of shape (d, d)
        The symmetric matrix with a zero diagonal; in CSR layout if it was sparse.
    linear : torch.Tensor of shape (d,)
        The linear term, with the diagonal of Q in it.
    constant : float
        The cost of the point 0.

    Raises
    ------
    ValueError
        If Q is not square, `linear` does not have d entries, or a coefficient is
        not finite.
    TypeError
        If a coefficient is not a real number.

    Notes
    -----
    Costs are computed in the dtype of the points: pass float64 points for costs
    that are to be reported. Coefficients keep their own floating point dtype, the
    wider one if Q and `linear` differ; integers become float64. Changes of cost by
    flips are exact for integers: `sweep` and `neighbourhood` compute them in a narrower
    dtype only where every sum is exact in it, and keep costs in float64.

    References
    ----------
    Silva (2023), section 2.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]], constant=0.5)
    >>> J(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    tensor([ 1.5000, -0.5000])
    >>> J.flip_deltas(torch.tensor([1.0, 0.0]))
    tensor([-1., -2.])
    """

    relaxable = True

    def __init__(self, Q: Any, linear: Any = None, constant: float = 0.0) -> None:
        matrix, diagonal = _split(_as_matrix(Q))
        d = matrix.shape[0]
        vector = diagonal
        if linear is not None:
            given = _as_real_tensor(linear, "linear")
            if tuple(given.shape) != (d,):
                raise ValueError(
                    f"linear has shape {tuple(given.shape)}, but Q has shape "
                    f"({d}, {d}): linear must have shape ({d},)."
                )
            vector = diagonal + given
        check_number(constant, "constant")
        self.n_variables = d
        self.constant = float(constant)
        parts = _parts(matrix.to(vector.dtype))
        self._terms = PlacedTensors(linear=vector, **parts)

    @property
    def Q(self) -> torch.Tensor:
        """The symmetric pairwise costs, zero on the diagonal."""
        return self._matrix(self.linear)

    @property
    def linear(self) -> torch.Tensor:
        """The costs of single variables."""
        return self._terms["linear"]

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        linear = self._terms.like(Z)["linear"]
        field = _SymmetricProduct.apply(Z, self._matrix(Z)) + linear
        return (field * Z).sum(1) + self.constant

    def _matrix(self, points: torch.Tensor) -> torch.Tensor:
        """Q in the dtype and on the device of the points."""
        terms = self._terms.like(points)
        if "rows" not in terms:
            return terms["entries"]
        return _csr(terms["rows"], terms["columns"], terms["entries"])

    def flip_deltas(self, z: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Return the changes of the cost when one variable is flipped.

        Parameters
        ----------
        z : torch.Tensor or numpy.ndarray of shape (n_variables,)
            A point of {0, 1}^d.

        Returns
        -------
        deltas : torch.Tensor of shape (n_variables,)
            J(z with variable i flipped) - J(z), which is
            (1 - 2 z_i) (2 (Qz)_i + linear_i).

        Raises
        ------
        ValueError
            If z does not have `n_variables` entries.
        """
        z = torch.as_tensor(z)
        if tuple(z.shape) != (self.n_variables,):
            raise ValueError(
                f"z has shape {tuple(z.shape)}, but must have shape "
                f"({self.n_variables},)."
            )
        if not z.is_floating_point():
            z = z.to(self.linear.dtype)
        pairwise = _SymmetricProduct.apply(z[None], self._matrix(z))[0]
        return (1 - 2 * z) * (2 * pairwise + self._terms.like(z)["linear"])

    @cached_property
    def _flip_terms(self) -> QuadraticTerms:
        Q = self.Q
        if Q.layout == torch.strided:
            twice: Any = sparse.csr_array(2.0 * Q.numpy().astype(np.float64))
        else:
            entries = 2.0 * Q.values().numpy().astype(np.float64)
            places = Q.col_indices().numpy(), Q.crow_indices().numpy()
            twice = sparse.csr_array((entries, *places), tuple(Q.shape))
        return QuadraticTerms(twice, self.linear.numpy().astype(float), self.constant)

    def _neighbourhood(self, points: np.ndarray) -> Neighbourhood:
        return quadratic_neighbourhood(self._flip_terms, points)

    def _sweep(self, points: np.ndarray) -> Sweep:
        return QuadraticSweep(self._flip_terms, points)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_flip_terms", None)
        return state

    def to_quadratic(self) -> QuadraticFunction:
        """Return this function.

        Returns
        -------
        function : QuadraticFunction
            The function itself.
        """
        return self


class _SymmetricProduct(torch.autograd.Function):
    """Z @ Q for a constant symmetric Q, whose backward is the same product.

    Torch's own backward of a sparse product would transpose Q.
    """

    @staticmethod
    def forward(ctx: Any, Z: torch.Tensor, Q: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(Q)
        return Z @ Q if Q.layout == torch.strided else (Q @ Z.T).T

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (Q,) = ctx.saved_tensors
        return _SymmetricProduct.apply(gradient, Q), None


def _as_real_tensor(values: Any, name: str) -> torch.Tensor:
    try:
        # By way of numpy, as torch would read a list of numbers in single precision.
        if not isinstance(values, torch.Tensor):
            values = np.asarray(values)
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name} must hold real numbers, got {values!r}.") from error
    if tensor.is_complex():
        raise TypeError(f"{name} must hold real numbers, got dtype {tensor.dtype}.")
    tensor = tensor.detach().cpu()
    tensor = tensor if tensor.is_floating_point() else tensor.double()
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity in it.")
    return tensor


def _as_matrix(Q: Any) -> torch.Tensor | sparse.csr_array:
    """A dense tensor, or a scipy matrix of floats with finite entries."""
    if isinstance(Q, Mapping):
        raise TypeError(
            "Q is a mapping; give a matrix, or call from_qubo(Q), or "
            "PolynomialFunction(Q) if it has terms of any degree."
        )
    if is_graph(Q):
        raise TypeError(
            "Q is a graph; call from_qubo(Q) for a term an edge, or from_ising({}, Q)."
        )
    if isinstance(Q, torch.Tensor) and Q.layout != torch.strided:
        Q = _torch_to_scipy(Q)
    if sparse.issparse(Q):
        matrix: Any = sparse.csr_array(Q)
        data = _as_real_tensor(matrix.data, "Q").numpy()
        matrix = sparse.csr_array((data, matrix.indices, matrix.indptr), Q.shape)
    else:
        matrix = _as_real_tensor(Q, "Q")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 1:
        raise ValueError(
            f"Q must be square with at least one row, got shape {tuple(matrix.shape)}."
        )
    return matrix


def _torch_to_scipy(Q: torch.Tensor) -> sparse.coo_array:
    entries = Q.detach().cpu().to_sparse_coo().coalesce()
    rows, columns = entries.indices().numpy()
    return sparse.coo_array((entries.values().numpy(), (rows, columns)), Q.shape)


def _split(matrix: torch.Tensor | sparse.csr_array) -> tuple[torch.Tensor, ...]:
    """Symmetric part without its diagonal, and the diagonal."""
    if isinstance(matrix, torch.Tensor):
        diagonal = torch.diagonal(matrix).clone()
        symmetric = (matrix + matrix.T) / 2
        return symmetric.fill_diagonal_(0.0), diagonal
    diagonal = torch.from_numpy(matrix.diagonal())
    # Subtracting keeps every entry that setdiag would have to insert out of the way.
    pairs = (matrix + matrix.T) / 2 - sparse.diags_array(matrix.diagonal())
    pairs = sparse.csr_array(pairs)
    pairs.eliminate_zeros()
    return _scipy_to_torch(pairs), diagonal


def _scipy_to_torch(matrix: sparse.csr_array) -> torch.Tensor:
    rows = torch.from_numpy(matrix.indptr.astype(np.int64))
    columns = torch.from_numpy(matrix.indices.astype(np.int64))
    return _csr(rows, columns, torch.from_numpy(matrix.data))


def _csr(
    rows: torch.Tensor, columns: torch.Tensor, entries: torch.Tensor
) -> torch.Tensor:
    _use_up_beta_warning()
    d = len(rows) - 1
    return torch.sparse_csr_tensor(rows, columns, entries, (d, d))


@cache
def _use_up_beta_warning() -> None:
    """Make torch say now, unheard, what it says once: that CSR is in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.eye(1).to_sparse_csr()
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1))


def _parts(matrix: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensors to store: those of a CSR matrix, as it cannot be deep-copied."""
    if matrix.layout == torch.strided:
        return {"entries": matrix}
    return {
        "rows": matrix.crow_indices(),
        "columns": matrix.col_indices(),
        "entries": matrix.values(),
    }
