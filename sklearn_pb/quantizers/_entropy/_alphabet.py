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
    """

    low: int
    stride: int
    size: int

    @classmethod
    def of(cls, codes: np.ndarray) -> Alphabet:
        """Return the smallest alphabet that holds all codes, which are not none."""
        low = int(codes.min())
        stride = int(np.gcd.reduce(codes.reshape(-1) - low))
        return cls(low, max(1, stride), (int(codes.max()) - low) // max(1, stride) + 1)

    @cached_property
    def values(self) -> np.ndarray:
        """The number of each symbol."""
        return self.low + self.stride * np.arange(self.size, dtype=np.int64)

    @cached_property
    def classes(self) -> np.ndarray:
        """A class for each symbol, the class of zero being 0.

        Numbers of a class are divisible by the same power of two and have equally many
        digits. So they are of one precision where odd multiples of a power of two are
        the numbers of a precision, and about as likely as each other.
        """
        sizes = np.abs(self.values)
        octaves = np.frexp(sizes.astype(np.float64))[1].astype(np.int64)
        divisors = np.frexp((sizes & -sizes).astype(np.float64))[1].astype(np.int64)
        kinds = np.where(sizes > 0, octaves * 64 + divisors, -1)
        found = np.unique(np.append(kinds, -1))
        return np.searchsorted(found, kinds)

    @property
    def n_classes(self) -> int:
        """Classes, that of zero included."""
        return int(self.classes.max(initial=0)) + 1

    def symbols(self, codes: np.ndarray) -> np.ndarray:
        """Return the symbols of codes."""
        return (codes - self.low) // self.stride
