"""What all files of a state dict have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


def check_state(state: Mapping[str, Any], kind: str) -> None:
    """Raise TypeError if a state dict holds anything but dense tensors.

    Parameters
    ----------
    state : dict
        Values by name.
    kind : str
        The kind of file, for the message.
    """
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise TypeError(
                f"The state dict holds {name!r}, a {type(value).__name__} that is no "
                f"dense tensor; a {kind} file holds nothing else."
            )


def with_twins(
    state: Mapping[str, torch.Tensor],
) -> Iterator[tuple[str, torch.Tensor, str | None]]:
    """Yield name, tensor and the name of an earlier one that is the same memory.

    Parameters
    ----------
    state : dict of str to torch.Tensor
        Tensors by name.
    """
    seen: dict[tuple[Any, ...], str] = {}
    for name, tensor in state.items():
        place = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride())
        twin = seen.setdefault((*place, tensor.dtype), name)
        yield name, tensor, twin if twin != name and tensor.numel() else None


@contextmanager
def replaced_when_whole(path: str | os.PathLike[str]) -> Iterator[str]:
    """Lend a name to write to; what was written becomes the file if nothing failed.

    Parameters
    ----------
    path : str or path-like
        The file.
    """
    partial = f"{os.fspath(path)}.partial"
    try:
        yield partial
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)
