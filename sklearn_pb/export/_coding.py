"""How a tensor with zeros is written in few bytes."""

from __future__ import annotations

import math

import numpy as np
import torch

from ..exceptions import ExportError

CODED = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
OVERHEAD = 128  # bytes that a second tensor costs in the header of a file
SKIP = 255  # as a gap: so many zeros, and no value yet


def coded_bytes(tensor: torch.Tensor, mask: torch.Tensor | None = None) -> int:
    """Return how many bytes the shortest coding of a tensor takes.

    Parameters
    ----------
    tensor : torch.Tensor
        Any shape and type.
    mask : torch.Tensor of the same shape, default=None
        Where entries are kept; None means where they are not zero.

    Returns
    -------
    n_bytes : int
        Without the header of the file.
    """
    return min(_sizes(tensor, _positions(tensor, mask)).values())


def encode(
    tensor: torch.Tensor, mask: torch.Tensor | None = None
) -> tuple[str, dict[str, torch.Tensor]]:
    """Return the shortest coding of a tensor.

    The kept entries come first, then their places: one bit for each entry of the
    tensor, or one byte for each kept entry, which counts the zeros before it (255
    stands for 255 zeros and more to come). Tensors that neither makes shorter stay
    dense, and so do those that are no floats of 16 to 64 bits.

    Parameters
    ----------
    tensor : torch.Tensor
        On the CPU.
    mask : torch.Tensor of the same shape, default=None
        Where entries are kept; None means where they are not zero.

    Returns
    -------
    coding : {"dense", "bits", "gaps"}
        Which it was.
    parts : dict of str to torch.Tensor
        "values", and "bits" or "gaps" with it.
    """
    positions = _positions(tensor, mask)
    sizes = _sizes(tensor, positions)
    coding = min(sizes, key=lambda name: sizes[name] + OVERHEAD * (name != "dense"))
    flat = tensor.detach().contiguous()
    if coding == "dense":
        return coding, {"values": flat}
    places = torch.zeros(0, dtype=torch.uint8)
    if coding == "bits":
        kept = np.zeros(tensor.numel(), bool)
        kept[positions.numpy()] = True
        places = torch.from_numpy(np.packbits(kept))
    else:
        places = _write_gaps(_gaps(positions))
    return coding, {"values": flat.view(-1)[positions], coding: places}


def decode(
    coding: str, parts: dict[str, torch.Tensor], shape: tuple[int, ...]
) -> torch.Tensor:
    """Return the tensor that `encode` was given.

    Parameters
    ----------
    coding : {"dense", "bits", "gaps"}
        Which it was.
    parts : dict of str to torch.Tensor
        What `encode` returned.
    shape : tuple of int
        Of the tensor.

    Returns
    -------
    tensor : torch.Tensor
        The same bits, except that -0.0 has become 0.0 where zeros were left out.

    Raises
    ------
    ExportError
        If parts and shape do not fit together.
    """
    values, size = parts["values"], math.prod(shape)
    if coding == "dense":
        if values.shape != shape:
            raise ExportError(f"a tensor of shape {tuple(values.shape)}, not {shape}.")
        return values
    if coding == "bits":
        places = parts["bits"].numpy()
        if len(places) != -(-size // 8):
            raise ExportError(f"{len(places)} bytes of bits do not fit shape {shape}.")
        positions = torch.from_numpy(np.unpackbits(places, count=size).nonzero()[0])
    else:
        positions = _read_gaps(parts["gaps"])
    if len(positions) != len(values) or (len(positions) and positions[-1] >= size):
        raise ExportError(f"values and their places do not fit shape {shape}.")
    dense = values.new_zeros(size)
    dense[positions] = values
    return dense.view(shape)


def _positions(tensor: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if tensor.dtype not in CODED:
        return torch.arange(tensor.numel())
    kept = (tensor.detach() != 0) if mask is None else mask.bool()
    return kept.cpu().flatten().nonzero()[:, 0]


def _sizes(tensor: torch.Tensor, positions: torch.Tensor) -> dict[str, int]:
    width = tensor.element_size()
    sizes = {"dense": tensor.numel() * width}
    if tensor.dtype in CODED:
        values = len(positions) * width
        skips = int((_gaps(positions) // SKIP).sum())
        sizes["bits"] = values + -(-tensor.numel() // 8)
        sizes["gaps"] = values + len(positions) + skips
    return sizes


def _gaps(positions: torch.Tensor) -> torch.Tensor:
    """Return how many zeros precede each kept entry since the one before."""
    return positions.diff(prepend=positions.new_full((1,), -1)) - 1


def _write_gaps(gaps: torch.Tensor) -> torch.Tensor:
    ends = (gaps // SKIP + 1).cumsum(0) - 1
    written = torch.full((int(ends[-1]) + 1 if len(ends) else 0,), SKIP)
    written[ends] = gaps % SKIP
    return written.to(torch.uint8)


def _read_gaps(written: torch.Tensor) -> torch.Tensor:
    ends = written < SKIP
    return ((written.long() + ends).cumsum(0) - 1)[ends]
