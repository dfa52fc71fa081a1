"""The bits of each weight, kept only as far as the codes do not tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ._codes import MOST_BITS, bits_of_codes
from ._quantized_tensor import QuantizedTensor


def describe_bits(tensor: QuantizedTensor) -> tuple[list[Any], torch.Tensor | None]:
    """Return how to find the bits of a tensor, and what must be stored for that.

    Parameters
    ----------
    tensor : QuantizedTensor
        The tensor.

    Returns
    -------
    description : list
        "codes" and the largest precision, where the power of two in a code tells its
        bits; "zeros" and the shape of what is stored, where weights that are zero have
        0 bits and others the bits of their channel or layer; "map" where all is stored.
    stored : torch.Tensor of uint8 or None
        What that is.
    """
    largest = _largest_precision(tensor)
    if largest is not None:
        return ["codes", largest], None
    for shared in _shared_bits(tensor.bits):
        if shared.numel() < tensor.bits.numel() and torch.equal(
            _with_zeros(shared, tensor.codes), tensor.bits
        ):
            return ["zeros", list(shared.shape)], shared
    return ["map"], tensor.bits.contiguous()


def stored_shape(
    description: Sequence[Any], shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return the shape of what is stored for bits of a shape, None for nothing."""
    if description[0] == "codes":
        return None
    return tuple(description[1]) if description[0] == "zeros" else shape


def bits_from(
    description: Sequence[Any],
    stored: torch.Tensor | None,
    codes: torch.Tensor,
    shape: tuple[int, ...],
) -> torch.Tensor:
    """Return the bits that `describe_bits` was given.

    Parameters
    ----------
    description : list
        As it was returned.
    stored : torch.Tensor of uint8 or None
        As it was returned.
    codes : torch.Tensor of int32
        The codes.
    shape : tuple of int
        That of the bits.

    Returns
    -------
    bits : torch.Tensor of uint8
        In that shape.
    """
    if stored is None:
        return _greatest(bits_of_codes(codes, description[1]), shape)
    return _with_zeros(stored, codes) if description[0] == "zeros" else stored


def _largest_precision(tensor: QuantizedTensor) -> int | None:
    """Return the P with which the codes tell the bits, if there is one."""
    codes, bits = tensor.codes, tensor.bits.expand(tensor.shape)
    if not codes.count_nonzero():
        return None if bits.any() or not codes.numel() else 0
    place = int(codes.reshape(-1).ne(0).to(torch.uint8).argmax())
    code, own = (int(values.reshape(-1)[place]) for values in (codes, bits))
    largest = own + (code & -code).bit_length() - 1
    if largest > MOST_BITS or int(codes.abs().max()) >= 2**largest:
        return None
    found = _greatest(bits_of_codes(codes, largest), tuple(tensor.bits.shape))
    return largest if torch.equal(found, tensor.bits) else None


def _greatest(bits: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Reduce bits to a shape that broadcasts to theirs."""
    lead = bits.ndim - len(shape)
    axes = [axis for axis, size in enumerate(shape, lead) if size < bits.shape[axis]]
    axes += range(lead)
    return (bits.amax(axes, keepdim=True) if axes else bits).reshape(shape)


def _shared_bits(bits: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the greatest bits of the layer, and of channels along the first axes."""
    if not bits.numel():
        return
    yield bits.amax().reshape([1] * bits.ndim)
    for axis in range(min(2, bits.ndim)):
        others = [other for other in range(bits.ndim) if other != axis]
        if others:
            yield bits.amax(others, keepdim=True)


def _with_zeros(shared: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    return torch.where(codes != 0, shared, shared.new_zeros(()))
