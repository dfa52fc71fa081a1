"""Constant tensors that follow the points they are evaluated at."""

from __future__ import annotations

from typing import Any

import torch


class PlacedTensors:
    """Constant tensors, copied once to the dtype and device that is asked for.

    Only the last copy is kept, so that a function evaluated on one device holds at
    most two copies of its constants. Copies are left out of pickles.

    Parameters
    ----------
    **tensors : torch.Tensor
        The constants by name. Tensors of integers keep their dtype.
    """

    def __init__(self, **tensors: torch.Tensor) -> None:
        self._masters = tensors
        self._last: tuple[Any, dict[str, torch.Tensor]] | None = None

    def like(
        self, points: torch.Tensor, dtype: torch.dtype | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the constants on the device of `points`.

        Parameters
        ----------
        points : torch.Tensor
            Gives the device and, if `dtype` is None, the dtype.
        dtype : torch.dtype, default=None
            The floating point dtype wanted.

        Returns
        -------
        tensors : dict of str to torch.Tensor
            The constants by name.
        """
        wanted = (dtype or points.dtype, points.device)
        last = self._last
        if last is not None and last[0] == wanted:
            return last[1]
        placed = {
            name: tensor.to(
                device=wanted[1],
                dtype=wanted[0] if tensor.is_floating_point() else tensor.dtype,
            )
            for name, tensor in self._masters.items()
        }
        self._last = (wanted, placed)
        return placed

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._masters[name]

    def __contains__(self, name: str) -> bool:
        return name in self._masters

    def __getstate__(self) -> dict[str, Any]:
        return {"_masters": self._masters, "_last": None}
