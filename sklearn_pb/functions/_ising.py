"""Ising models, and QUBOs as a mapping: other ways to write a quadratic function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse

from ..utils import check_number
from ._graphs import as_weights, is_graph
from ._quadratic import QuadraticFunction


def from_ising(h: Any, J: Any = None, constant: float = 0.0) -> QuadraticFunction:
    """Return the function with the energies of an Ising model.

    The energy of spins s in {-1, 1}^d is sum_i h_i s_i + sum_(i, j) J_ij s_i s_j +
    constant, with spins s = 2z - 1: a variable that is 1 is a spin up.

    Parameters
    ----------
    h : array-like of shape (d,), or mapping of int to float
        The fields. Spins that a mapping leaves out have none. Beside a graph, the keys
        of a mapping are its nodes.
    J : array-like or sparse matrix of shape (d, d), mapping or graph, default=None
        The couplings. Every entry counts once: J_ij and J_ji add up, and J_ii, as
        s_i^2 = 1, is a constant. A mapping is of pairs (i, j). A networkx graph has the
        coupling 1 for an edge without "weight"; its nodes are spins in its own order.
    constant : float, default=0.0
        Is added to every energy.

    Returns
    -------
    function : QuadraticFunction
        Sparse if the couplings are a mapping, a graph or sparse.

    Raises
    ------
    ValueError
        If shapes do not fit, an index is negative, or a number is not finite.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import from_ising
    >>> energy = from_ising([0.5, 0.0], {(0, 1): -1.0})
    >>> energy(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    tensor([-1.5000,  1.5000])
    """
    if is_graph(J):
        h, J = _numbered(h, J), sparse.triu(as_weights(J, "J"))
    without_fields = isinstance(h, Mapping) and not h and J is not None
    d = max(0 if without_fields else _size(h, "h", 1), _size(J, "J", 2))
    fields = _vector(h, d)
    couplings: Any = sparse.csr_array((d, d)) if J is None else _matrix(J, "J", d)
    check_number(constant, "constant")
    # s_i s_j = 4 z_i z_j - 2 z_i - 2 z_j + 1. The diagonal becomes 4 z_i - 4 z_i + 1.
    sums = np.asarray(couplings.sum(axis=0) + couplings.sum(axis=1)).reshape(-1)
    return QuadraticFunction(
        4.0 * couplings,
        2.0 * fields - 2.0 * sums,
        constant - float(fields.sum()) + float(couplings.sum()),
    )


def to_ising(
    function: QuadraticFunction,
) -> tuple[np.ndarray, sparse.csr_array, float]:
    """Return the Ising model with the costs of a quadratic function as energies.

    Parameters
    ----------
    function : QuadraticFunction
        The function; or any other with ``to_quadratic()``.

    Returns
    -------
    h : numpy.ndarray of float64, shape (d,)
        The fields.
    J : scipy.sparse.csr_array of float64, shape (d, d)
        The couplings, strictly upper triangular.
    constant : float
        What is added to every energy; spins are s = 2z - 1.

    Examples
    --------
    >>> from sklearn_pb.functions import QuadraticFunction, to_ising
    >>> h, J, constant = to_ising(QuadraticFunction([[0.0, 4.0], [0.0, -2.0]]))
    >>> h, J.toarray()[0], constant
    (array([1., 0.]), array([0., 1.]), 0.0)
    """
    quadratic = function.to_quadratic()
    terms = quadratic._flip_terms
    pairs = sparse.csr_array(sparse.triu(terms.twice, 1)) / 4
    h = terms.linear / 2 + np.asarray(terms.twice.sum(axis=1)).reshape(-1) / 4
    constant = terms.constant + terms.linear.sum() / 2 + pairs.sum()
    return h, pairs, float(constant)


def from_qubo(
    terms: Mapping[tuple[int, int], float] | Any,
    n_variables: int | None = None,
    constant: float = 0.0,
) -> QuadraticFunction:
    """Return the function of a QUBO that is written as a mapping or a graph.

    Parameters
    ----------
    terms : mapping of (int, int) to float, or networkx graph
        J(z) = sum over (i, j) of terms[i, j] z_i z_j + constant. Pairs (i, i) are the
        linear terms, and (i, j) and (j, i) add up. An edge of a graph is a term with
        its "weight", or 1; a loop is a linear term. Its nodes are variables in its own
        order.
    n_variables : int, default=None
        The number d of variables; one more than the largest index if None.
    constant : float, default=0.0
        The cost of the point 0.

    Returns
    -------
    function : QuadraticFunction
        With a sparse Q.

    Raises
    ------
    ValueError
        If an index is out of range or a number is not finite.
    TypeError
        If a key is not a pair of integers.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import from_qubo
    >>> J = from_qubo({(0, 0): -1.0, (0, 1): 2.0})
    >>> J(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    tensor([-1.,  1.])
    """
    if is_graph(terms):
        return _from_graph(terms, n_variables, constant)
    size = _size(terms, "terms", 2)
    if n_variables is not None:
        check_number(n_variables, "n_variables", low=max(1, size), integer=True)
        size = n_variables
    return QuadraticFunction(_matrix(terms, "terms", size), constant=constant)


def _from_graph(
    graph: Any, n_variables: int | None, constant: float
) -> QuadraticFunction:
    if n_variables not in (None, len(graph.nodes)):
        raise ValueError(
            f"n_variables={n_variables!r}, but the graph has {len(graph.nodes)} nodes; "
            "leave it out."
        )
    return QuadraticFunction(sparse.triu(as_weights(graph, "terms")), constant=constant)


def _numbered(h: Any, graph: Any) -> Any:
    """Fields of the nodes of a graph, by their numbers."""
    if not isinstance(h, Mapping):
        return h
    number = {node: i for i, node in enumerate(graph.nodes)}
    for node in h:
        if node not in number:
            raise ValueError(f"h has the key {node!r}, which is no node of the graph.")
    return {number[node]: field for node, field in h.items()}


def _size(values: Any, name: str, n_indices: int) -> int:
    """The number of variables that a vector, a matrix or a mapping is about."""
    if values is None:
        return 0
    if not isinstance(values, Mapping):
        shape = np.shape(values)
        if len(shape) != n_indices or len(set(shape)) != 1:
            wanted = "(d,)" if n_indices == 1 else "(d, d)"
            raise ValueError(f"{name} has shape {shape}; it must be {wanted}.")
        return shape[0]
    largest = -1
    for key in values:
        indices = (key,) if n_indices == 1 else key
        if not isinstance(indices, tuple) or len(indices) != n_indices:
            raise TypeError(f"{name} has the key {key!r}; it must be a pair (i, j).")
        for index in indices:
            check_number(index, f"an index of {name}", low=0, integer=True)
            largest = max(largest, index)
    if largest < 0:
        raise ValueError(f"{name} is empty, so the number of variables is unknown.")
    return largest + 1


def _vector(values: Any, d: int) -> np.ndarray:
    vector = np.zeros(d)
    if isinstance(values, Mapping):
        vector[list(values)] = list(values.values())
    else:
        given = np.asarray(values, np.float64)
        vector[: len(given)] = given
    if not np.isfinite(vector).all():
        raise ValueError("h must be finite, got NaN or infinity in it.")
    return vector


def _matrix(values: Any, name: str, d: int) -> Any:
    if isinstance(values, Mapping):
        for pair, weight in values.items():
            check_number(weight, f"{name}[{pair!r}]")
        rows, columns = zip(*values, strict=True)
        data = np.fromiter(values.values(), np.float64, len(values))
        return sparse.csr_array(sparse.coo_array((data, (rows, columns)), (d, d)))
    matrix = values if sparse.issparse(values) else np.asarray(values, np.float64)
    if matrix.shape != (d, d):
        raise ValueError(f"{name} has shape {matrix.shape}, but there are {d} spins.")
    return sparse.csr_array(matrix) if sparse.issparse(matrix) else matrix
