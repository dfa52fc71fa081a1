"""Classes of variables that do not interact, by greedy colouring."""

from __future__ import annotations

import numpy as np


def colour_classes(indptr: np.ndarray, indices: np.ndarray) -> list[np.ndarray]:
    """Partition the nodes of a graph so that no edge lies within a class.

    Nodes are coloured one by one, those of the largest degree first, each with the
    first colour that none of its neighbours has (Welsh and Powell, 1967). So there
    are at most (largest degree + 1) classes.

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
    colours = np.full(len(degrees), -1)
    # taken[c] = i says that a neighbour of node i has colour c. Neighbours without a
    # colour yet write to the last place, which is never read.
    taken = np.full(int(degrees.max(initial=0)) + 2, -1)
    starts, sizes = indptr.tolist(), degrees.tolist()
    for i in np.argsort(-degrees, kind="stable").tolist():
        neighbours = indices[starts[i] : starts[i + 1]]
        taken[colours[neighbours]] = i
        colours[i] = np.argmax(taken[: sizes[i] + 1] != i)
    order = np.argsort(colours, kind="stable")
    return np.split(order, np.cumsum(np.bincount(colours))[:-1])
