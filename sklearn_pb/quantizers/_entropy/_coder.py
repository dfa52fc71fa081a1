"""Arrays of whole numbers in one string of bytes, and back."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ._alphabet import Alphabet
from ._models import Model, Spans
from ._plans import DIGIT_BITS, FORMS, Plan, width_of
from ._rans import LANE_BITS, Decoder, encode
from ._scan import ORDERS

LANE_SHARE = 0.004  # of the stream that lanes may take
MAX_LANES = 4096
ENOUGH_STEPS = 1 << 12
MAX_STEPS = 1 << 15  # about; more lanes are taken where there would be more


def write(plans: Sequence[Plan]) -> tuple[list[Any], bytes]:
    """Write arrays in the ways that were planned for them.

    Parameters
    ----------
    plans : sequence of Plan
        One an array.

    Returns
    -------
    description : list
        What a reader must know, for JSON: the lanes, then a list an array.
    data : bytes
        What zlib made of some arrays, and the stream of the others.
    """
    n_lanes = lanes_of(plans)
    leaves = (leaf for plan in plans for leaf in plan.leaves())
    spans = [model.spans(codes, n_lanes) for model, codes in leaves]
    data = b"".join(piece for plan in plans for piece in plan.packed())
    if spans:
        data += encode(*_joined(spans), n_lanes)
    return [n_lanes, *map(_describe, plans)], data


def read(
    description: Sequence[Any], data: bytes, shapes: Sequence[tuple[int, ...]]
) -> list[np.ndarray]:
    """Read what `write` wrote.

    Parameters
    ----------
    description : list
        As it was returned.
    data : bytes
        As it was returned.
    shapes : sequence of tuple of int
        Those of the arrays.

    Returns
    -------
    arrays : list of ndarray of int64
        The arrays.

    Raises
    ------
    ValueError
        If data and description do not go together.
    """
    n_lanes, *entries = description
    begin = sum(_packed_size(entry) for entry in entries)
    decoder = Decoder(data[begin:], n_lanes)
    reader = _Reader(data[:begin], decoder, n_lanes)
    arrays = [
        reader.array(entry, shape) for entry, shape in zip(entries, shapes, strict=True)
    ]
    decoder.finish()
    return arrays


def stream_bits(plans: Sequence[Plan]) -> float:
    """Return how many bits `write` will take for the data, to within a few bytes.

    Parameters
    ----------
    plans : sequence of Plan
        One an array.

    Returns
    -------
    bits : float
        Without the description.
    """
    return sum(plan.bits for plan in plans) + LANE_BITS * lanes_of(plans)


def lanes_of(plans: Sequence[Plan]) -> int:
    """Return with how many lanes arrays are coded.

    Parameters
    ----------
    plans : sequence of Plan
        One an array.

    Returns
    -------
    n_lanes : int
        0 if nothing goes into the stream.
    """
    sizes = [codes.size for plan in plans for _, codes in plan.leaves()]
    if not sizes:
        return 0
    bits = sum(plan.bits for plan in plans)
    wanted = min(LANE_SHARE * bits / LANE_BITS, sum(sizes) / ENOUGH_STEPS)
    return min(MAX_LANES, max(1, round(max(wanted, sum(sizes) / MAX_STEPS))))


class _Reader:
    """Takes arrays out of the data, in the order in which they were written."""

    def __init__(self, packed: bytes, decoder: Decoder, n_lanes: int) -> None:
        self._packed = packed
        self._decoder = decoder
        self._n_lanes = n_lanes
        self._begin = 0

    def array(self, entry: list[Any], shape: tuple[int, ...]) -> np.ndarray:
        """Return the next array."""
        form, *rest = entry
        if form not in FORMS:
            raise ValueError(f"{form!r} is no form of an array.")
        return getattr(self, f"_{form}")(shape, *rest)

    def _empty(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape, np.int64)

    def _constant(self, shape: tuple[int, ...], value: int) -> np.ndarray:
        return np.full(shape, value, np.int64)

    def _model(
        self,
        shape: tuple[int, ...],
        order: int,
        low: int,
        size: int,
        stride: int,
        by_powers: int,
        smoothing: int,
        strength: int,
    ) -> np.ndarray:
        alphabet = Alphabet(low, stride, size, bool(by_powers))
        model = Model(alphabet, ORDERS[order], smoothing, strength)
        return model.decode(self._decoder, shape, self._n_lanes)

    def _digits(
        self, shape: tuple[int, ...], high: list[Any], low: list[Any]
    ) -> np.ndarray:
        return (self.array(high, shape) << DIGIT_BITS) | self.array(low, shape)

    def _sparse(
        self, shape: tuple[int, ...], size: int, gaps: list[Any], values: list[Any]
    ) -> np.ndarray:
        array = np.zeros(math.prod(shape), np.int64)
        places = (self.array(gaps, (size,)) + 1).cumsum() - 1
        array[places] = self.array(values, (size,))
        return array.reshape(shape)

    def _raw(
        self, shape: tuple[int, ...], n_bytes: int, low: int, size: int, stride: int
    ) -> np.ndarray:
        alphabet = Alphabet(low, stride, size)
        n, width = math.prod(shape), width_of(alphabet)
        data = np.frombuffer(self._take(n_bytes), np.uint8)
        bits = np.unpackbits(data, count=n * width).reshape(n, width)
        symbols = bits.astype(np.int64) @ (1 << np.arange(width))
        return alphabet.values[symbols].reshape(shape)

    def _deflate(self, shape: tuple[int, ...], n_bytes: int) -> np.ndarray:
        data = self._take(n_bytes)
        codes = np.frombuffer(zlib.decompress(data[1:]), f"<i{data[:1].decode()}")
        return codes.astype(np.int64).reshape(shape)

    def _take(self, n_bytes: int) -> bytes:
        self._begin += n_bytes
        return self._packed[self._begin - n_bytes : self._begin]


def _packed_size(entry: list[Any]) -> int:
    """Return the bytes of an array that are not in the stream."""
    if entry[0] in ("raw", "deflate"):
        return entry[1]
    return sum(_packed_size(part) for part in entry if isinstance(part, list))


def _joined(spans: Sequence[Spans]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    edges = [0]
    for span in spans:
        begin = edges[-1]
        edges += [begin + edge for edge in span.edges[1:]]
    starts = np.concatenate([span.starts for span in spans])
    return starts, np.concatenate([span.widths for span in spans]), edges


def _describe(plan: Plan) -> list[Any]:
    known: list[Any] = [plan.form]
    if plan.data:
        known.append(len(plan.data))
    if plan.form == "sparse":
        known.append(plan.parts[0].codes.size)
    if plan.form == "constant" and plan.alphabet is not None:
        known.append(plan.alphabet.low)
    elif plan.model is not None:
        known += [ORDERS.index(plan.model.order), *_numbers(plan.model.alphabet)]
        alike = int(plan.model.alphabet.by_powers)
        known += [alike, plan.model.smoothing, plan.model.strength]
    elif plan.alphabet is not None:
        known += _numbers(plan.alphabet)
    return [*known, *map(_describe, plan.parts)]


def _numbers(alphabet: Alphabet) -> list[int]:
    return [alphabet.low, alphabet.size, alphabet.stride]
