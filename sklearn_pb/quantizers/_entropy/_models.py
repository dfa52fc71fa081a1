"""How the entries of a tensor are predicted from those before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ._alphabet import Alphabet
from ._rans import SCALE, Decoder
from ._scan import Scan, successors
from ._tables import Tables, blocks


@dataclass(frozen=True)
class Spans:
    """The intervals of all entries in the order of coding, and where steps end.

    Parameters
    ----------
    starts, widths : ndarray of int64, shape (n,)
        As the coder takes them.
    edges : list of int
        Where steps begin, and the end.
    """

    starts: np.ndarray
    widths: np.ndarray
    edges: list[int]


@dataclass(frozen=True)
class Model:
    """An alphabet, contexts, and how much the levels of the tables count.

    Parameters
    ----------
    alphabet : Alphabet
        Numbers that occur.
    order : str
        What contexts are, see `Scan`.
    smoothing, strength : int
        See `Tables`.
    """

    alphabet: Alphabet
    order: str
    smoothing: int
    strength: int

    def spans(self, codes: np.ndarray, n_lanes: int) -> Spans:
        """Return the intervals of the entries, in steps for so many lanes."""
        scan = Scan(self.order, codes.shape)
        entries = scan.entries(codes, self.alphabet)
        starts, widths = np.empty_like(entries), np.empty_like(entries)
        for begin, end, borders, table in self._blocks(scan, entries):
            block = entries[begin:end]
            widths[begin:end] = table[block]
            starts[begin:end] = borders[block] & (SCALE - 1)
        return Spans(starts, widths, steps(scan, n_lanes))

    def decode(
        self, decoder: Decoder, shape: tuple[int, ...], n_lanes: int
    ) -> np.ndarray:
        """Read entries, and return them in their shape."""
        scan = Scan(self.order, shape)
        entries = np.zeros(scan.size, np.int64)
        edges = np.array(steps(scan, n_lanes))
        walk = _Walk(scan, self.alphabet)
        for begin, end, borders, table in self._blocks(scan, entries):
            inner = edges[edges.searchsorted(begin) : edges.searchsorted(end) + 1]
            for first, last in pairwise(inner.tolist()):
                contexts = walk.contexts(first, last)
                found = decoder.step(borders, table, contexts)
                entries[first:last] = found
                walk.follow(first, last, found - contexts * self.alphabet.size)
        return scan.restore(self.alphabet.values[entries % self.alphabet.size])

    def _blocks(
        self, scan: Scan, entries: np.ndarray
    ) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Yield begin and end of each block with its tables; learn from it afterwards.

        Whoever decodes fills in the entries of a block before asking for the next.
        """
        tables = Tables(self.alphabet, scan.n_contexts(self.alphabet))
        edges = blocks(scan.size)
        for begin, end in pairwise(edges):
            table = tables.widths(self.smoothing, self.strength).reshape(-1)
            yield begin, end, table.cumsum() - table, table
            tables.learn(np.bincount(entries[begin:end], minlength=len(table)))


class _Walk:
    """The contexts of entries while they are decoded."""

    def __init__(self, scan: Scan, alphabet: Alphabet) -> None:
        self._scan = scan
        self._states = np.zeros(scan.period, np.int64)
        self._follow = successors(alphabet)

    def contexts(self, begin: int, end: int) -> np.ndarray:
        places = np.arange(begin, end) % self._scan.period
        return self._states[places] if self._scan.looks_back else places

    def follow(self, begin: int, end: int, symbols: np.ndarray) -> None:
        if self._scan.looks_back:
            turns, places = np.divmod(np.arange(begin, end), self._scan.period)
            states = self._follow[self._states[places], symbols]
            is_fresh = (turns + 1) % self._scan.memory == 0
            self._states[places] = np.where(is_fresh, 0, states)


def steps(scan: Scan, n_lanes: int) -> list[int]:
    """Return where steps begin, and the end.

    Tables are the same throughout a step. Where contexts look back, no step is
    longer than the way from an entry to the next of its row.
    """
    limit = min(n_lanes, scan.period) if scan.looks_back else n_lanes
    marks = blocks(scan.size)
    edges = [
        edge for begin, end in pairwise(marks) for edge in range(begin, end, limit)
    ]
    return [*edges, scan.size]
