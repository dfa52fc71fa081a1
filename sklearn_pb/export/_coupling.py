"""Groups of channels that go through the same layers."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn

from ._graph import NOWHERE, Place, Spot, build_graph, follow_channels
from ._layers import is_producer, is_removable, tied_layers
from ._recurrent import STAND_IN


class Rows(NamedTuple):
    """The rows on one side of a layer that belong to the channels of a group."""

    layer: str
    is_output: bool  # layers with a channel out for each channel in have only outputs
    channel: torch.Tensor  # of each row; -1 where it is none of the group's


@dataclass(frozen=True, eq=False)
class CoupledChannels:
    """Channels of the same layers; one of them is removed from all or from none."""

    name: str
    n_channels: int
    rows: tuple[Rows, ...]


# A side of a layer: its number in the order of named_modules, and whether it is out.
_Side = tuple[int, bool]
# One channel: its rows on each side.
_Channel = dict[_Side, list[int]]


class _Layers:
    """The layers of a traced network and the sizes of their sides."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        names, modules = zip(*graph.model.named_modules(), strict=True)
        self.names = [name.removesuffix(STAND_IN).rstrip(".") for name in names]
        self.modules = modules
        self.numbers = {module: number for number, module in enumerate(modules)}
        tied = tied_layers(graph.model)
        self.removable = {m for m in modules if is_removable(m) and m not in tied}
        nodes = [graph.module2node[m] for m in modules if m in graph.module2node]
        self.starts = {
            (node, self._pruner(node).prune_out_channels): self.size(node.module, True)
            for node in nodes
            if is_producer(node.module)
        }

    def _pruner(self, node: Any) -> Any:
        return self.graph.get_pruner_of_module(node.module)

    def is_output(self, place: Place) -> bool:
        """Whether a place is the output side of a layer."""
        node, side = place
        return side == self._pruner(node).prune_out_channels

    def ends_at(self, place: Place) -> bool:
        """Whether a place is an output of the network or a parameter in no layer."""
        node, _ = place
        is_end = node.type == self.graph.ops.OPTYPE.OUTPUT
        return is_end or isinstance(node.module, nn.Parameter)

    def size(self, module: nn.Module, is_output: bool) -> int:
        """Return how many channels a side has; 0 if the layer takes any number."""
        pruner = self.graph.get_pruner_of_module(module)
        count = pruner.get_out_channels if is_output else pruner.get_in_channels
        return count(module) or 0


def couple_channels(module: nn.Module, example_inputs: Any) -> list[CoupledChannels]:
    """Return the groups of channels that look removable, in the order of the layers.

    torch-pruning takes an operation that it does not know for one that treats each
    channel alone, so every group has still to be tried.
    """
    graph = build_graph(module, example_inputs)
    layers = _Layers(graph)
    alike: dict[tuple, list[_Channel]] = defaultdict(list)
    for spots in follow_channels(graph, layers.starts):
        channel = _channel(spots, layers)
        if channel:
            kind = sorted((side, len(rows)) for side, rows in channel.items())
            alike[tuple(kind)].append(channel)
    return _named([group for group in alike.values() if len(group) > 1], layers)


def _channel(spots: list[Spot], layers: _Layers) -> _Channel | None:
    """Return the rows of one channel, or None if it cannot be removed."""
    channel: _Channel = defaultdict(list)
    for place, index in spots:
        if place == NOWHERE or layers.ends_at(place):
            return None
        module = place[0].module
        if module not in layers.numbers:  # an operation, which holds nothing
            continue
        is_output = layers.is_output(place)
        size = layers.size(module, is_output)
        if module not in layers.removable or (size and index >= size):
            return None
        if size:
            channel[layers.numbers[module], is_output].append(index)
    return channel


def _named(groups: list[list[_Channel]], layers: _Layers) -> list[CoupledChannels]:
    """Give each group the name of the layer it starts from and, if needed, a number."""
    seen: Counter[str] = Counter()
    found = []
    for channels in groups:
        number, _ = next(iter(channels[0]))
        name = layers.names[number]
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}#{seen[name]}"
        rows = tuple(_rows(channels, side, layers) for side in sorted(channels[0]))
        found.append(CoupledChannels(label, len(channels), rows))
    return found


def _rows(channels: list[_Channel], side: _Side, layers: _Layers) -> Rows:
    number, is_output = side
    owner = torch.full((layers.size(layers.modules[number], is_output),), -1)
    for position, channel in enumerate(channels):
        owner[channel[side]] = position
    return Rows(layers.names[number], is_output, owner)
