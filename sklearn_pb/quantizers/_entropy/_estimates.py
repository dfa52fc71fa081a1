"""What a model takes, to within about a percent, from counts alone."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from ._alphabet import Alphabet


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
        The code length of an adaptive code with a Dirichlet prior around the classes.
    """
    _, kinds, sizes = np.unique(
        alphabet.classes, return_inverse=True, return_counts=True
    )
    tallies = np.bincount(kinds, counts)
    even = (tallies + 0.5) / (tallies + 0.5).sum() / sizes
    learning = _dirichlet(tallies, np.full(len(tallies), 0.5)) - _entropy(tallies)
    return _dirichlet(counts, smoothing * even[kinds]) + learning


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
    prior = strength * total / total.sum()
    learning = layer - _entropy(total)
    return _dirichlet(counts, prior) + learning


def _dirichlet(counts: np.ndarray, prior: np.ndarray) -> float:
    """Bits of an adaptive code for rows of counts, each starting from the prior."""
    rows = np.atleast_2d(counts)
    row, symbol = rows.nonzero()
    found = rows[row, symbol]
    weight = prior.sum()
    seen = gammaln(found + prior[symbol]) - gammaln(prior)[symbol]
    sizes = gammaln(rows.sum(1) + weight) - gammaln(weight)
    return float(sizes.sum() - seen.sum()) / np.log(2.0)


def _entropy(counts: np.ndarray) -> float:
    """Bits of symbols with the frequencies that they have."""
    found = counts[counts > 0]
    return float(found @ (np.log2(found.sum()) - np.log2(found)))
