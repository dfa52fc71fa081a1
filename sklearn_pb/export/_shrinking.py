"""Cutting channels out of the layers of a network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import nn

from ._coupling import CoupledChannels
from ._graph import load_torch_pruning
from ._recurrent import cut_recurrent_, has_units


def cut_channels_(
    module: nn.Module, removals: Iterable[tuple[CoupledChannels, torch.Tensor]]
) -> None:
    """Remove channels from a network, in place.

    Parameters
    ----------
    module : nn.Module
        The network that the groups were found in, or a copy of it.
    removals : iterable of (CoupledChannels, torch.BoolTensor of shape (n_channels,))
        Groups with the channels to remove. They refer to the network as it is before
        any of them is removed.
    """
    doomed: dict[tuple[str, bool], set[int]] = defaultdict(set)
    for group, removed in removals:
        for layer, is_output, channel in group.rows:
            gone = (channel >= 0) & removed[channel]
            doomed[layer, is_output].update(gone.nonzero().flatten().tolist())
    for (name, is_output), rows in doomed.items():
        if rows:
            part = module.get_submodule(name)
            cut = cut_recurrent_ if has_units(part) else _cut_
            cut(part, is_output, sorted(rows))


def _cut_(layer: nn.Module, is_output: bool, rows: list[int]) -> None:
    torch_pruning = load_torch_pruning()
    kind = torch_pruning.ops.module2type(layer)
    pruner = torch_pruning.pruner.function.PrunerBox[kind]
    wanted = {name: p.requires_grad for name, p in layer.named_parameters()}
    (pruner.prune_out_channels if is_output else pruner.prune_in_channels)(layer, rows)
    for name, parameter in layer.named_parameters():
        parameter.requires_grad_(wanted[name])
