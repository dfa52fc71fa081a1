"""How an array of whole numbers is coded: which models, and of which parts of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ._alphabet import Alphabet
from ._choice import cheapest
from ._models import Model

FORMS = ("empty", "constant", "raw", "model", "digits", "sparse", "deflate")
MAX_ALPHABET = 512
DIGIT_BITS = 8  # of the lower digit where an alphabet is larger
SPARSE = 0.04  # density below which the gaps between non-zeros are tried
NODE_BITS = 64.0  # what the description of a model costs, about
SAMPLE = 1 << 17  # entries that tell whether zlib is worth the time
SYMBOL_BITS = 2.0**-9  # what a symbol costs in lanes, and as a price of time


@dataclass(frozen=True, eq=False)
class Plan:
    """How an array is coded.

    Parameters
    ----------
    form : {"empty", "constant", "raw", "model", "digits", "sparse", "deflate"}
        As nothing; one number; symbols of equally many bits; by a model; as its higher
        and its lower digits; as the gaps between non-zeros and the non-zeros; by zlib.
    codes : ndarray of int64
        The array.
    bits : float, default=0.0
        Its information content, so coded.
    alphabet : Alphabet or None
        Its numbers, for "constant" and "raw".
    model : Model or None
        That of "model".
    parts : tuple of Plan
        Those of "digits" and "sparse".
    data : bytes
        Those of "raw" and "deflate".
    """

    form: str
    codes: np.ndarray
    bits: float = 0.0
    alphabet: Alphabet | None = None
    model: Model | None = None
    parts: tuple[Plan, ...] = ()
    data: bytes = b""

    @property
    def cost(self) -> float:
        """Bits, with those of the description and the lanes."""
        symbols = sum(codes.size for _, codes in self.leaves())
        return self.bits + NODE_BITS * self.n_nodes + SYMBOL_BITS * symbols

    @property
    def n_nodes(self) -> int:
        """Plans in this one, itself included."""
        return 1 + sum(part.n_nodes for part in self.parts)

    def leaves(self) -> Iterator[tuple[Model, np.ndarray]]:
        """Yield what goes into the stream."""
        if self.model is not None:
            yield self.model, self.codes
        for part in self.parts:
            yield from part.leaves()

    def packed(self) -> Iterator[bytes]:
        """Yield what does not go into the stream."""
        if self.data:
            yield self.data
        for part in self.parts:
            yield from part.packed()


def plan(codes: np.ndarray, exact: bool = True) -> Plan:
    """Return the cheapest way to code an array.

    Parameters
    ----------
    codes : ndarray of int64
        Any shape.
    exact : bool, default=True
        False is faster, for whoever asks for the size only: bits are estimated, zlib is
        not tried, and the plan cannot be written.

    Returns
    -------
    plan : Plan
        The way.
    """
    options = [_whole(codes, exact)]
    if 0 < np.count_nonzero(codes) < SPARSE * codes.size:
        options.append(_sparse(codes, exact))
    best = min(options, key=lambda option: option.cost)
    if not exact or not best.bits or not _repeats(codes, best):
        return best
    return min(best, _deflated(codes), key=lambda option: option.cost)


def _whole(codes: np.ndarray, exact: bool) -> Plan:
    if not codes.size:
        return Plan("empty", codes)
    alphabet = Alphabet.of(codes)
    if alphabet.size == 1:
        return Plan("constant", codes, alphabet=alphabet)
    if alphabet.size > MAX_ALPHABET:
        high, low = codes >> DIGIT_BITS, codes & ((1 << DIGIT_BITS) - 1)
        return _composed("digits", codes, exact, high, low)
    model, bits = cheapest(codes, alphabet, exact)
    raw = Plan("raw", codes, float(codes.size * width_of(alphabet)), alphabet)
    if raw.bits > bits + SYMBOL_BITS * codes.size:
        return Plan("model", codes, bits, model=model)
    return replace(raw, data=_raw(codes, alphabet)) if exact else raw


def _sparse(codes: np.ndarray, exact: bool) -> Plan:
    flat = codes.reshape(-1)
    places = flat.nonzero()[0]
    gaps = np.diff(places, prepend=-1) - 1
    return _composed("sparse", codes, exact, gaps, flat[places])


def _composed(form: str, codes: np.ndarray, exact: bool, *arrays: np.ndarray) -> Plan:
    parts = tuple(_whole(array, exact) for array in arrays)
    return Plan(form, codes, sum(part.bits for part in parts), parts=parts)


def width_of(alphabet: Alphabet) -> int:
    """Return how many bits number the symbols."""
    return (alphabet.size - 1).bit_length()


def _raw(codes: np.ndarray, alphabet: Alphabet) -> bytes:
    symbols = alphabet.symbols(codes).reshape(-1, 1)
    bits = symbols >> np.arange(width_of(alphabet)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def _repeats(codes: np.ndarray, best: Plan) -> bool:
    """Whether zlib may be better, as a quick look tells."""
    sample = codes.reshape(-1)[:SAMPLE]
    return _deflated(sample, 1).bits * codes.size < 1.1 * best.bits * sample.size


def _deflated(codes: np.ndarray, level: int = 9) -> Plan:
    """Return the plan "deflate": bytes of an entry, and what zlib makes of them."""
    extremes = int(codes.min()), int(codes.max())
    dtype = next(
        dtype
        for dtype in ("<i1", "<i2", "<i4", "<i8")
        if np.iinfo(dtype).min <= extremes[0] and extremes[1] <= np.iinfo(dtype).max
    )
    data = dtype[-1:].encode() + zlib.compress(codes.astype(dtype).tobytes(), level)
    return Plan("deflate", codes, 8.0 * len(data), data=data)
