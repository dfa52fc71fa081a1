"""Binary quadratic models of dimod, to and from."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from ._base import PseudoBooleanFunction
from ._quadratic import QuadraticFunction


def to_bqm(function: PseudoBooleanFunction) -> Any:
    """Return a quadratic function as a dimod model.

    Parameters
    ----------
    function : PseudoBooleanFunction
        A `QuadraticFunction`, or one with ``to_quadratic()``.

    Returns
    -------
    bqm : dimod.BinaryQuadraticModel
        With vartype BINARY and the variables 0, ..., d - 1.

    Raises
    ------
    ImportError
        If dimod is not installed.
    TypeError
        If the function is not quadratic.
    """
    dimod = _import_dimod()
    if not hasattr(function, "to_quadratic"):
        raise TypeError(
            f"function must have to_quadratic(), but {type(function).__name__} has "
            "not; see quadratize."
        )
    quadratic = function.to_quadratic()
    Q = quadratic.Q.double()
    pairs = sparse.triu(_as_scipy(Q), 1).tocoo()
    # Q is symmetric, so a pair occurs twice in z'Qz.
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        quadratic.linear.double().numpy(),
        (pairs.row, pairs.col, 2 * pairs.data),
        quadratic.constant,
        dimod.BINARY,
    )


def from_bqm(bqm: Any) -> QuadraticFunction:
    """Return a dimod model as a quadratic function.

    Parameters
    ----------
    bqm : dimod.BinaryQuadraticModel
        Of either vartype; a spin s becomes 2 z - 1.

    Returns
    -------
    function : QuadraticFunction
        Its variable i is ``list(bqm.variables)[i]``.

    Raises
    ------
    ImportError
        If dimod is not installed.
    TypeError
        If `bqm` is no binary quadratic model.
    ValueError
        If it has no variables.
    """
    dimod = _import_dimod()
    if not isinstance(bqm, dimod.BinaryQuadraticModel):
        raise TypeError(
            f"bqm must be a dimod.BinaryQuadraticModel, got {type(bqm).__name__}."
        )
    d = bqm.num_variables
    if d == 0:
        raise ValueError("bqm has no variables; a function needs at least one.")
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    vectors = binary.to_numpy_vectors(variable_order=list(bqm.variables))
    linear, (rows, columns, values) = vectors[0], vectors[1]
    data = np.asarray(values, np.float64), (rows, columns)
    Q = sparse.coo_array(data, shape=(d, d))
    return QuadraticFunction(Q, np.asarray(linear, np.float64), float(binary.offset))


def _as_scipy(Q: torch.Tensor) -> sparse.csr_array:
    if Q.layout == torch.strided:
        return sparse.csr_array(Q.numpy())
    parts = (part.numpy() for part in (Q.values(), Q.col_indices(), Q.crow_indices()))
    return sparse.csr_array(tuple(parts), shape=tuple(Q.shape))


def _import_dimod() -> Any:
    try:
        import dimod
    except ImportError as error:
        raise ImportError(
            "Models of dimod need the package dimod: pip install dimod."
        ) from error
    return dimod
