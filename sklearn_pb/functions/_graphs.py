"""Weighted graphs in the forms that people have them in, as one sparse matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ..utils import check_number


def as_weights(graph: Any, name: str, n_nodes: int | None = None) -> sparse.csr_array:
    """Return the symmetric weights of the edges of an undirected graph.

    Parameters
    ----------
    graph : array-like, sparse matrix, networkx graph, mapping or iterable of tuples
        A square matrix, symmetric or triangular; a networkx graph, whose nodes are
        taken in its own order and whose edges weigh 1 where they have no "weight"; a
        mapping from pairs (i, j) to weights; or edges (i, j) and (i, j, weight).
        Weights of equal edges add up.
    name : str
        How errors call the graph.
    n_nodes : int, default=None
        Number of nodes, for edges; one more than the largest end if None.

    Returns
    -------
    weights : scipy.sparse.csr_array of float64, shape (d, d)
        Each edge stands at (i, j) and (j, i). The diagonal holds loops.
    """
    if is_graph(graph):
        edges, n_nodes = _networkx_edges(graph, name), len(graph.nodes)
    elif isinstance(graph, Mapping):
        edges = [(*pair, weight) for pair, weight in graph.items()]
    elif _is_matrix(graph):
        return _from_matrix(graph, name)
    else:
        edges = list(graph)
    return _from_edges(edges, name, n_nodes)


def is_graph(thing: Any) -> bool:
    """Return whether something is a networkx graph.

    Parameters
    ----------
    thing : object
        Anything.

    Returns
    -------
    answer : bool
        By its edges and nodes, so that networkx need not be there.
    """
    return hasattr(thing, "edges") and hasattr(thing, "nodes")


def _is_matrix(graph: Any) -> bool:
    """Whether rows are meant: a list of tuples holds edges, a list of lists rows."""
    if sparse.issparse(graph) or isinstance(graph, (np.ndarray, torch.Tensor)):
        return True
    if not isinstance(graph, Iterable):
        raise TypeError(
            f"a graph must be a matrix, a networkx graph or edges, got {graph!r}."
        )
    return isinstance(graph, list) and bool(graph) and isinstance(graph[0], list)


def _networkx_edges(graph: Any, name: str) -> list[tuple]:
    if graph.is_directed():
        raise ValueError(
            f"{name} is a directed graph; give an undirected one, such as "
            "graph.to_undirected()."
        )
    number = {node: i for i, node in enumerate(graph.nodes)}
    return [
        (number[a], number[b], data.get("weight", 1))
        for a, b, data in graph.edges(data=True)
    ]


def _from_edges(edges: list[tuple], name: str, n_nodes: int | None) -> sparse.csr_array:
    weights = np.ones(len(edges))
    ends = np.zeros((len(edges), 2), np.int64)
    for row, edge in enumerate(edges):
        if not isinstance(edge, tuple) or len(edge) not in (2, 3):
            raise ValueError(
                f"{name} has the edge {edge!r}; an edge is a tuple (i, j) or "
                "(i, j, weight)."
            )
        for end in edge[:2]:
            check_number(end, f"a node of the edge {edge!r} of {name}", integer=True)
        ends[row] = edge[:2]
        if len(edge) == 3:
            check_number(edge[2], f"the weight of the edge {edge!r} of {name}")
            weights[row] = edge[2]
    largest = int(ends.max(initial=-1))
    d = largest + 1 if n_nodes is None else n_nodes
    check_number(d, f"number of nodes of {name}", low=1, integer=True)
    if ends.min(initial=0) < 0 or largest >= d:
        row = int(np.flatnonzero(((ends < 0) | (ends >= d)).any(1))[0])
        raise ValueError(
            f"{name} has the edge {edges[row]!r}, but its nodes are numbered from 0 to "
            f"{d - 1}."
        )
    return _symmetric(ends[:, 0], ends[:, 1], weights, d)


def _from_matrix(graph: Any, name: str) -> sparse.csr_array:
    if isinstance(graph, torch.Tensor):
        graph = graph.detach().cpu().to_dense().numpy()
    if not sparse.issparse(graph):
        graph = np.asarray(graph, np.float64)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1] or not graph.shape[0]:
        raise ValueError(f"{name} must be a square matrix, got shape {graph.shape}.")
    matrix: Any = sparse.csr_array(graph, dtype=np.float64)
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity in it.")
    upper, lower = sparse.triu(matrix, 1), sparse.tril(matrix, -1)
    if upper.nnz and lower.nnz and abs(upper - lower.T).max() != 0:
        raise ValueError(
            f"{name} must be symmetric or triangular, as its edges have no direction."
        )
    half = sparse.coo_array(upper if upper.nnz else lower)
    loops = matrix.diagonal()
    at = np.flatnonzero(loops)
    rows = np.concatenate([half.row, at])
    columns = np.concatenate([half.col, at])
    data = np.concatenate([half.data, loops[at]])
    return _symmetric(rows, columns, data, matrix.shape[0])


def _symmetric(
    i: np.ndarray, j: np.ndarray, weights: np.ndarray, d: int
) -> sparse.csr_array:
    other = i != j  # a loop stands once
    rows, columns = np.concatenate([i, j[other]]), np.concatenate([j, i[other]])
    data = np.concatenate([weights, weights[other]])
    matrix = sparse.csr_array(sparse.coo_array((data, (rows, columns)), (d, d)))
    matrix.eliminate_zeros()
    return matrix
