"""Classes of variables that do not interact, by greedy colouring."""

from __future__ import annotations

import numpy as np

_MANY_NODES = 2**17  # of which one after the other takes long
_MOST_COLOURS = 62  # that fit into the bits of an integer


def colour_classes(indptr: np.ndarray, indices: np.ndarray) -> list[np.ndarray]:
    """Partition the nodes of a graph so that no edge lies within a class.

    Nodes are coloured one by one, those of the largest degree first, each with the
    first colour that none of its neighbours has (Welsh and Powell, 1967). So there
    are at most (largest degree + 1) classes. Of very many nodes, all that come before
    their neighbours in a random order are coloured at once (Jones and Plassmann, 1993).

    Parameters
    ----------
    indptr : numpy.ndarray of int, shape (d + 1,)
        Where the neighbours of each node begin in `indices`, as in a CSR matrix.
    indices : numpy.ndarray of int
        The neighbours; each edge stands at both of its ends. Loops are ignored.

    Returns
    -------
    classes : list of numpy.ndarray of int
        The nodes of each colour, ascending; the classes in the order of the colours.

    Examples
    --------
    >>> import numpy as np
    >>> path = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1])
    >>> [nodes.tolist() for nodes in colour_classes(*path)]
    [[1], [0, 2]]
    """
    degrees = np.diff(indptr)
    if len(degrees) > _MANY_NODES and degrees.max() < _MOST_COLOURS:
        return _classes(_coloured_at_once(indptr, indices))
    colours = np.full(len(degrees), -1)
    # taken[c] = i says that a neighbour of node i has colour c. Neighbours without a
    # colour yet write to the last place, which is never read.
    taken = np.full(int(degrees.max(initial=0)) + 2, -1)
    starts, sizes = indptr.tolist(), degrees.tolist()
    for i in np.argsort(-degrees, kind="stable").tolist():
        neighbours = indices[starts[i] : starts[i + 1]]
        taken[colours[neighbours]] = i
        colours[i] = np.argmax(taken[: sizes[i] + 1] != i)
    return _classes(colours)


def _coloured_at_once(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Colours of the nodes, by rounds in a random order."""
    d = len(indptr) - 1
    order = np.random.Generator(np.random.PCG64(0)).permutation(d)
    tails = np.repeat(np.arange(d), np.diff(indptr))
    later = order[tails] > order[indices]  # the head is first; loops are left out
    tails, heads = tails[later], indices[later]
    colours = np.zeros(d, np.int64)
    taken = np.zeros(d, np.int64)  # the colours of coloured neighbours as bits
    open_ = np.ones(d, bool)
    while open_.any():
        ready = open_.copy()
        ready[tails] = False
        free = ~taken[ready] & (taken[ready] + 1)  # the lowest bit that is not set
        colours[ready] = np.log2(free).astype(np.int64)
        open_ &= ~ready
        done = ready[heads]
        np.bitwise_or.at(taken, tails[done], 1 << colours[heads[done]])
        tails, heads = tails[~done], heads[~done]
    return colours


def _classes(colours: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(colours, kind="stable")
    return np.split(order, np.cumsum(np.bincount(colours))[:-1])
