"""Where vectors lie that are read and written together."""

from __future__ import annotations

import torch

_PAGE, _PLACES = 4096, 4  # bytes, and places in them


def placed(values: torch.Tensor, place: int) -> torch.Tensor:
    """Return a copy that begins at a place of its memory page of its own.

    A processor takes a load for one of a recent store where the addresses agree but
    for their pages, and waits. That is what happens to large vectors that begin alike
    and are stepped through together.

    Parameters
    ----------
    values : torch.Tensor
        One that is small, or not on the CPU, is returned as it is.
    place : int
        0, 1, 2 or 3: another one for each of the vectors.

    Returns
    -------
    placed : torch.Tensor
        The same values.
    """
    size = values.numel() * values.element_size()
    if not values.is_cpu or size < 16 * _PAGE:
        return values
    room = torch.empty(size + _PAGE, dtype=torch.uint8)
    start = (place * (_PAGE // _PLACES) - room.data_ptr()) % _PAGE
    return room[start : start + size].view(values.dtype).view_as(values).copy_(values)
