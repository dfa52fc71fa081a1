"""Comparing the outputs of two networks, in float64 where that runs."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ..exceptions import ExportError
from ._graph import tensors_of
from ._running import run


class PreciseRun(NamedTuple):
    """A copy of a network, its inputs and its outputs, in float64 if that runs."""

    module: nn.Module
    inputs: Any
    outputs: list[torch.Tensor]


def run_precisely(module: nn.Module, example_inputs: Any) -> PreciseRun:
    """Run a copy of a module in eval mode, in float64 if it can.

    A network that makes tensors of its own type runs as it is. Outputs without any
    tensor are an ExportError, as nothing could be compared.
    """
    copied, inputs = copy.deepcopy(module).double(), in_float64(example_inputs)
    try:
        outputs = run(copied, inputs)
    except RuntimeError:  # types that do not match
        copied, inputs = copy.deepcopy(module), example_inputs
        outputs = run(copied, inputs)
    tensors = tensors_of(outputs)
    if not tensors:
        raise ExportError(
            f"{type(module).__name__} returns {type(outputs).__name__}, which "
            "holds no tensor, alone or in tuples, lists and dicts."
        )
    return PreciseRun(copied, inputs, tensors)


def in_float64(inputs: Any) -> Any:
    """Return inputs, which may be nested, with floating-point tensors in float64."""
    if isinstance(inputs, torch.Tensor):
        return inputs.double() if inputs.is_floating_point() else inputs
    if isinstance(inputs, Mapping):
        return {name: in_float64(value) for name, value in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        values = [in_float64(value) for value in inputs]
        return values if isinstance(inputs, list) else tuple(values)
    return inputs


def relative_difference(first: list[torch.Tensor], second: list[torch.Tensor]) -> float:
    """Return the largest of |a - b| / (1 + max |a|).

    Parameters
    ----------
    first, second : list of torch.Tensor
        Outputs of two networks; the first give the scale.

    Returns
    -------
    difference : float
        At least 0; infinite if shapes differ or something is not a number.
    """
    if [a.shape for a in first] != [b.shape for b in second]:
        return float("inf")
    differences = [
        _distance(a.double(), b.double())
        for a, b in zip(first, second, strict=True)
        if a.numel()
    ]
    return max(differences, default=0.0)


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    scale = 1 + a[a.isfinite()].abs().max() if a.isfinite().any() else 1.0
    distance = ((a - b).abs().masked_fill(a == b, 0.0).max() / scale).item()
    return math.inf if math.isnan(distance) else distance
