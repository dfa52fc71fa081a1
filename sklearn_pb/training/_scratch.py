"""Tensors that reuse memory: on a CPU a fresh megabyte costs more than filling it."""

from __future__ import annotations

import torch

_use_count = getattr(torch._C, "_storage_Use_Count", None)


class Scratch:
    """Hand out uninitialised tensors, from memory that nobody uses any more.

    Large blocks go back to the operating system when torch frees them, and a page
    fault a page brings them in again. Here they are kept, and given out anew once
    neither Python nor an autograd graph holds them. On other devices, where torch
    caches blocks itself, tensors are simply made.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple, list[torch.UntypedStorage]] = {}

    def like(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return an uninitialised tensor.

        Parameters
        ----------
        tensor : torch.Tensor
            Its shape, type and device are taken.

        Returns
        -------
        empty : torch.Tensor
            Contiguous.
        """
        if tensor.device.type != "cpu" or _use_count is None:
            return torch.empty(tensor.shape, dtype=tensor.dtype, device=tensor.device)
        blocks = self._blocks.setdefault((tensor.shape, tensor.dtype), [])
        for storage in blocks:
            if _use_count(storage._cdata) == 1:
                break
        else:
            storage = torch.empty_like(tensor).untyped_storage()
            blocks.append(storage)
        whole = torch.empty(0, dtype=tensor.dtype).set_(storage)
        return whole.view(tensor.shape)

    def __getstate__(self) -> dict:
        """Copies and pickles start without memory of their own."""
        return {"_blocks": {}}
