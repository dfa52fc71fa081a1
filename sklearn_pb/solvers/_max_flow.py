"""Minimum cuts of graphs with 62-bit capacities, on scipy's 31-bit maximum flow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

_SCIPY_BITS = 30  # a residual, the sum of two capacities, must fit 31


class MinimumCut:
    """A cut between a source and a sink, refined until it is a least one.

    Parameters
    ----------
    tails, heads : numpy.ndarray of int, shape (m,)
        The arcs; several may join the same nodes.
    capacities : numpy.ndarray of int64, shape (m,)
        At least 0, with a sum below 2^62.
    n_nodes : int
        Nodes are numbered from 0; the last but one is the source, the last the sink.

    Attributes
    ----------
    gap : int
        The cut at hand has at most this much more capacity than a least one.

    Notes
    -----
    Capacities are scaled down to 30 bits and rounded down. A maximum flow of them is a
    flow of the true ones; what it leaves in its least cut bounds what is still to be
    found, so no residual capacity above that matters, and the residual graph is scaled
    more finely. Each round gains at least 30 bits less the logarithm of the number of
    arcs; with a scale of 1 the flow is a maximum.
    """

    def __init__(
        self,
        tails: np.ndarray,
        heads: np.ndarray,
        capacities: np.ndarray,
        n_nodes: int,
    ) -> None:
        self._n_nodes = n_nodes
        both = np.concatenate([tails, heads]) * n_nodes + np.concatenate([heads, tails])
        arcs, place = np.unique(both, return_inverse=True)
        self._residual = np.zeros(len(arcs), np.int64)
        np.add.at(self._residual, place[: len(tails)], capacities)
        self._tails, self._heads = np.divmod(arcs, n_nodes)
        starts = np.searchsorted(self._tails, np.arange(n_nodes + 1))
        self._starts = starts.astype(np.int32)
        self._columns = self._heads.astype(np.int32)
        source, sink = self._tails == n_nodes - 2, self._heads == n_nodes - 1
        self.gap = int(min(self._residual[source].sum(), self._residual[sink].sum()))

    def rounds(self) -> Iterator[np.ndarray]:
        """Improve the cut until it is a least one.

        Yields
        ------
        inside : numpy.ndarray of bool, shape (n_nodes,)
            The nodes on the side of the source; the last ones are a least cut.
        """
        while True:
            shift = max(0, self.gap.bit_length() - _SCIPY_BITS)
            self._push(shift)
            inside = self._reached(shift)
            crossing = inside[self._tails] & ~inside[self._heads]
            self.gap = int(self._residual[crossing].sum())
            yield inside
            if self.gap == 0:
                return

    def _push(self, shift: int) -> None:
        scaled = np.minimum(self._residual, self.gap) >> shift
        graph = self._graph(scaled.astype(np.int32))
        source, sink = self._n_nodes - 2, self._n_nodes - 1
        flow = csgraph.maximum_flow(graph, source, sink).flow
        self._residual -= flow.data.astype(np.int64) << shift

    def _reached(self, shift: int) -> np.ndarray:
        graph = self._graph((self._residual >> shift > 0).astype(np.int32))
        graph.eliminate_zeros()
        nodes = csgraph.breadth_first_order(
            graph, self._n_nodes - 2, return_predecessors=False
        )
        inside = np.zeros(self._n_nodes, bool)
        inside[nodes] = True
        return inside

    def _graph(self, data: np.ndarray) -> sparse.csr_array:
        shape = (self._n_nodes, self._n_nodes)
        columns, starts = self._columns.copy(), self._starts.copy()
        return sparse.csr_array((data, columns, starts), shape)
