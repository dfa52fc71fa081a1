"""The order in which a tensor is coded, and what is known of an entry beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._alphabet import Alphabet

ORDERS = ("layer", "rows", "columns", "places", "trail")


@dataclass(frozen=True)
class Scan:
    """An order of the entries, and the contexts that come with it.

    Entries of a context share a table of frequencies. The tables of all contexts are
    learned side by side, because the axis that tells them runs fastest.

    Parameters
    ----------
    order : {"layer", "rows", "columns", "places", "trail"}
        What the context of an entry is: nothing; its index along the first axis; along
        the second; along all others; or the class of the entry before it in its row,
        and of the last one before that was not zero.
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
        axes = {"layer": 0, "rows": 2, "columns": 2, "places": 3, "trail": 1}
        return len(self.shape) >= axes[self.order]

    @property
    def _front(self) -> int:
        """The axes before the fastest ones, once these were moved to the end."""
        return {"columns": 1, "places": 2}.get(self.order, 0)

    @property
    def period(self) -> int:
        """How often the same context returns; how far a row's entries are apart."""
        if self.order == "layer" or (self.order == "trail" and len(self.shape) < 2):
            return 1
        if self.order == "places":
            return math.prod(self.shape[2:])
        return self.shape[1] if self.order == "columns" else self.shape[0]

    def entries(self, codes: np.ndarray, alphabet: Alphabet) -> np.ndarray:
        """Return the place of each entry in the tables of all contexts, in order."""
        symbols = self.flatten(alphabet.symbols(codes))
        return self.contexts(symbols, alphabet) * alphabet.size + symbols

    def flatten(self, codes: np.ndarray) -> np.ndarray:
        """Return the entries in their order."""
        if self.order in ("layer", "places") or codes.ndim < 2:
            return codes.reshape(-1)
        return np.moveaxis(codes, self._front, -1).reshape(-1)

    def restore(self, entries: np.ndarray) -> np.ndarray:
        """Return the tensor."""
        if self.order in ("layer", "places") or len(self.shape) < 2:
            return entries.reshape(self.shape)
        shape = list(self.shape)
        moved = [*shape[: self._front], *shape[self._front + 1 :], shape[self._front]]
        return np.moveaxis(entries.reshape(moved), -1, self._front)

    def n_contexts(self, alphabet: Alphabet) -> int:
        """Return the number of contexts."""
        return 2 * alphabet.n_classes if self.order == "trail" else self.period

    def contexts(self, symbols: np.ndarray, alphabet: Alphabet) -> np.ndarray:
        """Return the context of each entry."""
        if self.order != "trail":
            return np.arange(len(symbols)) % self.period
        follow, rows = successors(alphabet), symbols.reshape(-1, self.period)
        contexts = np.zeros_like(rows)
        for before, after, row in zip(contexts, contexts[1:], rows, strict=False):
            after[:] = follow[before, row]
        return contexts.reshape(-1)


def successors(alphabet: Alphabet) -> np.ndarray:
    """Return the context after each context and symbol, in the order "trail"."""
    classes = alphabet.classes
    last = np.arange(2 * alphabet.n_classes)[:, None] // 2
    return np.where(classes > 0, 2 * classes, 2 * last + 1)
