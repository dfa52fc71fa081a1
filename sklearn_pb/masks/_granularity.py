"""What one mask variable stands for: a weight, a block, a channel, a head."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import nn

from ..constraints import CellQuota
from ..exceptions import NothingToPruneError
from ..export import ChannelGroup, trace_channels, trace_heads
from ..utils import check_number
from ._layout import MaskLayout
from ._placements import Singles, Slices, Tiles

_NO_CHANNELS = (
    "no group of channels can be pruned: each reaches the outputs, is excluded, or is "
    "part of what no channel can be taken from (norms over channels, attention, "
    "grouped convolutions, layers with tied weights, recurrent layers with proj_size "
    "or a first state of fixed size)."
)
_NO_HEADS = (
    "no head can be pruned: those of nn.MultiheadAttention can, of two heads or more, "
    "whose weights are neither tied, parametrized nor excluded."
)


class Granularity(BaseEstimator, ABC):
    """What a mask variable stands for."""

    def check(self) -> None:
        """Raise a clear error if a setting is out of its range."""

    @abstractmethod
    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any
    ) -> MaskLayout:
        """Return the variables of a network.

        Parameters
        ----------
        module : nn.Module
            The network.
        names : sequence of str
            Parameters that may be masked.
        example : torch.Tensor or tuple
            Inputs that the network runs on.

        Returns
        -------
        layout : MaskLayout
            In the order of the parameters.

        Raises
        ------
        NothingToPruneError
            If no variable is left.
        """

    def cells(self, layout: MaskLayout) -> CellQuota | None:
        """Return the pattern that a mask must keep, if there is one.

        Parameters
        ----------
        layout : MaskLayout
            What `layout` returned.

        Returns
        -------
        quota : CellQuota or None
            None where any number of ones may lie anywhere.
        """
        return None

    @property
    def structured(self) -> bool:
        """Whether zeros can be cut out, so that every layer must keep something."""
        return False


@dataclass
class SingleWeights(Granularity):
    """One variable a weight."""

    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any = None
    ) -> MaskLayout:
        """Return one variable a weight of each parameter."""
        placements, sizes, start = [], [], 0
        for name in names:
            shape = module.get_parameter(name).shape
            placements.append(Singles(name, shape, start))
            sizes.append(shape.numel())
            start += shape.numel()
        return MaskLayout(tuple(placements), tuple(sizes), tuple(names))


@dataclass
class Blocks(Granularity):
    """One variable a block of weights.

    A parameter is seen as a matrix of one row an output (an input, for transposed
    convolutions); blocks at its edges may be smaller.

    Parameters
    ----------
    rows, columns : int, default=4
        Size of a block.

    Examples
    --------
    >>> from sklearn_pb.masks import Blocks
    >>> Blocks(rows=1, columns=16)
    Blocks(rows=1, columns=16)
    """

    rows: int = 4
    columns: int = 4

    def check(self) -> None:
        """Raise if a side is not a positive integer."""
        check_number(self.rows, "Blocks.rows", low=1, integer=True)
        check_number(self.columns, "Blocks.columns", low=1, integer=True)

    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any = None
    ) -> MaskLayout:
        """Return one variable a block of each parameter."""
        placements, sizes, start = [], [], 0
        for name in names:
            shape = module.get_parameter(name).shape
            tiles = Tiles(name, shape, start, (self.rows, self.columns))
            placements.append(tiles)
            sizes.append(math.prod(tiles.grid))
            start += sizes[-1]
        return MaskLayout(tuple(placements), tuple(sizes), tuple(names))


@dataclass
class NofM(Granularity):
    """At most n of every m consecutive inputs of an output keep their weight.

    Inputs are counted along the second axis: input features of a linear layer, input
    channels of a convolution (outputs of a transposed one). 2 of 4 is what sparse
    tensor cores run.

    Parameters
    ----------
    n : int, default=2
        Weights kept in a cell.
    m : int, default=4
        Weights in a cell. Where m does not divide the number of inputs, the last cell
        is smaller and keeps at most n, too.

    Examples
    --------
    >>> from sklearn_pb.masks import NofM
    >>> NofM(1, 8)
    NofM(n=1, m=8)
    """

    n: int = 2
    m: int = 4

    def check(self) -> None:
        """Raise if n or m is no positive integer, or n is greater than m."""
        check_number(self.m, "NofM.m", low=1, integer=True)
        check_number(self.n, "NofM.n", low=1, high=self.m, integer=True)

    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any = None
    ) -> MaskLayout:
        """Return one variable a weight of each parameter."""
        return SingleWeights().layout(module, names, example)

    def cells(self, layout: MaskLayout) -> CellQuota:
        """Return the pattern over all parameters."""
        cells, start = [], 0
        for placement, size in zip(layout.placements, layout.layers, strict=True):
            numbers = torch.arange(start, start + size).view(placement.shape)
            rows = numbers.movedim(1, -1).reshape(-1, placement.shape[1])
            short = -placement.shape[1] % self.m
            rows = nn.functional.pad(rows, (0, short), value=-1)
            cells.append(rows.reshape(-1, self.m))
            start += size
        return CellQuota(torch.cat(cells), self.n)


@dataclass
class Channels(Granularity):
    """One variable an output channel (neuron), with all that goes when it goes.

    The variable multiplies the channel's weights and bias, and the scale and shift of
    batch norm behind it, so that a channel that is masked is zero wherever it is used
    and can be cut out. Channels that must go together, as those on both sides of a
    residual sum, share one variable, and so do the gates, layers and directions of a
    hidden unit of ``nn.RNN``, ``nn.LSTM`` and ``nn.GRU``. The dependencies are traced
    by torch-pruning (extra ``export``); channels whose removal would change the outputs
    are left alone.

    Notes
    -----
    Savarese (2025), equation (4.3).
    """

    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any
    ) -> MaskLayout:
        """Return one variable a group of coupled channels."""
        return _of_groups(trace_channels(module, example), module, names, _NO_CHANNELS)

    @property
    def structured(self) -> bool:
        """True."""
        return True


@dataclass
class Heads(Granularity):
    """One variable a head of each ``nn.MultiheadAttention``."""

    def layout(
        self, module: nn.Module, names: Sequence[str], example: Any = None
    ) -> MaskLayout:
        """Return one variable a head."""
        layout = _of_groups(trace_heads(module), module, names, _NO_HEADS)
        return replace(layout, products=_one_a_variable(layout))

    @property
    def structured(self) -> bool:
        """True."""
        return True


def _of_groups(
    groups: list[ChannelGroup], module: nn.Module, names: Sequence[str], nothing: str
) -> MaskLayout:
    """The layout of channel groups that govern only parameters which may be masked."""
    allowed, matrices = set(names), _matrices(module)
    kept = [
        group
        for group in groups
        if all(name in allowed for name, *_ in group.slices if name in matrices)
    ]
    if not kept:
        raise NothingToPruneError(
            f"{nothing} The parameters that may be masked are {', '.join(names)}."
        )
    sizes = tuple(group.n_channels for group in kept)
    return MaskLayout(
        tuple(_slices(module, [group.slices for group in kept], sizes)),
        sizes,
        tuple(group.name for group in kept),
        tuple(_slices(module, [group.inputs for group in kept], sizes)),
    )


def _one_a_variable(layout: MaskLayout) -> tuple[Slices, ...]:
    """The variables of each layer, as an axis of its own."""
    parts = torch.arange(layout.n_variables).split(layout.layers)
    return tuple(
        Slices(name, torch.Size([len(part)]), 0, part)
        for name, part in zip(layout.layer_names, parts, strict=True)
    )


def _slices(
    module: nn.Module,
    parts: Sequence[Sequence[tuple[str, int, torch.Tensor]]],
    sizes: Sequence[int],
) -> list[Slices]:
    """One placement a parameter and axis; groups of a concatenation share one."""
    indices: dict[tuple[str, int], torch.Tensor] = {}
    start = 0
    for slices, size in zip(parts, sizes, strict=True):
        for name, axis, index in slices:
            known = indices.setdefault((name, axis), torch.full_like(index, -1))
            indices[name, axis] = torch.where(index >= 0, index + start, known)
        start += size
    return [
        Slices(name, module.get_parameter(name).shape, axis, index)
        for (name, axis), index in indices.items()
    ]


def _matrices(module: nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.ndim >= 2}


GRANULARITIES: dict[str, type[Granularity]] = {
    "weight": SingleWeights,
    "block": Blocks,
    "channel": Channels,
    "head": Heads,
}


def resolve_granularity(granularity: str | Granularity) -> Granularity:
    """Return a checked granularity for a string or an object.

    Parameters
    ----------
    granularity : str or Granularity
        "weight", "block", "channel", "head", a pattern as "2:4", or an object.

    Returns
    -------
    granularity : Granularity
        Ready to lay out a network.

    Raises
    ------
    ValueError
        If the string is unknown or a setting is out of its range.
    TypeError
        If it is neither a string nor a granularity.
    """
    if isinstance(granularity, str):
        pattern = re.fullmatch(r"(\d+):(\d+)", granularity)
        if pattern is None and granularity not in GRANULARITIES:
            raise ValueError(
                f"granularity={granularity!r} is unknown; it must be one of "
                f"{', '.join(GRANULARITIES)}, a pattern such as '2:4', or an object of "
                "sklearn_pb.masks."
            )
        if pattern is not None:
            granularity = NofM(int(pattern[1]), int(pattern[2]))
        else:
            granularity = GRANULARITIES[granularity]()
    elif not isinstance(granularity, Granularity):
        raise TypeError(
            f"granularity={granularity!r} must be a string or an object of "
            "sklearn_pb.masks."
        )
    granularity.check()
    return granularity
