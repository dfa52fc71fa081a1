"""Groups of channels that one mask variable each can switch off."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..utils._random import RandomStream
from ._comparing import relative_difference, run_precisely
from ._coupling import CoupledChannels, couple_channels
from ._graph import tensors_of
from ._layers import qualified, read_parts, written_parts
from ._running import run
from ._shrinking import cut_channels_


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels of the same layers, or heads of one attention layer.

    A channel whose rows are zero in all of `slices` is zero wherever it is read, so
    that it can be removed. With z in {0, 1}^n_channels the mask of a parameter is
    ``z[index]`` along its axis, one where the index is -1.

    Parameters
    ----------
    name : str
        The layer that makes the channels, or the first of those that do; with a number
        where a layer has several groups.
    n_channels : int
        How many channels, at least 2.
    slices : tuple of (str, int, torch.LongTensor)
        Qualified parameter name, axis, and for each row of the parameter along this
        axis the channel that it belongs to, -1 if it is none of this group's.
    inputs : tuple of (str, int, torch.LongTensor), default=()
        The same for the inputs of weights that read the channels: of no use any more
        where a channel is gone.
    """

    name: str
    n_channels: int
    slices: tuple[tuple[str, int, torch.Tensor], ...]
    inputs: tuple[tuple[str, int, torch.Tensor], ...] = ()

    def live(self, module: nn.Module) -> torch.Tensor:
        """Return which channels have a weight other than zero.

        Parameters
        ----------
        module : nn.Module
            The network that was traced, or one with the same parameters.

        Returns
        -------
        live : torch.BoolTensor of shape (n_channels,)
            False where every weight that the channel governs is zero.
        """
        found = torch.zeros(self.n_channels, dtype=torch.bool)
        for name, axis, index in self.slices:
            rows = module.get_parameter(name).detach().movedim(axis, 0)
            alive = (rows != 0).reshape(len(rows), -1).any(1).cpu()
            found[index[alive & (index >= 0)]] = True
        return found

    @torch.no_grad()
    def clear_(self, module: nn.Module, channels: torch.Tensor) -> None:
        """Write zeros into everything that some channels govern.

        Parameters
        ----------
        module : nn.Module
            The network; it is changed.
        channels : torch.BoolTensor of shape (n_channels,)
            True where a channel is to be cleared.
        """
        for name, axis, index in self.slices:
            parameter = module.get_parameter(name)
            rows = ((index >= 0) & channels[index]).nonzero().flatten()
            parameter.index_fill_(axis, rows.to(parameter.device), 0.0)


def trace_channels(module: nn.Module, example_inputs: Any) -> list[ChannelGroup]:
    """Find the output channels of a network that can be masked and then removed.

    Channels that can only go together, as those that a residual network adds up, are
    one channel of one group. Each group has been tried: in a copy with disturbed
    weights, halves of the channels were masked and removed, and the outputs agreed. So
    the channels of the outputs and inputs, those that a norm over channels (layer,
    group) sees and those behind a function with f(0) other than 0 are left out, and so
    are grouped convolutions (depthwise ones are not), the projections of
    ``nn.MultiheadAttention`` and layers with tied or parametrized weights.

    The hidden units of ``nn.RNN``, ``nn.LSTM``, ``nn.GRU`` and their cells are
    channels: unit j of all gates, layers and directions is one, as such a layer has one
    size for all of them. Left out are layers with ``proj_size``, and those whose first
    state does not shrink with them or is not zero for a unit without weights.

    Parameters
    ----------
    module : nn.Module
        The network; it is not changed.
    example_inputs : torch.Tensor, tuple, list or dict
        One input, the inputs in order, or the inputs by name; a small batch will do.

    Returns
    -------
    groups : list of ChannelGroup
        In the order of ``module.named_modules()``. A layer's row is in one at most.

    Raises
    ------
    ImportError
        If torch-pruning is not installed.
    ExportError
        If torch-pruning cannot trace the network, or its outputs hold no tensor.

    Notes
    -----
    The dependency graph is that of torch-pruning [1]_. The rows governed by a channel
    are those of linear, convolution, embedding and recurrent layers that make it, their
    biases, and weight and bias of the batch and instance norms that it passes.

    References
    ----------
    .. [1] Fang et al., "DepGraph: Towards any structural pruning", CVPR 2023.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import trace_channels
    >>> module = torch.nn.Sequential(
    ...     torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)
    ... )
    >>> [group] = trace_channels(module, torch.ones(1, 3))
    >>> group.name, group.n_channels, [name for name, _, _ in group.slices]
    ('0', 5, ['0.weight', '0.bias'])
    """
    found = removable_channels(module, example_inputs)
    return [channel_group(module, coupled) for coupled in found]


def removable_channels(module: nn.Module, example_inputs: Any) -> list[CoupledChannels]:
    """Return the coupled channels whose removal is known to change nothing else."""
    probe, inputs, _ = run_precisely(module, example_inputs)
    candidates = couple_channels(module, example_inputs)
    _disturb_(probe)

    def is_safe(groups: list[CoupledChannels]) -> bool:
        return _try_removal(probe, inputs, groups)

    return _extend([], candidates, is_safe)


def channel_group(module: nn.Module, coupled: CoupledChannels) -> ChannelGroup:
    """Return what the channels govern, their output rows, and what reads them."""
    slices = tuple(
        (qualified(rows.layer, name), axis, index)
        for rows in coupled.rows
        if rows.is_output
        for name, axis, index in written_parts(
            module.get_submodule(rows.layer), rows.channel
        )
    )
    inputs = tuple(
        (qualified(rows.layer, name), axis, index)
        for rows in coupled.rows
        for name, axis, index in read_parts(
            module.get_submodule(rows.layer), rows.is_output, rows.channel
        )
    )
    return ChannelGroup(coupled.name, coupled.n_channels, slices, inputs)


def _extend(
    accepted: list[CoupledChannels],
    more: list[CoupledChannels],
    is_safe: Callable[[list[CoupledChannels]], bool],
) -> list[CoupledChannels]:
    """Return the accepted groups with those of `more` that are safe beside them."""
    if not more or is_safe(accepted + more):
        return accepted + more
    if len(more) == 1:
        return accepted
    half = len(more) // 2
    return _extend(_extend(accepted, more[:half], is_safe), more[half:], is_safe)


@torch.no_grad()
def _disturb_(module: nn.Module) -> None:
    """Move all weights and statistics, so that no zero or default hides a change."""
    generator = RandomStream(0).torch_generator()

    def noise(like: torch.Tensor, scale: float) -> torch.Tensor:
        return (scale * torch.randn(like.shape, generator=generator)).to(like)

    for parameter in module.parameters():
        fan_in = parameter.numel() // len(parameter) if parameter.ndim > 1 else 25
        parameter.add_(noise(parameter, 0.5 / max(fan_in, 1) ** 0.5))
    for layer in module.modules():
        if isinstance(layer, _NormBase) and layer.running_mean is not None:
            layer.running_mean.add_(noise(layer.running_mean, 0.3))


def _try_removal(probe: nn.Module, inputs: Any, groups: list[CoupledChannels]) -> bool:
    """Whether the network without half of the channels is the one with them masked."""
    generator = RandomStream(1).torch_generator()
    sizes = [group.n_channels for group in groups]
    orders = [torch.randperm(size, generator=generator) for size in sizes]
    # Two halves, as neighbours may by chance be neighbours still in one of them.
    at_random = [order < len(order) // 2 for order in orders]
    every_other = [torch.arange(size) % 2 == 1 for size in sizes]
    return all(
        _agrees_without(probe, inputs, list(zip(groups, half, strict=True)))
        for half in (at_random, every_other)
    )


def _agrees_without(
    probe: nn.Module,
    inputs: Any,
    removals: list[tuple[CoupledChannels, torch.Tensor]],
) -> bool:
    trial = copy.deepcopy(probe)
    for group, removed in removals:
        channel_group(trial, group).clear_(trial, removed)
    masked = tensors_of(run(trial, inputs))
    cut_channels_(trial, removals)
    try:
        smaller = tensors_of(run(trial, inputs))
    except Exception:  # whatever the network does with shapes that it does not expect
        return False
    in_float64 = all(tensor.dtype == torch.float64 for tensor in masked)
    return relative_difference(masked, smaller) <= (1e-10 if in_float64 else 1e-5)
