"""Tables of frequencies that learn from what was coded, in whole numbers only.

Readers must find the same tables as writers on every machine: sums of floats, or
logarithms, would not do.
"""

from __future__ import annotations

import numpy as np

from ._alphabet import Alphabet
from ._rans import SCALE_BITS

FIRST = 16  # entries of the first block
GROWTH = 4  # a later one has this part of all entries before it
FINE_BITS = 22  # what the estimates of the levels above add up to, as a power of two


def blocks(size: int) -> list[int]:
    """Return where blocks begin, and the end; tables change between blocks."""
    edges = [0]
    while edges[-1] < size:
        edges.append(min(size, edges[-1] + max(FIRST, edges[-1] // GROWTH)))
    return edges


class Tables:
    """A table a context, drawn towards that of all contexts, and this to simpler ones.

    The estimate of a distribution is that of its parent, taken for so many
    observations, and its own observations. The parent of a context is the layer. The
    layer has levels, see `Alphabet.levels`: the parent of symbols are bins of them,
    whose probability is spread evenly, and so on to a few classes.

    Parameters
    ----------
    alphabet : Alphabet
        The symbols.
    n_contexts : int
        Contexts; there is no level below the layer where it is 1.
    """

    def __init__(self, alphabet: Alphabet, n_contexts: int) -> None:
        self._counts = np.zeros((n_contexts, alphabet.size), np.int64)
        self._levels = [(bins, np.bincount(bins)) for bins in alphabet.levels]

    def learn(self, counts: np.ndarray) -> None:
        """Add the counts of a block, context by context and symbol by symbol."""
        self._counts += counts.reshape(self._counts.shape)

    def widths(self, smoothing: int, strength: int) -> np.ndarray:
        """Return the tables.

        Parameters
        ----------
        smoothing : int
            Quarters of an observation a bin that the parent of a level counts for.
        strength : int
            Observations that the layer counts for in each context.

        Returns
        -------
        widths : ndarray of int64, shape (n_contexts, size of the alphabet)
            Rows of sum 2^15.
        """
        layer = self._counts.sum(0)
        bins, sizes = self._levels[0]
        widths = normalised((1 << FINE_BITS) // sizes[bins], FINE_BITS)
        for bins, sizes in self._levels:
            tallies = np.bincount(bins, layer).astype(np.int64)
            seen = (tallies << FINE_BITS) // sizes
            widths = normalised(
                seen[bins] + pseudo_counts(smoothing, len(sizes)) * widths, FINE_BITS
            )
        if len(self._counts) == 1:
            return normalised(widths[None], SCALE_BITS)
        own = self._counts << FINE_BITS
        return normalised(own + strength * widths, SCALE_BITS)


def pseudo_counts(smoothing: int, n_bins: int) -> int:
    """Return how many observations the parent of a level of bins counts for."""
    return max(1, smoothing * n_bins // 4)


def normalised(weights: np.ndarray, bits: int) -> np.ndarray:
    """Return whole numbers of at least 1, close to weights, with rows of sum 2^bits."""
    total = weights.sum(-1, keepdims=True)
    shift = max(0, int(total.max()).bit_length() + bits - 62)  # no overflow below
    weights, total = weights >> shift, total >> shift
    widths = weights * ((1 << bits) - weights.shape[-1]) // total + 1
    rest = (1 << bits) - widths.sum(-1)
    if widths.ndim == 1:
        widths[widths.argmax()] += rest
    else:
        widths[np.arange(len(widths)), widths.argmax(1)] += rest
    return widths
