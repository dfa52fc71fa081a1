"""Random thresholds for Metropolis decisions that cost less than what they decide."""

from __future__ import annotations

from typing import Any

import numpy as np

_SMALLEST_POOL = 2**14
_PARTS = 16  # of the pool, one of which is drawn anew each time


class MetropolisThresholds:
    """Temperature x standard exponential numbers, from a pool renewed bit by bit.

    Drawing an exponential takes longer than computing the change of cost that it is
    compared with. So a class of variables is given a stretch of a pool that begins at
    a random place, and each sweep draws only one part of the pool anew, at its own
    temperature.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the draws come from.
    largest : int
        The most numbers that are asked for at once.
    n_requests : int
        How often numbers are asked for in a sweep.
    """

    def __init__(
        self, generator: np.random.Generator, largest: int, n_requests: int
    ) -> None:
        self._generator = generator
        self._n_requests = n_requests
        self._room = max(_SMALLEST_POOL, 2 * largest)
        self._size = self._room + largest
        self._pool: np.ndarray | None = None
        self._part = 0
        self._temperature = 0.0

    def cool(self, temperature: float) -> None:
        """Begin a sweep.

        Parameters
        ----------
        temperature : float
            Its temperature.
        """
        self._temperature = temperature
        self._offsets = self._generator.integers(0, self._room, self._n_requests)
        self._next = 0
        if self._pool is not None:
            size = -(-self._size // _PARTS)
            self._draw(self._pool[self._part * size : (self._part + 1) * size])
            self._part = (self._part + 1) % _PARTS

    def __call__(self, deltas: np.ndarray) -> np.ndarray:
        """Return a threshold for each change of cost: a flip is made below it.

        Parameters
        ----------
        deltas : numpy.ndarray
            The changes.

        Returns
        -------
        thresholds : numpy.ndarray
            Of the same shape and type; read only.
        """
        if self._pool is None or self._pool.dtype != deltas.dtype:
            self._pool = np.empty(self._size, deltas.dtype)
            self._draw(self._pool)
        begin = self._offsets[self._next]
        self._next += 1
        return self._pool[begin : begin + deltas.size].reshape(deltas.shape)

    def _draw(self, part: np.ndarray) -> None:
        """Fill a part; for integers rounded up, which leaves "<" as it is."""
        kind = np.float32 if part.dtype.itemsize <= 4 else np.float64
        drawn = self._generator.standard_exponential(len(part), np.float32)
        scaled = drawn.astype(kind, copy=False)
        scaled *= kind(self._temperature)
        if part.dtype.kind == "i":
            np.ceil(scaled, out=scaled)
            most = np.iinfo(part.dtype).max
            np.minimum(scaled, np.nextafter(kind(most), kind(0)), out=scaled)
        part[...] = scaled

    def state_dict(self) -> dict[str, Any]:
        """Return the pool, and which part of it is drawn next.

        Returns
        -------
        state : dict
            A copy.
        """
        pool = None if self._pool is None else self._pool.copy()
        return {"pool": pool, "part": self._part}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self._pool = None if state["pool"] is None else state["pool"].copy()
        self._part = state["part"]
