"""A short name for settings and data that is the same in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.parameter import is_lazy

_DEEPEST = 8  # settings that refer to each other would never end


def fingerprint(value: Any) -> str:
    """Return a short text that differs where settings or data differ.

    Neither addresses in memory nor the order of a dict or set count, so that another
    process finds the same. Functions and classes count by their name only.

    Parameters
    ----------
    value : object
        Numbers, strings, arrays, tensors, estimators, modules, functions, and
        containers or plain objects of them.

    Returns
    -------
    text : str
        Twelve hexadecimal digits.

    Examples
    --------
    >>> from sklearn_pb.utils import fingerprint
    >>> fingerprint({"a": 1, "b": 2.5}) == fingerprint({"b": 2.5, "a": 1})
    True
    """
    digest = hashlib.sha256()
    for part in _parts(value, 0):
        digest.update(part)
    return digest.hexdigest()[:12]


def _parts(value: Any, depth: int) -> Iterator[bytes | memoryview]:
    if isinstance(value, np.generic):
        value = value.item()
    yield f"<{type(value).__module__}.{type(value).__qualname__}".encode()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        yield repr(value).encode()
    elif isinstance(value, (np.ndarray, torch.Tensor)):
        yield from _array_parts(value)
    elif isinstance(value, torch.Generator):
        yield from _array_parts(value.get_state())
    elif callable(value) and hasattr(value, "__qualname__"):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    elif depth < _DEEPEST:
        for entry in _entries(value):
            yield from _parts(entry, depth + 1)
    yield b">"


def _array_parts(value: np.ndarray | torch.Tensor) -> Iterator[bytes | memoryview]:
    if isinstance(value, torch.Tensor):
        if is_lazy(value):
            return
        yield str(value.dtype).encode()
        shape = tuple(value.shape)
        value = value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
    else:
        shape = value.shape
        yield str(value.dtype).encode()
    yield str(shape).encode()
    if value.dtype == object:
        yield repr(value.tolist()).encode()
    else:
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data


def _entries(value: Any) -> Iterator[Any]:
    """What a container or an object consists of."""
    if isinstance(value, torch.nn.Module):
        yield str(value)
        value = value.state_dict()
    if isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield key
            yield value[key]
    elif isinstance(value, (set, frozenset)):
        yield from sorted(value, key=repr)
    elif isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    elif hasattr(value, "get_params"):
        yield from _entries(value.get_params(deep=False))
    else:
        yield from _entries(getattr(value, "__dict__", {}))
