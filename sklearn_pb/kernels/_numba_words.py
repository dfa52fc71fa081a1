"""Compiled: random words, and where their draws lie below thresholds.

Works on one *block* of coordinates at a time, in memory that stays in the first cache.
"""

from __future__ import annotations

import numpy as np

from ..utils._random import GOLDEN, MULTIPLIER_1, MULTIPLIER_2
from ._compiled import compiled

BLOCK_WORDS = 512

_GOLDEN = np.uint64(GOLDEN)
_FACTOR_1, _FACTOR_2 = np.uint64(MULTIPLIER_1), np.uint64(MULTIPLIER_2)
_30, _27, _31, _11 = (np.uint64(value) for value in (30, 27, 31, 11))
# The lowest and the highest bit of each lane of a word, for lanes of 8 and of 16 bits.
_LOW_8, _HIGH_8 = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_16_BITS = np.uint64(0xFFFF)
_LOW_16, _HIGH_16 = np.uint64(0x0001000100010001), np.uint64(0x8000800080008000)


@compiled
def word_at(first, second, number):
    """The word of one number, for one pair of keys."""
    x = np.uint64(number) * _GOLDEN + first
    x = (x ^ (x >> _30)) * _FACTOR_1
    x = ((x ^ (x >> _27)) + second) * _FACTOR_2
    return x ^ (x >> _31)


@compiled
def put_words(words, first, second, start):
    """Fill `words` with those of the numbers from `start` on."""
    for i in range(words.size):
        words[i] = word_at(first, second, np.uint64(start) + np.uint64(i))


@compiled
def further_bits(word, lane):
    """64 more bits for one lane of a word: SplitMix64 seeded with the word."""
    x = word + np.uint64(lane + 1) * _GOLDEN
    x = (x ^ (x >> _30)) * _FACTOR_1
    x = (x ^ (x >> _27)) * _FACTOR_2
    return x ^ (x >> _31)


@compiled
def put_below(draws, limits, z):
    """Put 1 into z where a draw is below its limit, else 0."""
    for i in range(limits.size):
        z[i] = draws[i] < limits[i]


@compiled
def put_bernoulli(z, probabilities, limits, words, first, second, start):
    """Bits z (m,) of independent variables, the first of them at the word `start`.

    The arrays are those of the block; `words` is memory for its words.
    """
    m = limits.size
    put_words(words[: (m + 7) // 8], first, second, start)
    draws = words.view(np.uint8)
    put_below(draws, limits, z)
    whole = m // 8
    by_word = limits[: 8 * whole].view(np.uint64)
    for number in range(whole):
        x = words[number] ^ by_word[number]
        if (x - _LOW_8) & ~x & _HIGH_8:  # a lane is zero: a draw equals its limit
            at = 8 * number
            _settle(
                z[at : at + 8],
                probabilities[at : at + 8],
                limits[at : at + 8],
                words[number],
                draws[at : at + 8],
            )
    if 8 * whole < m:
        at = 8 * whole
        _settle(z[at:m], probabilities[at:m], limits[at:m], words[whole], draws[at:m])


@compiled
def _settle(z, probabilities, limits, word, draws):
    """Decide the draws of one word that equal their limits, by 53 bits more."""
    for lane in range(limits.size):
        if draws[lane] == limits[lane]:
            rest = np.float64(probabilities[lane]) * 256.0 - np.float64(limits[lane])
            fine = np.float64(further_bits(word, lane) >> _11)
            z[lane] = fine < rest * 9007199254740992.0


@compiled
def put_coupled(z, high, low, flipped, words, keys, start):
    """Bits z (m,) of coupled variables, the first of them at the word `start`.

    `keys` are the pair of the sample and that of its lower halves.
    """
    m = high.size
    put_words(words[: (m + 3) // 4], keys[0], keys[1], start)
    draws = words.view(np.uint16)
    put_below(draws, high, z)
    whole = m // 4
    by_word = high[: 4 * whole].view(np.uint64)
    for number in range(whole):
        x = words[number] ^ by_word[number]
        if (x - _LOW_16) & ~x & _HIGH_16:
            at = 4 * number
            rest = word_at(keys[2], keys[3], start + number)
            _settle_coupled(
                z[at : at + 4], high[at : at + 4], low[at : at + 4], draws[at:], rest
            )
    if 4 * whole < m:
        at = 4 * whole
        rest = word_at(keys[2], keys[3], start + whole)
        _settle_coupled(z[at:m], high[at:m], low[at:m], draws[at:], rest)
    for i in range(m):
        z[i] ^= flipped[i]


@compiled
def _settle_coupled(z, high, low, draws, rest):
    """Decide the draws of one word that equal their limits, by 16 bits more."""
    for lane in range(high.size):
        if draws[lane] == high[lane]:
            z[lane] = ((rest >> np.uint64(16 * lane)) & _16_BITS) < low[lane]
