"""An entropy coder that codes many symbols at a time, each in a lane of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SCALE_BITS = 15
SCALE = 1 << SCALE_BITS  # what the widths of all symbols add up to
WORD_BITS = 16
LOWEST = 1 << 16  # a lane's state lies between this and 2^32
LANE_BITS = (
    24.0  # what a lane wastes: 16 at its start, and its state in full at its end
)


def encode(
    starts: np.ndarray, widths: np.ndarray, edges: Sequence[int], n_lanes: int
) -> bytes:
    """Write symbols, given as the intervals that their tables assign to them.

    Asymmetric numeral systems with states of 32 bits, in lanes that share one stream
    of words (Giesen, "Interleaved entropy coders", 2014). A step codes its first
    symbol in the first lane, its second in the second, and so on.

    Parameters
    ----------
    starts, widths : ndarray of int64, shape (n_symbols,)
        The interval of each symbol within 2^15; its cost is 15 - log2(width) bits.
    edges : sequence of int
        Where steps begin and the last one ends; no step has more symbols than lanes.
    n_lanes : int
        Lanes, at least 1.

    Returns
    -------
    data : bytes
        The states of the lanes, then words of two bytes.
    """
    states = np.full(n_lanes, LOWEST, np.int64)
    limits = widths << (32 - SCALE_BITS)
    chunks: list[np.ndarray] = []
    for begin, end in zip(reversed(edges[:-1]), reversed(edges[1:]), strict=True):
        state, width = states[: end - begin], widths[begin:end]
        full = state >= limits[begin:end]
        if full.any():
            chunks.append((state[full] & 0xFFFF).astype("<u2"))
            state = np.where(full, state >> WORD_BITS, state)
        high, low = np.divmod(state, width)
        states[: end - begin] = (high << SCALE_BITS) + low + starts[begin:end]
    words = np.concatenate(chunks[::-1]) if chunks else np.zeros(0, "<u2")
    return states.astype("<u4").tobytes() + words.tobytes()


class Decoder:
    """Reads what `encode` wrote, a step at a time.

    Parameters
    ----------
    data : bytes
        What `encode` returned.
    n_lanes : int
        Its number of lanes.

    Raises
    ------
    ValueError
        If the data are too short to hold the lanes.
    """

    def __init__(self, data: bytes, n_lanes: int) -> None:
        if len(data) < 4 * n_lanes or len(data) % 2:
            raise ValueError(f"{len(data)} bytes do not hold {n_lanes} lanes.")
        self._states = np.frombuffer(data, "<u4", n_lanes).astype(np.int64)
        self._words = np.frombuffer(data, "<u2", offset=4 * n_lanes).astype(np.int64)
        self._read = 0

    def step(
        self, borders: np.ndarray, widths: np.ndarray, contexts: np.ndarray
    ) -> np.ndarray:
        """Read the symbols of a step.

        Parameters
        ----------
        borders, widths : ndarray of int64, shape (n_contexts * n_symbols,)
            The tables of all contexts one after the other; a table begins at a
            multiple of 2^15.
        contexts : ndarray of int64, shape (n,)
            Which table each symbol was coded with.

        Returns
        -------
        entries : ndarray of int64, shape (n,)
            Their places in the tables.

        Raises
        ------
        ValueError
            If there are no words left.
        """
        state = self._states[: len(contexts)]
        place = (state & (SCALE - 1)) + (contexts << SCALE_BITS)
        entries = borders.searchsorted(place, "right") - 1
        state = widths[entries] * (state >> SCALE_BITS) + place - borders[entries]
        empty = (state < LOWEST).nonzero()[0]
        if len(empty):
            words = self._words[self._read : self._read + len(empty)]
            if len(words) < len(empty):
                raise ValueError("the coded data end too early.")
            state[empty] = (state[empty] << WORD_BITS) | words
            self._read += len(empty)
        self._states[: len(contexts)] = state
        return entries

    def finish(self) -> None:
        """Check that everything was read.

        Raises
        ------
        ValueError
            If something is left, or a lane did not return to where it started.
        """
        if self._read != len(self._words) or (self._states != LOWEST).any():
            raise ValueError("the coded data do not end where they should.")
