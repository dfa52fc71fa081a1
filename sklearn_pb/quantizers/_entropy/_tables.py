"""Tables of frequencies that learn from what was coded, in whole numbers only."""

from __future__ import annotations

import numpy as np

from ._alphabet import Alphabet
from ._rans import SCALE

FIRST = 16  # entries of the first block
GROWTH = 4  # a later one has this part of all entries before it


def blocks(size: int) -> list[int]:
    """Return where blocks begin, and the end; tables change between blocks."""
    edges = [0]
    while edges[-1] < size:
        edges.append(min(size, edges[-1] + max(FIRST, edges[-1] // GROWTH)))
    return edges


class Tables:
    """A table a context, drawn towards that of all contexts, and this to classes.

    The estimate of a distribution is that of its parent, taken for so many
    observations, and its own observations. The parent of a context is the layer, that
    of the layer spreads the probability of each class of numbers evenly over it.

    Parameters
    ----------
    alphabet : Alphabet
        The symbols.
    n_contexts : int
        Contexts; there is no level below the layer where it is 1.
    """

    def __init__(self, alphabet: Alphabet, n_contexts: int) -> None:
        self._counts = np.zeros((n_contexts, alphabet.size), np.int64)
        self._classes = alphabet.classes
        self._class_sizes = np.bincount(alphabet.classes)

    def learn(self, counts: np.ndarray) -> None:
        """Add the counts of a block, context by context and symbol by symbol."""
        self._counts += counts.reshape(self._counts.shape)

    def widths(self, smoothing: int, strength: int) -> np.ndarray:
        """Return the tables.

        Parameters
        ----------
        smoothing : int
            Observations that the classes count for.
        strength : int
            Observations that the layer counts for in each context.

        Returns
        -------
        widths : ndarray of int64, shape (n_contexts, size of the alphabet)
            Rows of sum 2^15.
        """
        layer = self._counts.sum(0, keepdims=True)
        tallies = np.bincount(self._classes, layer[0]).astype(np.int64)
        even = ((2 * tallies + 1) << 16) // np.maximum(self._class_sizes, 1)
        widths = normalised(even[self._classes][None])
        widths = normalised(layer * SCALE + smoothing * widths)
        if len(self._counts) == 1:
            return widths
        return normalised(self._counts * SCALE + strength * widths)


def normalised(weights: np.ndarray) -> np.ndarray:
    """Return whole numbers of at least 1, close to weights, with rows of sum 2^15."""
    room = SCALE - weights.shape[1]
    widths = weights * room // weights.sum(1, keepdims=True) + 1
    widths[np.arange(len(weights)), widths.argmax(1)] += SCALE - widths.sum(1)
    return widths
