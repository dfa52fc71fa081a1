"""The weights of a small network, cut out of a flat vector, for many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

from ..utils import check_number


def check_sizes(sizes: Any, name: str) -> tuple[int, ...]:
    """Return layer sizes as a tuple of positive ints, or raise an error."""
    if isinstance(sizes, (str, int)) or not hasattr(sizes, "__iter__"):
        raise TypeError(f"{name} must be a sequence of integers, got {sizes!r}.")
    checked = tuple(sizes)
    for i, size in enumerate(checked):
        check_number(size, f"{name}[{i}]", low=1, integer=True)
    return tuple(int(size) for size in checked)


def layer_shapes(sizes: Sequence[int], bias: bool = False) -> list[tuple[int, int]]:
    """Shapes (outputs, inputs) of the layers; a bias is one more input."""
    return [(after, before + bias) for before, after in pairwise(sizes)]


def count_weights(shapes: Sequence[tuple[int, int]]) -> int:
    """How many weights the layers have."""
    return sum(outputs * inputs for outputs, inputs in shapes)


def split_weights(
    flat: torch.Tensor, shapes: Sequence[tuple[int, int]]
) -> list[torch.Tensor]:
    """Weights (n, outputs, inputs) of each layer from the rows of (n, n_weights)."""
    parts = flat.split([outputs * inputs for outputs, inputs in shapes], 1)
    return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]


def apply_layer(weights: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Products of every row's weights (n, outputs, k) with the inputs.

    Inputs have shape (k, m), shared by all rows, or (n, k, m); m is the number of
    observations. Shared inputs take one product for all rows.
    """
    if inputs.ndim == 2:
        return (weights.flatten(0, 1) @ inputs).unflatten(0, weights.shape[:2])
    return torch.bmm(weights, inputs)
