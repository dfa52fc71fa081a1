"""The order in which a tensor is coded, and what is known of an entry beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._alphabet import Alphabet

ORDERS = (
    "layer",
    "rows",
    "columns",
    "places",
    "row trails",
    "column trails",
    "row blocks",
    "column blocks",
)
BLOCK = 16  # entries, after which "blocks" forget what precedes


@dataclass(frozen=True)
class Scan:
    """An order of the entries, and the contexts that come with it.

    Entries of a context share a table of frequencies. The tables of all contexts are
    learned side by side, because the axis that tells them runs fastest.

    Parameters
    ----------
    order : str
        What the context of an entry is. "layer": nothing. "rows", "columns", "places":
        its index along the first axis, along the second, along all others. "row trails"
        and "column trails": the class of the entry before it in the same row or column,
        and of the last one that was not zero. "row blocks", "column blocks": the same,
        but each 16 entries begin anew.
    shape : tuple of int
        Of the tensor.
    """

    order: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Entries of the tensor."""
        return math.prod(self.shape)

    @property
    def possible(self) -> bool:
        """Whether a tensor of this shape has such contexts."""
        return len(self.shape) >= {"layer": 0, "places": 3}.get(self.order, 2)

    @property
    def looks_back(self) -> bool:
        """Whether contexts depend on what precedes."""
        return self.order.endswith(("trails", "blocks"))

    @property
    def period(self) -> int:
        """How often a context returns; how far neighbours of a row are apart."""
        if self.order == "layer":
            return 1
        if self.order == "places":
            return math.prod(self.shape[2:])
        return self.shape[self._axis]

    @property
    def _axis(self) -> int:
        """The axis that runs fastest."""
        return 1 if self.order.startswith("column") else 0

    @property
    def _is_moved(self) -> bool:
        return self.order != "places" and len(self.shape) >= 2

    def flatten(self, codes: np.ndarray) -> np.ndarray:
        """Return the entries in their order."""
        if self._is_moved:
            codes = np.moveaxis(codes, self._axis, -1)
        return codes.reshape(-1)

    def restore(self, entries: np.ndarray) -> np.ndarray:
        """Return the tensor."""
        if not self._is_moved:
            return entries.reshape(self.shape)
        shape = list(self.shape)
        shape.append(shape.pop(self._axis))
        return np.moveaxis(entries.reshape(shape), -1, self._axis)

    def n_contexts(self, alphabet: Alphabet) -> int:
        """Return the number of contexts."""
        return 2 * alphabet.n_classes if self.looks_back else self.period

    @property
    def memory(self) -> int:
        """After how many entries a row begins anew."""
        return BLOCK if self.order.endswith("blocks") else max(1, self.size)

    def contexts(self, symbols: np.ndarray, alphabet: Alphabet) -> np.ndarray:
        """Return the context of each entry."""
        if not self.looks_back:
            return np.arange(len(symbols)) % self.period
        classes = alphabet.classes[symbols.reshape(-1, self.period)]
        turns = np.arange(len(classes))[:, None]
        seen = np.maximum.accumulate(np.where(classes > 0, turns, -1), 0)
        last = np.take_along_axis(classes, np.maximum(seen, 0), 0)
        last[seen < turns - turns % self.memory] = 0
        contexts = np.zeros_like(classes)
        contexts[1:] = (2 * last + (classes == 0))[:-1]
        contexts[:: self.memory] = 0
        return contexts.reshape(-1)

    def entries(self, codes: np.ndarray, alphabet: Alphabet) -> np.ndarray:
        """Return the place of each entry in the tables of all contexts, in order."""
        symbols = self.flatten(alphabet.symbols(codes))
        return self.contexts(symbols, alphabet) * alphabet.size + symbols


def successors(alphabet: Alphabet) -> np.ndarray:
    """Return the context after each context and symbol, where contexts look back.

    A context is twice the class of the last symbol that was not zero, plus one if the
    one before was zero; where nothing is known it is 0. It has to agree with
    `Scan.contexts`, which finds all of them at once.
    """
    classes = alphabet.classes
    last = np.arange(2 * alphabet.n_classes)[:, None] // 2
    return np.where(classes > 0, 2 * classes, 2 * last + 1)
