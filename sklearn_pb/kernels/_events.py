"""Events on the CPU: where draws lie below thresholds, one tile of samples at a time.

A draw equal to its threshold is a *tie*; further bits settle it at once, which makes
the probabilities exact, or for coupled samples exact to 2^-32, although most draws have
only 8 or 16 bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..utils import RandomStream
from ._words import TIES, Draws, Tiles, further_bits, words_at

_FLAGS: dict[np.dtype, tuple[np.dtype, int]] = {
    np.dtype(np.uint8): (np.dtype(np.uint64), 3),
    np.dtype(np.uint16): (np.dtype(np.uint32), 2),
}
_11 = np.array(11, np.uint64)
_256, _2_TO_53 = np.array(256.0), np.array(2.0**53)


class Event(ABC):
    """Where the draws of each sample lie below the thresholds.

    Parameters
    ----------
    limits : numpy.ndarray of uint8 or uint16, shape (d,)
        The thresholds.
    stream, samples, tiles
        Address and cut of the draws.
    """

    def __init__(
        self, limits: np.ndarray, stream: RandomStream, samples: range, tiles: Tiles
    ) -> None:
        self._limits = limits
        self._draws = Draws(stream, samples, tiles, limits.dtype)
        # What holds the marks of all lanes of one word, and log2 of their number.
        self._flag, self._shift = _FLAGS[limits.dtype]
        self._memory = np.empty(self._draws.most_words << self._shift, np.bool_)

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return booleans (m, columns); the next call overwrites them."""
        draws, limits = self._draws(rows, columns), self._limits[columns]
        tied, width = self._draws.spare, len(limits)
        z = self._memory[: tied.size].reshape(tied.shape)
        np.less(draws, limits, z[:, :width])
        np.equal(draws, limits, tied[:, :width])
        if width < tied.shape[1]:
            tied[:, width:] = False
        words, lanes = self._marked(tied)
        if len(words):
            at = (words << self._shift) + lanes
            self._memory[at] = self._settle(words, lanes, at, rows, columns)
        return z[:, :width]

    def _marked(self, lanes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Words and lanes of all marks; not every lane is looked at, it takes long."""
        flags = lanes.reshape(-1).view(self._flag)
        words = (flags != 0).nonzero()[0]
        marks = flags[words].view(np.bool_).nonzero()[0]
        return words[marks >> self._shift], marks & ((1 << self._shift) - 1)

    @abstractmethod
    def _settle(
        self,
        words: np.ndarray,
        lanes: np.ndarray,
        at: np.ndarray,
        rows: slice,
        columns: slice,
    ) -> np.ndarray:
        """Decide ties (k,), given by word and lane and by the place in the tile."""

    def _column(self, at: np.ndarray) -> np.ndarray:
        """Columns within the tile of places in the tile."""
        m, lanes = self._draws.spare.shape
        return at if m == 1 else at % lanes


class BernoulliEvent(Event):
    """Independent samples: 8 bits a draw, ties settled by 53 bits more.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (d,)
        Probabilities of the event, of which the thresholds are the leading bits.
    limits, stream, samples, tiles
        As in `Event`.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        limits: np.ndarray,
        stream: RandomStream,
        samples: range,
        tiles: Tiles,
    ) -> None:
        super().__init__(limits, stream, samples, tiles)
        self._probabilities = probabilities

    def _settle(
        self,
        words: np.ndarray,
        lanes: np.ndarray,
        at: np.ndarray,
        rows: slice,
        columns: slice,
    ) -> np.ndarray:
        column = self._column(at)
        rest = self._probabilities[columns][column].astype(np.float64)
        rest *= _256
        rest -= self._limits[columns][column]
        rest *= _2_TO_53
        fine = further_bits(self._draws.words[words], lanes)
        fine >>= _11
        return fine.astype(np.float64) < rest


class CoupledEvent(Event):
    """Samples of a copula: 16 bits a draw, ties settled by 16 from a sub-stream.

    Parameters
    ----------
    thresholds : numpy.ndarray of uint16, shape (2, d)
        Both halves.
    flipped : numpy.ndarray of bool, shape (d,)
        Coordinates that are 1 where the event does not happen.
    stream, samples, tiles
        As in `Event`.
    """

    def __init__(
        self,
        thresholds: np.ndarray,
        flipped: np.ndarray,
        stream: RandomStream,
        samples: range,
        tiles: Tiles,
    ) -> None:
        super().__init__(thresholds[0], stream, samples, tiles)
        self._low, self._flipped = thresholds[1], flipped
        self._stream, self._samples = stream.child(TIES), samples

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return booleans (m, columns); the next call overwrites them."""
        z = super().__call__(rows, columns)
        return np.not_equal(z, self._flipped[columns], z)

    def _settle(
        self,
        words: np.ndarray,
        lanes: np.ndarray,
        at: np.ndarray,
        rows: slice,
        columns: slice,
    ) -> np.ndarray:
        row = np.asarray(self._samples)[rows][at // self._draws.spare.shape[1]]
        column = self._column(at) + columns.start
        keys = self._stream.sample_keys(row)
        word = words_at(*keys, column >> self._shift).view(np.uint16)
        return word[(np.arange(len(at)) << self._shift) + lanes] < self._low[column]
