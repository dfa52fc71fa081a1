"""What the checks share: claims with messages, and watching the global generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state


def claim(condition: object, message: str) -> None:
    """Raise an AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def attempt(action: Callable[[], Any], message: str) -> Any:
    """Return what the action gives; what it raises becomes an AssertionError."""
    try:
        return action()
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{message}: {type(error).__name__}: {error}") from error


@contextmanager
def untouched_global_generators(what: str) -> Iterator[None]:
    """Raise if torch's or numpy's global generator was used inside the block."""
    numpy_generator = check_random_state(None)  # the global one
    torch_state, numpy_state = torch.get_rng_state(), numpy_generator.get_state()
    yield
    claim(
        torch.equal(torch_state, torch.get_rng_state()),
        f"{what} drew from torch's global generator; draw from the RandomStream it is "
        "given (`stream.torch_generator()`), so that results are reproducible.",
    )
    same = all(
        np.array_equal(old, new)
        for old, new in zip(numpy_state, numpy_generator.get_state(), strict=True)
    )
    claim(
        same,
        f"{what} drew from numpy's global generator; draw from the RandomStream it is "
        "given, so that results are reproducible.",
    )


def check_tensor(value: object, what: str, shape: tuple, dtype: torch.dtype) -> None:
    """Raise unless the value is a finite tensor of that shape and dtype."""
    claim(
        isinstance(value, torch.Tensor),
        f"{what} is a {type(value).__name__}; it must be a torch.Tensor.",
    )
    assert isinstance(value, torch.Tensor)
    claim(
        tuple(value.shape) == shape,
        f"{what} has shape {tuple(value.shape)}; it must be {shape}.",
    )
    claim(
        value.dtype == dtype,
        f"{what} has dtype {value.dtype}; it must be {dtype}, as its input.",
    )
    if value.is_floating_point():
        claim(torch.isfinite(value).all(), f"{what} is not finite: {value.tolist()}.")
