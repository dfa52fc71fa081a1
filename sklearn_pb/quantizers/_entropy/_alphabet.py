"""Which whole numbers occur in a tensor, and which of them are alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Alphabet:
    """Whole numbers at equal distances, as symbols 0, 1, ..., size - 1.

    Parameters
    ----------
    low : int
        The least.
    stride : int
        Their distance.
    size : int
        How many.
    by_powers : bool, default=False
        Whether only numbers that the same power of two divides are alike. So they are
        where odd multiples of a power of two are the numbers of a precision.
    """

    low: int
    stride: int
    size: int
    by_powers: bool = False

    @classmethod
    def of(cls, codes: np.ndarray) -> Alphabet:
        """Return the smallest alphabet that holds all codes, which are not none."""
        low = int(codes.min())
        stride = max(1, int(np.gcd.reduce(codes.reshape(-1) - low)))
        return cls(low, stride, (int(codes.max()) - low) // stride + 1)

    @cached_property
    def values(self) -> np.ndarray:
        """The number of each symbol."""
        return self.low + self.stride * np.arange(self.size, dtype=np.int64)

    @cached_property
    def classes(self) -> np.ndarray:
        """The class of each symbol: 0 is zero, others have equally many digits."""
        return self._classes_by(self._digits)

    @property
    def n_classes(self) -> int:
        """Classes, that of zero included."""
        return int(self.classes.max()) + 1

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """The bin of each symbol at each level, from classes down to the symbols.

        Numbers of a bin have the same first digits, then they are the same but for
        their sign, and at last they are the same.
        """
        sizes, digits = np.abs(self.values), self._digits
        leading = sizes >> np.maximum(digits - 3, 0)
        first = [self.classes, self._classes_by(digits * 8 + leading)]
        bins = [_numbered(level) for level in (*first, sizes, self.values)]
        n_bins = [int(level.max()) + 1 for level in bins]
        return bins[:1] + [
            bins[level] for level in range(1, 4) if n_bins[level] > n_bins[level - 1]
        ]

    @cached_property
    def _digits(self) -> np.ndarray:
        return _binary_digits(np.abs(self.values))

    def _classes_by(self, kinds: np.ndarray) -> np.ndarray:
        """Number kinds of symbols, those of other powers apart; zero is class 0."""
        sizes = np.abs(self.values)
        if self.by_powers:
            kinds = kinds * 64 + _binary_digits(sizes & -sizes)
        return _numbered(np.append(np.where(sizes > 0, kinds, -1), -1))[:-1]

    def symbols(self, codes: np.ndarray) -> np.ndarray:
        """Return the symbols of codes."""
        return (codes - self.low) // self.stride


def _binary_digits(numbers: np.ndarray) -> np.ndarray:
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)


def _numbered(kinds: np.ndarray) -> np.ndarray:
    return np.unique(kinds, return_inverse=True)[1]
