"""Recurrent layers: their hidden units as channels, in tracing and in cutting.

Unit j has a row in each gate, layer and direction, and all of these are one channel,
so that a layer without it is a layer of the same class. With zeros in its rows, tanh(0)
and a first state of 0 keep it at 0 for ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

# A parameter, an axis of it, and the channel of each of its rows there.
Part = tuple[str, int, torch.Tensor]

_LAYERS = (nn.RNN, nn.LSTM, nn.GRU)
_CELLS = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
_PARAMETER = re.compile(r"(weight|bias)_(ih|hh)(_l\d+(_reverse)?)?")
_READS_INPUT = re.compile(r"weight_ih(_l0(_reverse)?)?")
STAND_IN = "_stand_in"


def has_units(layer: nn.Module) -> bool:
    """Whether a layer is recurrent and its hidden units are channels.

    Projected outputs (``proj_size``) are not units, and what is parametrized has no
    parameters to cut.
    """
    return (
        type(layer) in (*_LAYERS, *_CELLS)
        and not getattr(layer, "proj_size", 0)
        and all(_PARAMETER.fullmatch(name) for name, _ in _own(layer))
    )


def unit_rows(layer: nn.Module, unit: torch.Tensor) -> list[Part]:
    """Return what makes the units: rows of every gate, layer and direction."""
    return [(name, 0, unit.repeat(len(p) // len(unit))) for name, p in _own(layer)]


def unit_columns(layer: nn.Module, unit: torch.Tensor) -> list[Part]:
    """Return what reads the units within the layer: the next step and layer."""
    return [
        (name, 1, unit.repeat(p.shape[1] // len(unit)))
        for name, p in _own(layer)
        if p.ndim == 2 and not _READS_INPUT.fullmatch(name)
    ]


def input_columns(layer: nn.Module, channel: torch.Tensor) -> list[Part]:
    """Return what reads the channels of the input."""
    return [(n, 1, channel) for n, _ in _own(layer) if _READS_INPUT.fullmatch(n)]


@torch.no_grad()
def cut_recurrent_(layer: Any, is_output: bool, removed: Sequence[int]) -> None:
    """Remove hidden units or channels of the input from a layer, in place."""
    side = "hidden_size" if is_output else "input_size"
    channel = torch.arange(getattr(layer, side))
    kept = torch.ones(len(channel), dtype=torch.bool)
    kept[list(removed)] = False
    if is_output:
        parts = unit_rows(layer, channel) + unit_columns(layer, channel)
    else:
        parts = input_columns(layer, channel)
    for name, axis, index in parts:
        parameter = getattr(layer, name)
        rows = kept[index].nonzero().flatten().to(parameter.device)
        smaller = parameter.index_select(axis, rows)
        setattr(layer, name, nn.Parameter(smaller, parameter.requires_grad))
    setattr(layer, side, int(kept.sum()))
    if isinstance(layer, nn.RNNBase):
        layer.flatten_parameters()


def stand_in_(layer: Any) -> None:
    """Let a linear layer run in place of a recurrent one, which keeps its class.

    torch-pruning can follow it: its channels go where the units go, into the outputs
    of each direction and the last states, and meet the same units of a state that
    comes in. Their values mean nothing.
    """
    linear = nn.Linear(layer.input_size, layer.hidden_size, device="meta")
    like = next(layer.parameters())
    layer.add_module(STAND_IN, linear.to(like.dtype).to_empty(device=like.device))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    forward = _forward_cell if isinstance(layer, _CELLS) else _forward_layer
    layer.forward = MethodType(forward, layer)


def _forward_cell(layer: Any, x: torch.Tensor, hx: Any = None) -> Any:
    units = sum(_states(hx), getattr(layer, STAND_IN)(x))
    return (units, units) if isinstance(layer, nn.LSTMCell) else units


def _forward_layer(layer: Any, x: Any, hx: Any = None) -> Any:
    packed = isinstance(x, PackedSequence)
    units = getattr(layer, STAND_IN)(x.data if packed else x)
    for state in _states(hx):
        units = units + state.sum(tuple(range(state.ndim - 1)))
    if packed:
        rows = torch.arange(int(x.batch_sizes[0]), device=units.device)
        last = units.index_select(0, rows)
    else:
        last = units.select(1 if layer.batch_first and x.ndim == 3 else 0, -1)
    n_directions = 2 if layer.bidirectional else 1
    states = torch.stack([last] * (layer.num_layers * n_directions))
    # Times 1, as torch-pruning takes the same tensor twice for one.
    outputs = torch.cat([units, units * 1], -1) if layer.bidirectional else units
    if packed:
        outputs = PackedSequence(outputs, *x[1:])
    return outputs, (states, states) if isinstance(layer, nn.LSTM) else states


def _states(hx: Any) -> tuple[torch.Tensor, ...]:
    if hx is None:
        return ()
    return hx if isinstance(hx, tuple) else (hx,)


def _own(layer: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(layer.named_parameters(recurse=False))
