"""Which channels of which layers stand and fall together, by torch-pruning's graph.

torch-pruning traces a forward pass and says, for each pair of neighbours in the graph
of operations, which index of the one meets which index of the other. Here each channel
is followed along these maps one by one, so that concatenations, splits and flattened
images give exact sets of coupled channels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import nn

from ..exceptions import ExportError
from ._layers import tied_layers
from ._recurrent import has_units, stand_in_
from ._running import as_arguments

# A node of the graph and torch-pruning's function for its one side or the other.
Place = tuple[Any, Callable[..., Any]]
Spot = tuple[Place, int]  # one index there

# Where indices are that cannot be followed.
NOWHERE: Place = (None, len)


class _Index(NamedTuple):
    """What torch-pruning's index maps take and return, by the names of the fields."""

    idx: int
    root_idx: int


class _Shift:
    """An index map: move every index, and drop those that leave [0, stop)."""

    def __init__(self, distance: int, stop: int) -> None:
        self.distance, self.stop = distance, stop

    def __call__(self, indices: list[_Index]) -> list[_Index]:
        moved = (_Index(i.idx + self.distance, i.root_idx) for i in indices)
        return [index for index in moved if 0 <= index.idx < self.stop]


def load_torch_pruning() -> ModuleType:
    """Import torch-pruning, or say how to install it."""
    try:
        import torch_pruning
    except ImportError as error:
        raise ImportError(
            "Tracing and removing channels need the package torch-pruning; "
            "install it with: pip install sklearn-pb[export]"
        ) from error
    return torch_pruning


def build_graph(module: nn.Module, example_inputs: Any) -> Any:
    """Return torch-pruning's graph of a copy of a module, whose `model` is the copy."""
    torch_pruning = load_torch_pruning()
    args, kwargs = as_arguments(example_inputs)
    graph = torch_pruning.DependencyGraph()
    outputs: list[Any] = []

    def forward(traced: nn.Module, _: Any) -> list[Any]:
        outputs.append(traced(*args, **kwargs))
        return outputs

    traced = copy.deepcopy(module)
    tied = tied_layers(traced)
    recurrent = [m for m in traced.modules() if has_units(m) and m not in tied]
    for layer in recurrent:
        stand_in_(layer)
    graph.IGNORED_LAYERS_IN_TRACING = recurrent
    traced.requires_grad_(True)
    with torch.enable_grad():
        try:
            graph.build_dependency(
                traced, example_inputs, forward, _after_outputs, verbose=False
            )
        except Exception as error:
            if not outputs:  # it is the network that failed
                raise
            raise ExportError(
                f"torch-pruning cannot trace {type(module).__name__}: {error!r}"
            ) from error
    _map_padding(graph)
    _map_rows(graph)
    return graph


def tensors_of(outputs: Any) -> list[torch.Tensor]:
    """Return the tensors of nested tuples, lists and dicts, in order."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    if not isinstance(outputs, (tuple, list)):
        return []
    return [tensor for part in outputs for tensor in tensors_of(part)]


def follow_channels(graph: Any, starts: dict[Place, int]) -> list[list[Spot]]:
    """Return the sets of coupled indices, in the order of the starts.

    Parameters
    ----------
    graph : torch_pruning.DependencyGraph
        As `build_graph` returns it.
    starts : dict of place to int
        Output sides of layers, and how many channels each has.

    Returns
    -------
    sets : list of list of spots
        Each spot is in one set. The first of a set is of the earliest start.
    """
    spots = [(place, i) for place, size in starts.items() for i in range(size)]
    numbers = {spot: number for number, spot in enumerate(spots)}
    # A wrong map could shift indices for ever; no true one gets this far.
    limit = sum(sum(parameter.shape) for parameter in graph.model.parameters())
    pairs: list[tuple[int, int]] = []
    waiting = [(place, list(range(size))) for place, size in starts.items()]
    while waiting:
        place, indices = waiting.pop()
        for target, steps in _steps(place, indices):
            new = []
            for index, root in steps:
                if index < limit and (target, index) not in numbers:
                    numbers[target, index] = len(numbers)
                    new.append(index)
                if index < limit:
                    pairs.append((numbers[place, root], numbers[target, index]))
            if new:
                waiting.append((target, new))
    return _components(list(numbers), pairs)


def _steps(place: Place, indices: list[int]) -> list[tuple[Place, list[_Index]]]:
    """Return the neighbours of a place, and where its indices arrive in each."""
    node, side = place
    if node is None:
        return []
    return [
        _arrivals(dependency, indices)
        for dependency in node.dependencies
        if dependency.is_triggered_by(side)
    ]


def _arrivals(dependency: Any, indices: list[int]) -> tuple[Place, list[_Index]]:
    """Return the place behind a dependency, and where indices arrive there."""
    steps = [_Index(index, index) for index in indices]
    try:
        for index_map in filter(None, dependency.index_mapping):
            steps = index_map(steps)
        known = all(step.idx >= 0 and step.root_idx is not None for step in steps)
    except Exception:  # a map that torch-pruning filled in wrongly
        known = False
    if known:
        return (dependency.target, dependency.handler), steps
    return NOWHERE, [_Index(0, index) for index in indices]


def _components(spots: list[Spot], pairs: list[tuple[int, int]]) -> list[list[Spot]]:
    """Return the connected sets of spots, each and all in their order."""
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    links = coo_array(([True] * len(pairs), (rows, columns)), [len(spots)] * 2)
    sets: dict[int, list[Spot]] = {}
    for spot, label in zip(spots, connected_components(links)[1], strict=True):
        sets.setdefault(int(label), []).append(spot)
    return list(sets.values())


def _after_outputs(outputs: list[Any]) -> list[torch.Tensor]:
    """Append an operation to each output, so that no layer is an output itself."""
    return [tensor + 0 for tensor in tensors_of(outputs) if tensor.requires_grad]


def _map_padding(graph: Any) -> None:
    """Say how channels move where others, all zero, are put before or after them."""
    for node in graph.module2node.values():
        padding = _channel_padding(node.grad_fn)
        if padding is None:
            continue
        before, n_before, n_after = padding
        for source in node.inputs:
            for dependency in source.dependencies:
                if dependency.target is node:
                    dependency.index_mapping[1] = _Shift(before, n_after)
            for dependency in node.dependencies:
                if dependency.target is source:
                    dependency.index_mapping[1] = _Shift(-before, n_before)


def _map_rows(graph: Any) -> None:
    """Say that channels stay where rows are taken, as of a packed sequence."""
    for node in graph.module2node.values():
        if not _takes_rows(node.grad_fn):
            continue
        for source in node.inputs:
            for dependency in (*source.dependencies, *node.dependencies):
                if {dependency.source, dependency.target} == {source, node}:
                    dependency.index_mapping[0] = None


def _takes_rows(grad_fn: Any) -> bool:
    is_slice = "SliceBackward" in type(grad_fn).__name__
    return (
        is_slice and grad_fn._saved_dim == 0 and len(grad_fn._saved_self_sym_sizes) > 1
    )


def _channel_padding(grad_fn: Any) -> tuple[int, int, int] | None:
    """Return how many channels a padding puts in front, how many it gets and gives."""
    if "ConstantPad" not in type(grad_fn).__name__:
        return None
    shape = grad_fn._input_metadata[0].shape
    # The last axis comes first; numbers below zero are stored without their sign.
    sizes = [size - 2**64 if size >= 2**63 else size for size in grad_fn._saved_pad]
    place = 2 * (len(shape) - 2)
    if place < 0 or place >= len(sizes):
        return None
    before, after = sizes[place : place + 2]
    return before, shape[1] - before - after, shape[1]
