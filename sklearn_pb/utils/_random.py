"""Counter-based random streams: every draw is a function of its address."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from sklearn.utils import check_random_state

_MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIER_1 = 0xBF58476D1CE4E5B9
MULTIPLIER_2 = 0x94D049BB133111EB
_FEW = 8


def mix(value: int) -> int:
    """Scramble one 64-bit integer (the finaliser of SplitMix64)."""
    value = (value + GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * MULTIPLIER_1) & _MASK
    value = ((value ^ (value >> 27)) * MULTIPLIER_2) & _MASK
    return value ^ (value >> 31)


@dataclass(frozen=True)
class RandomStream:
    """An address space of random numbers.

    The stream holds no state: a draw depends on the seed, the path and the
    coordinates asked for, never on what was drawn before. So samples can be
    regenerated instead of stored, in any order and on any number of workers.

    Parameters
    ----------
    seed : int
        A number in [0, 2^64).
    path : tuple of int, default=()
        The address of this stream below the seed.

    Examples
    --------
    >>> from sklearn_pb.utils import RandomStream
    >>> stream = RandomStream(0).child(3)
    >>> stream.key == RandomStream(0, (3,)).key
    True
    """

    seed: int
    path: tuple[int, ...] = ()
    key: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = mix(self.seed & _MASK)
        for part in self.path:
            # Not symmetric: otherwise child(s) of every seed s would be one stream.
            key = mix(mix(key) ^ (part & _MASK))
        object.__setattr__(self, "key", key)

    def child(self, *path: int) -> RandomStream:
        """Return the stream at a longer address, independent of this one."""
        return RandomStream(self.seed, self.path + path)

    def sample_keys(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the two 64-bit keys of each sample number.

        Parameters
        ----------
        samples : numpy.ndarray of int, shape (m,)
            Sample numbers.

        Returns
        -------
        first, second : numpy.ndarray of uint64, shape (m,)
            Keys for the counter-based generator of `sklearn_pb.kernels`.
        """
        if len(samples) <= _FEW:  # the loop below costs less than numpy's calls
            keys = [mix(int(s) & _MASK ^ self.key) for s in samples]
            again = [mix(key) for key in keys]
            return np.array(keys, np.uint64), np.array(again, np.uint64)
        first = _mix_array(np.asarray(samples, np.uint64) ^ np.uint64(self.key))
        return first, _mix_array(first)

    def torch_generator(self, device: torch.device | str = "cpu") -> torch.Generator:
        """Return a fresh torch generator seeded by this address.

        Parameters
        ----------
        device : torch.device or str, default="cpu"
            Where the generator draws.

        Returns
        -------
        generator : torch.Generator
            For torch functions that take ``generator=``.
        """
        return torch.Generator(device=device).manual_seed(self.key >> 1)

    @classmethod
    def from_random_state(
        cls, random_state: int | np.random.RandomState | None
    ) -> RandomStream:
        """Return the stream of a scikit-learn `random_state`.

        Parameters
        ----------
        random_state : int, numpy.random.RandomState or None
            An int is used as the seed itself; a RandomState instance is drawn from
            (so a second call differs); None draws a seed from the system.

        Returns
        -------
        stream : RandomStream
            The stream at the root of that seed.
        """
        if isinstance(random_state, (int, np.integer)):
            check_random_state(random_state)
            return cls(int(random_state))
        if random_state is None:
            return cls(int(np.random.SeedSequence().generate_state(1, np.uint64)[0]))
        generator = check_random_state(random_state)
        return cls(int(generator.randint(0, 2**31 - 1)))


def _mix_array(values: np.ndarray) -> np.ndarray:
    values = values + _GOLDEN
    values ^= values >> _30
    values *= _FACTOR_1
    values ^= values >> _27
    values *= _FACTOR_2
    values ^= values >> _31
    return values


# A zero-dimensional array is the operand that numpy takes up fastest.
_GOLDEN, _FACTOR_1, _FACTOR_2, _30, _27, _31 = (
    np.array(value, np.uint64)
    for value in (GOLDEN, MULTIPLIER_1, MULTIPLIER_2, 30, 27, 31)
)
