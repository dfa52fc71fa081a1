"""A network without the channels and heads that are zero."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from ..exceptions import ExportError
from ..utils import check_number
from ._channels import ChannelGroup, channel_group, removable_channels
from ._comparing import relative_difference, run_precisely
from ._coupling import CoupledChannels
from ._heads import cut_heads, trace_heads, unpack_sentences_
from ._shrinking import cut_channels_


def compact(
    module: nn.Module,
    example_inputs: Any,
    masks: Mapping[str, torch.Tensor] | None = None,
    tolerance: float = 1e-5,
) -> nn.Module:
    """Return a really smaller network that computes the same.

    Every channel that `trace_channels` finds and every attention head is removed from
    all layers that it goes through if all weights that it governs are zero; of a group
    of zeros alone the first is kept. Other zeros stay.

    Parameters
    ----------
    module : nn.Module
        The network; it is not changed.
    example_inputs : torch.Tensor, tuple, list or dict
        One input, the inputs in order, or the inputs by name, on the device of the
        network; a small batch will do.
    masks : mapping of str to torch.BoolTensor, default=None
        By qualified parameter name, False where a weight is to be zero. Not needed
        where the zeros are in the weights already, as after `MaskPruner`.
    tolerance : float, default=1e-5
        How far the outputs in eval mode may be from those of `module` (with `masks`):
        ``max abs(y - y0) <= tolerance * (1 + max abs(y0))``, in float64 if the network
        runs in it.

    Returns
    -------
    smaller : nn.Module
        Of the user's own classes, with smaller layers; only attention that lost heads
        becomes `CompactAttention`, and ``nn.TransformerEncoder`` then no longer packs
        padded sentences. Training mode and ``requires_grad`` are as before.

    Raises
    ------
    TypeError
        If `module` is no module, or a mask no Boolean tensor.
    ValueError
        If a mask fits no parameter.
    ImportError
        If torch-pruning is not installed.
    ExportError
        If torch-pruning cannot trace the network, or the outputs differ.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import compact
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)
    ... )
    >>> kept = torch.tensor([True, False, True, True, False])
    >>> masks = {"0.weight": kept[:, None].expand(5, 3), "0.bias": kept}
    >>> compact(module, torch.ones(1, 3), masks)
    Sequential(
      (0): Linear(in_features=3, out_features=3, bias=True)
      (1): ReLU()
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module={module!r} must be a torch.nn.Module.")
    check_number(tolerance, "tolerance", low=0.0)
    masked = copy.deepcopy(module)
    _apply_masks_(masked, masks or {})
    removals = _find_dead(masked, example_inputs)
    unpack_sentences_(masked, [r.group for r in removals if not r.coupled])
    smaller = _without(masked, removals)
    expected = run_precisely(masked, example_inputs).outputs
    if _difference(smaller, example_inputs, expected) > tolerance:
        wrong = [
            removal.group.name
            for removal in removals
            if _difference(_without(masked, [removal]), example_inputs, expected)
            > tolerance
        ]
        raise ExportError(
            f"The smaller network does not compute the same within tolerance="
            f"{tolerance:g}. What changes the outputs is the removal of the zeros in: "
            f"{', '.join(wrong) or 'no group alone, only of several'}."
        )
    return smaller


class _Removal(NamedTuple):
    """What to remove of one group of channels, or of heads where none are coupled."""

    group: ChannelGroup
    dead: torch.Tensor
    coupled: CoupledChannels | None


@torch.no_grad()
def _apply_masks_(module: nn.Module, masks: Mapping[str, torch.Tensor]) -> None:
    parameters = dict(module.named_parameters(remove_duplicate=False))
    for name, mask in masks.items():
        if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
            raise TypeError(f"masks[{name!r}] must be a tensor of torch.bool.")
        if name not in parameters or mask.shape != parameters[name].shape:
            found = tuple(parameters[name].shape) if name in parameters else "missing"
            raise ValueError(
                f"masks[{name!r}] of shape {tuple(mask.shape)} must have the name and "
                f"the shape of a parameter of the network, which is {found}."
            )
        parameters[name].masked_fill_(~mask.to(parameters[name].device), 0.0)


def _find_dead(module: nn.Module, example_inputs: Any) -> list[_Removal]:
    """Return the groups with zero channels or heads, never all of a group."""
    candidates: list[tuple[ChannelGroup, CoupledChannels | None]] = [
        (channel_group(module, coupled), coupled)
        for coupled in removable_channels(module, example_inputs)
    ]
    candidates += [(group, None) for group in trace_heads(module)]
    removals = []
    for group, coupled in candidates:
        dead = ~group.live(module)
        if dead.all():
            dead[0] = False
        if dead.any():
            removals.append(_Removal(group, dead, coupled))
    return removals


def _without(module: nn.Module, removals: list[_Removal]) -> nn.Module:
    smaller = copy.deepcopy(module)
    cut_channels_(smaller, [(r.coupled, r.dead) for r in removals if r.coupled])
    return cut_heads(smaller, [(r.group, r.dead) for r in removals if not r.coupled])


def _difference(
    module: nn.Module, example_inputs: Any, expected: list[torch.Tensor]
) -> float:
    try:
        outputs = run_precisely(module, example_inputs).outputs
        return relative_difference(expected, outputs)
    except Exception:  # shapes that the network does not expect
        return math.inf
