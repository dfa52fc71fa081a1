"""The model that takes the fewest bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ._alphabet import Alphabet
from ._estimates import context_bits, layer_bits
from ._models import Model
from ._rans import SCALE_BITS
from ._scan import ORDERS, Scan

SMOOTHINGS = (1, 2, 4, 16)
STRENGTHS = (1, 2, 4, 8, 16, 32, 64, 128, 512)
MAX_TABLE = 1 << 18  # numbers in the tables of all contexts
MAX_TURNS = 8192  # entries of a row where contexts look back, one at a time
DOUBT = 0.02  # estimates this close, as a fraction, are checked
CHECKS = 3  # at most


def cheapest(
    codes: np.ndarray, alphabet: Alphabet, exact: bool = True
) -> tuple[Model, float]:
    """Return the best model of an array, and its information content in bits.

    Parameters
    ----------
    codes : ndarray of int64
        The array, not empty.
    alphabet : Alphabet
        Its numbers.
    exact : bool, default=True
        Whether to run the most promising models; estimates take a tenth of the time.

    Returns
    -------
    model : Model
        Order, smoothing and strength that were best.
    bits : float
        What it takes, apart from lanes and description.
    """
    found = sorted(_estimates(codes, alphabet), key=lambda pair: pair[0])
    if not exact:
        return found[0][1], found[0][0]
    limit = (1 + DOUBT) * found[0][0]
    close = [model for bits, model in found[:CHECKS] if bits <= limit]
    costs = {model: _bits(model, codes) for model in close}
    best = min(costs, key=costs.__getitem__)
    return best, costs[best]


def _estimates(codes: np.ndarray, alphabet: Alphabet) -> Iterator[tuple[float, Model]]:
    """Yield models with their estimated bits, for each order the best strength."""
    layers = [
        _best_layer(codes, replace(alphabet, by_powers=value))
        for value in (False, True)
    ]
    layers.sort(key=lambda pair: pair[0])
    yield layers[0]
    for order in ORDERS[1:]:
        scan = Scan(order, codes.shape)
        for whole, layer in layers if scan.looks_back else layers[:1]:
            if _suits(scan, layer.alphabet):
                model = replace(layer, order=order)
                counts = _counts(codes, model)
                bits, strength = _best_strength(counts, whole)
                yield bits, replace(model, strength=strength)


def _best_layer(codes: np.ndarray, alphabet: Alphabet) -> tuple[float, Model]:
    """Return the best model without contexts, and its estimated bits first."""
    models = [Model(alphabet, "layer", value, 1) for value in SMOOTHINGS]
    total = _counts(codes, models[0])[0]
    options = [(layer_bits(total, alphabet, own.smoothing), own) for own in models]
    return min(options, key=lambda pair: pair[0])


def _best_strength(counts: np.ndarray, whole: float) -> tuple[float, int]:
    """Return the best strength after its bits: bits fall, and then they rise."""
    middle = len(STRENGTHS) // 2
    best = context_bits(counts, whole, STRENGTHS[middle]), STRENGTHS[middle]
    for side in (STRENGTHS[:middle][::-1], STRENGTHS[middle + 1 :]):
        start = best
        for strength in side:
            bits = context_bits(counts, whole, strength)
            if bits >= best[0]:
                break
            best = bits, strength
        if best is not start:
            break
    return best


def _counts(codes: np.ndarray, model: Model) -> np.ndarray:
    """Return how often each symbol occurs in each context."""
    scan = Scan(model.order, codes.shape)
    n_contexts, size = scan.n_contexts(model.alphabet), model.alphabet.size
    entries = scan.entries(codes, model.alphabet)
    return np.bincount(entries, minlength=n_contexts * size).reshape(n_contexts, size)


def _bits(model: Model, codes: np.ndarray) -> float:
    widths = model.spans(codes, codes.size).widths
    return float(SCALE_BITS * len(widths) - np.log2(widths).sum())


def _suits(scan: Scan, alphabet: Alphabet) -> bool:
    """Whether a tensor has such contexts, and not too many of them."""
    if not scan.possible or scan.n_contexts(alphabet) * alphabet.size > MAX_TABLE:
        return False
    return not scan.looks_back or scan.size <= MAX_TURNS * scan.period
