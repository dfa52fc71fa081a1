"""The model that takes the fewest bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ._alphabet import Alphabet
from ._models import Model
from ._rans import SCALE_BITS
from ._scan import ORDERS, Scan
from ._tables import Tables, blocks

SMOOTHINGS = (8, 2, 32)
STRENGTHS = (8, 2, 32, 128)
MIN_PER_CONTEXT = 6  # entries
MAX_TABLE = 1 << 18  # numbers in the tables of all contexts
MAX_TURNS = 8192  # of the order "trail", which is decoded one period at a time


def cheapest(codes: np.ndarray, alphabet: Alphabet) -> tuple[Model, float]:
    """Return the best model of an array, and its information content in bits.

    All orders are tried with strengths that suit most tensors, and others for the best
    of them.

    Parameters
    ----------
    codes : ndarray of int64
        The array, not empty.
    alphabet : Alphabet
        Its numbers.

    Returns
    -------
    model : Model
        Order, smoothing and strength that were best.
    bits : float
        What it takes, apart from lanes and description.
    """
    found: dict[Model, float] = {}

    def best_of(*models: Model) -> Model:
        found.update(zip(models, _costs(models, codes), strict=True))
        return min(found, key=found.__getitem__)

    for order in ORDERS:
        if _suits(Scan(order, codes.shape), alphabet):
            best = best_of(Model(alphabet, order, SMOOTHINGS[0], STRENGTHS[0]))
    if best.order != "layer":
        best = best_of(*(replace(best, strength=value) for value in STRENGTHS[1:]))
    best = best_of(*(replace(best, smoothing=value) for value in SMOOTHINGS[1:]))
    return best, found[best]


def _costs(models: Sequence[Model], codes: np.ndarray) -> list[float]:
    """Return the bits of models of the same order."""
    alphabet, scan = models[0].alphabet, Scan(models[0].order, codes.shape)
    entries = scan.entries(codes, alphabet)
    tables = Tables(alphabet, scan.n_contexts(alphabet))
    size = scan.n_contexts(alphabet) * alphabet.size
    bits = np.full(len(models), float(SCALE_BITS * len(entries)))
    edges = blocks(len(entries))
    for begin, end in zip(edges[:-1], edges[1:], strict=True):
        counts = np.bincount(entries[begin:end], minlength=size)
        for place, model in enumerate(models):
            widths = tables.widths(model.smoothing, model.strength)
            bits[place] -= counts @ np.log2(widths).reshape(-1)
        tables.learn(counts)
    return bits.tolist()


def _suits(scan: Scan, alphabet: Alphabet) -> bool:
    """Whether a tensor has such contexts, and enough entries for them."""
    if not scan.possible:
        return False
    n_contexts = scan.n_contexts(alphabet)
    if n_contexts * alphabet.size > MAX_TABLE:
        return False
    if scan.order == "trail":
        return scan.size <= MAX_TURNS * scan.period
    return n_contexts * MIN_PER_CONTEXT <= scan.size
