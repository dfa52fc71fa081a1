"""What a model takes, to within about a percent, from counts alone."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from ._alphabet import Alphabet
from ._tables import pseudo_counts


def layer_bits(counts: np.ndarray, alphabet: Alphabet, smoothing: int) -> float:
    """Estimate the bits of symbols with one table for the layer.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_symbols,)
        How often each occurs.
    alphabet : Alphabet
        The symbols.
    smoothing : int
        As in `Tables`.

    Returns
    -------
    bits : float
        The entropy, and at each level of the alphabet what an adaptive code with a
        Dirichlet prior around the level above takes beyond it.
    """
    learning = 0.0
    sizes = np.bincount(alphabet.levels[0])
    prior = 1 / (len(sizes) * sizes)[alphabet.levels[0]]
    for bins in alphabet.levels:
        tallies, sizes = np.bincount(bins, counts), np.bincount(bins)
        weight = pseudo_counts(smoothing, len(sizes))
        learning += _dirichlet(tallies, weight * np.bincount(bins, prior))
        learning -= _entropy(tallies)
        prior = (tallies / sizes)[bins] + weight * prior
        prior /= prior.sum()
    return _entropy(counts) + learning


def context_bits(counts: np.ndarray, layer: float, strength: int) -> float:
    """Estimate the bits of symbols with a table a context.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_contexts, n_symbols)
        How often each occurs in each context.
    layer : float
        The bits without contexts.
    strength : int
        As in `Tables`.

    Returns
    -------
    bits : float
        The code length, and what it takes to learn the distribution of the layer.
    """
    total = counts.sum(0)
    learning = layer - _entropy(total)
    return _dirichlet(counts, strength * total / total.sum()) + learning


def _dirichlet(counts: np.ndarray, prior: np.ndarray) -> float:
    """Bits of an adaptive code for rows of counts, each starting from the prior."""
    rows = np.atleast_2d(counts)
    row, symbol = rows.nonzero()
    weight = prior.sum()
    seen = gammaln(rows[row, symbol] + prior[symbol]) - gammaln(prior)[symbol]
    sizes = gammaln(rows.sum(1) + weight) - gammaln(weight)
    return float(sizes.sum() - seen.sum()) / np.log(2.0)


def _entropy(counts: np.ndarray) -> float:
    """Bits of symbols with the frequencies that they have."""
    found = counts[counts > 0]
    return float(found @ (np.log2(found.sum()) - np.log2(found)))
