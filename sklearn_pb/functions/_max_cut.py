"""Maximum cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ._graphs import as_weights
from ._quadratic import QuadraticFunction


class MaxCut(QuadraticFunction):
    """Minus the weight of the edges between the nodes with z = 0 and those with z = 1.

    Parameters
    ----------
    weights : array-like, sparse matrix, networkx graph, mapping or iterable of tuples
        The graph: a square matrix of weights, symmetric or triangular; a networkx
        graph, whose nodes are taken in its own order; a mapping from pairs (i, j) to
        weights; or tuples (i, j) and (i, j, weight). Weights of equal edges add up, an
        edge without a weight weighs 1, loops do not matter.
    n_nodes : int, default=None
        Number of nodes, if `weights` holds edges; one more than the largest end if
        None.

    Raises
    ------
    ValueError
        If the graph is not one: not square, neither symmetric nor triangular, directed,
        or with an end of an edge that is no node.

    Notes
    -----
    J(z) = sum over edges w_ij (2 z_i z_j - z_i - z_j).

    References
    ----------
    Silva (2023), section 2.2; Boros and Hammer (2002), section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import MaxCut
    >>> triangle = MaxCut([(0, 1), (1, 2), (0, 2, 5.0)])
    >>> triangle(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    tensor([-6., 0.])
    """

    def __init__(self, weights: Any, n_nodes: int | None = None) -> None:
        matrix = without_loops(as_weights(weights, "weights", n_nodes))
        super().__init__(*cut_terms(matrix, -1.0))


def without_loops(weights: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with a zero diagonal.

    Parameters
    ----------
    weights : scipy.sparse.csr_array of shape (d, d)
        Symmetric weights.

    Returns
    -------
    weights : scipy.sparse.csr_array of shape (d, d)
        Without the weights of loops, which no cut contains.
    """
    matrix = sparse.csr_array(weights - sparse.diags_array(weights.diagonal()))
    matrix.eliminate_zeros()
    return matrix


def cut_terms(
    weights: sparse.csr_array, sign: float
) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the terms of the weight of a cut, times a sign.

    Parameters
    ----------
    weights : scipy.sparse.csr_array of shape (d, d)
        Symmetric, with a zero diagonal.
    sign : float
        What the weight is multiplied by.

    Returns
    -------
    Q : scipy.sparse.csr_array of shape (d, d)
        The pairwise terms.
    linear : numpy.ndarray of shape (d,)
        The linear terms.
    """
    return weights * -sign, sign * np.asarray(weights.sum(axis=1)).reshape(-1)
