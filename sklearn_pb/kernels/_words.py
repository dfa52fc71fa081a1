"""Random words for the CPU, and the tiles of draws that are made at once.

A *word* is 64 random bits at the address (keys, word number); it is cut into eight
draws of 8 bits or four of 16, one a coordinate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..utils import RandomStream
from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2

WORD = 8  # bytes, and the most draws
MOST_WORDS = 1 << 16  # made at once; the overhead of numpy is then small
FEWEST_WORDS = 1 << 9
TIES = 1  # sub-stream of the lower halves of draws of 32 bits

# A zero-dimensional array is the operand that numpy takes up fastest.
_GOLDEN, _FACTOR_1, _FACTOR_2, _30, _27, _31 = (
    np.array(value, np.uint64)
    for value in (GOLDEN, MULTIPLIER_1, MULTIPLIER_2, 30, 27, 31)
)
_COUNTERS = np.arange(MOST_WORDS, dtype=np.uint64) * _GOLDEN
_LANES = np.arange(1, WORD + 1, dtype=np.uint64) * _GOLDEN


class Tiles(NamedTuple):
    """How a matrix of draws is cut: `rows` samples times `columns` coordinates."""

    n: int
    d: int
    rows: int
    columns: int

    def __iter__(self) -> Iterator[tuple[slice, slice]]:  # type: ignore[override]
        for i in range(0, self.n, self.rows):
            for j in range(0, self.d, self.columns):
                yield (
                    slice(i, min(i + self.rows, self.n)),
                    slice(j, min(j + self.columns, self.d)),
                )


def tiles(n: int, d: int, per_word: int, least_rows: int = 1) -> Tiles:
    """Tiles of so many rows or more, whose scratch memory stays below d floats."""
    most_words = min(MOST_WORDS, max(FEWEST_WORDS, d // WORD))
    least_rows = -(-n // max(1, n // least_rows))
    in_a_row = min(-(-d // per_word), max(1, most_words // least_rows))
    rows = max(least_rows, most_words // in_a_row)
    return Tiles(n, d, min(n, rows), min(d, in_a_row * per_word))


def words(
    first: np.ndarray, second: np.ndarray, start: int, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Put the words ``start, start + 1, ...`` of each pair of keys into x (m, count).

    SplitMix64 with a second key added between its two multiplications; y is scratch.
    """
    offset = np.uint64((start * GOLDEN) & 0xFFFFFFFFFFFFFFFF)
    np.add(_COUNTERS[: x.shape[1]], (first + offset)[:, None], x)
    np.right_shift(x, _30, y)
    np.bitwise_xor(x, y, x)
    np.multiply(x, _FACTOR_1, x)
    np.right_shift(x, _27, y)
    np.bitwise_xor(x, y, x)
    np.add(x, second[:, None], x)
    np.multiply(x, _FACTOR_2, x)
    np.right_shift(x, _31, y)
    return np.bitwise_xor(x, y, x)


def words_at(first: np.ndarray, second: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Words (k,) of single addresses: a pair of keys and a word number each."""
    x, y = np.empty((2, len(numbers), 1), np.uint64)
    return words(first + numbers.astype(np.uint64) * _GOLDEN, second, 0, x, y)[:, 0]


def further_bits(drawn: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """64 more bits (k,) for one lane of each word: SplitMix64 seeded with the word."""
    x = drawn + _LANES[lanes]
    x ^= x >> _30
    x *= _FACTOR_1
    x ^= x >> _27
    x *= _FACTOR_2
    x ^= x >> _31
    return x


class Draws:
    """Draws of 8 or 16 bits, tile by tile, always in the same memory.

    Parameters
    ----------
    stream : RandomStream
        Their address.
    samples : range
        The sample numbers of the rows.
    tiles : Tiles
        The tiles that will be asked for.
    dtype : numpy.dtype
        uint8 or uint16.

    Attributes
    ----------
    words : numpy.ndarray of uint64, shape (m * count,)
        The words of the last tile, ``count`` a row; the last of a row may have more
        lanes than there are columns.
    spare : numpy.ndarray of bool, shape (m, count * per_word)
        Memory for a mark on every lane of the last tile, free until the next.
    """

    def __init__(
        self, stream: RandomStream, samples: range, tiles: Tiles, dtype: np.dtype
    ) -> None:
        self._dtype, self.per_word = dtype, WORD // dtype.itemsize
        self._first, self._second = stream.sample_keys(np.asarray(samples))
        per_row = -(-tiles.columns // self.per_word)
        self.most_words = min(tiles.rows, len(samples)) * per_row
        self._memory = np.empty((2, self.most_words), np.uint64)
        self._shape = (0, 0)

    def __call__(self, rows: slice, columns: slice) -> np.ndarray:
        """Return the draws (m, columns) of a tile; the next call overwrites them."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        if shape != self._shape:
            self._make_views(*shape)
        first, second = self._first[rows], self._second[rows]
        words(first, second, columns.start // self.per_word, self._x, self._y)
        return self._draws

    def _make_views(self, m: int, columns: int) -> None:
        self._shape = m, columns
        count = -(-columns // self.per_word)
        self.words, second = self._memory[:, : m * count]
        self._x, self._y = self.words.reshape(m, count), second.reshape(m, count)
        self._draws = self._x.view(self._dtype)[:, :columns]
        lanes = count * self.per_word
        self.spare = second.view(np.bool_)[: m * lanes].reshape(m, lanes)
