"""Tensors in their own type as bytes, without loss."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ._coding import decode, encode

STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)


def pack_tensors(tensors: Iterable[torch.Tensor]) -> tuple[list[Any], bytes]:
    """Return tensors as bytes.

    Of a tensor with many zeros, the others and their places are written. All entries
    of a type lie side by side, their first bytes together, then their second ones and
    so on, so that zlib can make use of the few exponents that occur.

    Parameters
    ----------
    tensors : iterable of torch.Tensor
        On the CPU.

    Returns
    -------
    description : list
        What a reader must know, for JSON.
    data : bytes
        The tensors.
    """
    entries: list[list[Any]] = []
    piles: dict[str, list[torch.Tensor]] = {}
    for tensor in tensors:
        entry, parts = _encode(tensor)
        entries.append(entry)
        for part in parts:
            piles.setdefault(name_of(part.dtype), []).append(part.reshape(-1))
    packed = {name: _pack(torch.cat(pile)) for name, pile in piles.items()}
    lengths = [[name, sizes] for name, (sizes, _) in packed.items()]
    return [entries, lengths], b"".join(data for _, data in packed.values())


def unpack_tensors(description: Sequence[Any], data: bytes) -> list[torch.Tensor]:
    """Return the tensors that `pack_tensors` was given.

    Parameters
    ----------
    description : list
        As it was returned.
    data : bytes
        As it was returned.

    Returns
    -------
    tensors : list of torch.Tensor
        The same bits.

    Raises
    ------
    ValueError
        If description and data do not go together.
    """
    entries, lengths = description
    piles, begin = {}, 0
    for name, sizes in lengths:
        end = begin + sum(abs(size) for size in sizes)
        piles[name] = _Pile(_unpack(data[begin:end], sizes, dtype_of(name)))
        begin = end
    if begin != len(data):
        raise ValueError(f"{len(data)} bytes of tensors instead of {begin}.")
    return [_decode(entry, piles) for entry in entries]


class _Pile:
    """The entries of a type, from which tensors are taken one after the other."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values
        self._begin = 0

    def take(self, size: int) -> torch.Tensor:
        values = self._values[self._begin : self._begin + size]
        self._begin += size
        return values.clone()


def _encode(tensor: torch.Tensor) -> tuple[list[Any], list[torch.Tensor]]:
    dtype, shape = name_of(tensor.dtype), list(tensor.shape)
    coding, parts = encode(tensor)
    if coding == "dense" or not _same_bits(decode(coding, parts, tensor.shape), tensor):
        return [dtype, shape], [tensor.detach().contiguous()]
    found = [parts["values"], parts[coding]]
    return [dtype, shape, coding, *(part.numel() for part in found)], found


def _decode(entry: Sequence[Any], piles: Mapping[str, _Pile]) -> torch.Tensor:
    dtype, shape, *coding = entry
    if not coding:
        size = math.prod(shape)
        if not size:
            return torch.empty(shape, dtype=dtype_of(dtype))
        return piles[dtype].take(size).view(shape)
    kind, n_values, n_places = coding
    parts = {"values": piles[dtype].take(n_values)}
    parts[kind] = piles["uint8"].take(n_places)
    return decode(kind, parts, tuple(shape))


def _same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether they agree in the signs of zeros as well."""
    return torch.equal(_bytes_of(first), _bytes_of(second))


def _bytes_of(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


def _pack(values: torch.Tensor) -> tuple[list[int], bytes]:
    """Return bytes, and how many each plane has, as a negative number after zlib."""
    planes = _bytes_of(values).view(-1, values.element_size()).numpy()
    sizes, pieces = [], []
    for plane in planes.T:
        plain = plane.tobytes()
        short = min((_deflate(plain, strategy) for strategy in STRATEGIES), key=len)
        shorter = len(short) < len(plain)
        pieces.append(short if shorter else plain)
        sizes.append(-len(short) if shorter else len(plain))
    return sizes, b"".join(pieces)


def _unpack(data: bytes, sizes: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    planes, begin = [], 0
    for size in sizes:
        piece = data[begin : begin + abs(size)]
        plain = zlib.decompress(piece, -zlib.MAX_WBITS) if size < 0 else piece
        planes.append(np.frombuffer(plain, np.uint8))
        begin += abs(size)
    interleaved = np.ascontiguousarray(np.stack(planes, 1)).reshape(-1)
    return torch.from_numpy(interleaved).view(dtype)


def _deflate(data: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return packer.compress(data) + packer.flush()


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type, without the module."""
    return str(dtype).removeprefix("torch.")


def dtype_of(name: str) -> torch.dtype:
    """Return the type of a name; raises ValueError if there is none."""
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"{name!r} is no type of a tensor.")
    return dtype
