"""The layers whose channels can be removed, and where their parameters hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from ._recurrent import Part, has_units, input_columns, unit_columns, unit_rows

# The axis of the output channels in each parameter that a channel governs.
Axes = Mapping[str, int]

_PRODUCERS = (_ConvNd, nn.Linear, nn.Embedding)
_NORMS = (_BatchNorm, _InstanceNorm)


def is_producer(layer: nn.Module) -> bool:
    """Whether a layer makes channels, and not only passes them on."""
    return isinstance(layer, _PRODUCERS) and not _is_depthwise(layer)


def is_removable(layer: nn.Module) -> bool:
    """Whether channels of a layer can be removed without a change of the others.

    Norms over channels (layer, group) would see other statistics, and what has been
    parametrized has no parameter to cut.
    """
    if isinstance(layer, _ConvNd) and layer.groups > 1 and not _is_depthwise(layer):
        return False
    if not isinstance(layer, (*_PRODUCERS, *_NORMS, nn.PReLU)):
        return False
    own = {name for name, _ in layer.named_parameters(recurse=False)}
    return all(getattr(layer, name) is None or name in own for name in _held(layer))


def governed_axes(layer: nn.Module) -> Axes:
    """Return the parameters that are zero for a zero channel, and their axes.

    Without the slopes of PReLU: these act on zeros alone.
    """
    if isinstance(layer, nn.PReLU):
        return {}
    axis = 0
    if isinstance(layer, nn.Embedding) or (
        isinstance(layer, _ConvNd) and layer.transposed and layer.groups == 1
    ):
        axis = 1
    axes = {"weight": axis, "bias": 0}
    return {
        name: axes[name] for name in _held(layer) if getattr(layer, name) is not None
    }


def written_parts(layer: nn.Module, channel: torch.Tensor) -> list[Part]:
    """Return what is zero where a channel is zero that a layer gives out."""
    if has_units(layer):
        return unit_rows(layer, channel)
    return [(name, axis, channel) for name, axis in governed_axes(layer).items()]


def read_parts(layer: nn.Module, is_output: bool, channel: torch.Tensor) -> list[Part]:
    """Return what reads channels that come in, or that a layer hands to itself."""
    if has_units(layer):
        reading = unit_columns if is_output else input_columns
        return reading(layer, channel)
    if is_output:
        return []
    return [("weight", 1 - governed_axes(layer)["weight"], channel)]


def tied_layers(module: nn.Module) -> set[nn.Module]:
    """Return the layers that share a parameter with another layer."""
    owners = [
        (layer, parameter)
        for layer in module.modules()
        for parameter in layer.parameters(recurse=False)
    ]
    uses = Counter(id(parameter) for _, parameter in owners)
    return {layer for layer, parameter in owners if uses[id(parameter)] > 1}


def qualified(layer: str, parameter: str) -> str:
    """Return the name of a layer's parameter as ``named_parameters`` has it."""
    return f"{layer}.{parameter}" if layer else parameter


def _held(layer: nn.Module) -> tuple[str, ...]:
    return ("weight", "bias") if hasattr(layer, "bias") else ("weight",)


def _is_depthwise(layer: nn.Module) -> bool:
    return (
        isinstance(layer, _ConvNd)
        and layer.groups > 1
        and layer.groups == layer.in_channels == layer.out_channels
    )
