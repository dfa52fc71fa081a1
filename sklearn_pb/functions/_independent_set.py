"""Maximum independent set, and the repair that makes any point a set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from ._flips import as_replicas
from ._graphs import as_weights
from ._quadratic import QuadraticFunction


class IndependentSet(QuadraticFunction):
    """J(z) = -(sum_i z_i - sum over edges z_i z_j).

    Its minimum is minus the size of the largest set of nodes without an edge between
    them. A minimal z need not be such a set; `repair` makes one of it that is as large.

    Parameters
    ----------
    graph : array-like, sparse matrix, networkx graph, or iterable of tuples
        The graph: a square matrix that is not zero at edges, symmetric or triangular; a
        networkx graph, whose nodes are taken in its own order; or tuples (i, j). Each
        edge counts once, however often it is given, and weights do not matter.
    n_nodes : int, default=None
        Number of nodes, if `graph` holds edges; one more than the largest end if None.

    Raises
    ------
    ValueError
        If the graph is not one: not square, neither symmetric nor triangular, directed,
        with a loop, or with an end of an edge that is no node.

    Notes
    -----
    The largest clique of a graph is the largest independent set of its complement.

    References
    ----------
    Silva (2023), example 3; Boros and Hammer (2002), section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import IndependentSet
    >>> path = IndependentSet([(0, 1), (1, 2)])
    >>> path(torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]))
    tensor([-2., -1.])
    >>> path.repair([1, 1, 1])
    array([1, 0, 1], dtype=uint8)
    """

    def __init__(self, graph: Any, n_nodes: int | None = None) -> None:
        weights = as_weights(graph, "graph", n_nodes)
        if weights.diagonal().any():
            node = int(np.flatnonzero(weights.diagonal())[0])
            raise ValueError(
                f"graph has a loop at node {node}; remove it, or the node, which could "
                "be in no independent set."
            )
        edges = sparse.csr_array(weights != 0, dtype=np.float64)
        super().__init__(edges / 2, np.full(edges.shape[0], -1.0))

    def repair(self, z: np.ndarray | torch.Tensor | list) -> np.ndarray:
        """Return an independent set of at least -J(z) nodes.

        As long as there is an edge within the set, an end with the most of them is
        taken out: that lowers the first sum of J by 1 and the second by at least 1.
        Then nodes without a neighbour in the set are put in, those of a small degree
        first.

        Parameters
        ----------
        z : array-like of shape (n_variables,) or (n, n_variables)
            A point of {0, 1}^d, or several.

        Returns
        -------
        sets : numpy.ndarray of uint8, of the shape of z
            Ones for the nodes of the set.
        """
        points = as_replicas(z, self.n_variables)  # type: ignore[arg-type]
        edges = self._flip_terms.twice
        for point in points:
            _remove_conflicts(point, edges)
            _fill_up(point, edges)
        return points.reshape(np.shape(z))


def _remove_conflicts(point: np.ndarray, edges: sparse.csr_array) -> None:
    conflicts = edges @ point.astype(np.float64) * point
    while conflicts.any():
        worst = int(conflicts.argmax())
        point[worst] = 0
        conflicts[worst] = 0
        around = _neighbours(edges, worst)
        conflicts[around] -= point[around]


def _fill_up(point: np.ndarray, edges: sparse.csr_array) -> None:
    blocked = edges @ point.astype(np.float64) + point
    free = np.flatnonzero(blocked == 0)
    for node in free[np.argsort(np.diff(edges.indptr)[free], kind="stable")]:
        if not blocked[node]:
            point[node] = 1
            blocked[_neighbours(edges, node)] += 1


def _neighbours(edges: sparse.csr_array, node: int) -> np.ndarray:
    return edges.indices[edges.indptr[node] : edges.indptr[node + 1]]
