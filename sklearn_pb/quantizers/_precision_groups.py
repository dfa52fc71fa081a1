"""Which weights of a tensor share one precision."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..utils import check_choice, check_number

GRANULARITIES = ("parameter", "block", "channel", "layer")


class PrecisionGroups:
    """The groups of weights of one tensor that have their number of bits in common.

    Parameters
    ----------
    shape : sequence of int
        Shape of the tensor.
    granularity : {"parameter", "block", "channel", "layer"}, default="channel"
        Each weight by itself; blocks of weights of an output channel that follow each
        other; output channels; or the tensor as a whole.
    axis : int, default=0
        The axis of the output channels.
    block_size : int, default=16
        Weights of a block; the last block of a channel may have fewer.

    Raises
    ------
    TypeError
        If `axis` or `block_size` is not an integer.
    ValueError
        If `granularity` is unknown, there is no such axis, or blocks are empty.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import PrecisionGroups
    >>> groups = PrecisionGroups((2, 3), "channel")
    >>> groups.spread(torch.tensor([8, 4]))
    tensor([[8],
            [4]])
    >>> groups.sums(torch.ones(2, 3))
    tensor([3., 3.])
    """

    def __init__(
        self,
        shape: Sequence[int],
        granularity: str = "channel",
        *,
        axis: int = 0,
        block_size: int = 16,
    ) -> None:
        check_choice(granularity, "granularity", GRANULARITIES)
        check_number(axis, "axis", low=0, high=max(0, len(shape) - 1), integer=True)
        check_number(block_size, "block_size", low=1, integer=True)
        self.shape = tuple(shape)
        self.granularity = granularity
        self.axis = axis
        self.block_size = block_size
        self._n_channels = self.shape[axis] if self.shape else 1
        size = torch.Size(self.shape).numel()
        self._width = size // max(1, self._n_channels)  # weights of a channel

    @property
    def n_groups(self) -> int:
        """The number of groups."""
        if self.granularity == "parameter":
            return self._n_channels * self._width
        if self.granularity == "block":
            return self._n_channels * self._blocks
        return self._n_channels if self.granularity == "channel" else 1

    @property
    def _blocks(self) -> int:
        return -(-self._width // self.block_size)

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Give each weight the value of its group.

        Parameters
        ----------
        values : torch.Tensor of shape (n_groups,)
            One a group.

        Returns
        -------
        spread : torch.Tensor
            In a shape that broadcasts to that of the tensor.
        """
        if self.granularity == "layer" or not self.shape:
            return values.reshape(())
        if self.granularity == "parameter":
            return values.view(self.shape)
        if self.granularity == "channel":
            return values.view(self._channel_shape())
        rows = values.view(self._n_channels, self._blocks)
        rows = rows.repeat_interleave(self.block_size, 1)[:, : self._width]
        return rows.reshape(self._moved_shape()).movedim(0, self.axis)

    def sums(self, tensor: torch.Tensor) -> torch.Tensor:
        """Add up the entries of each group.

        Parameters
        ----------
        tensor : torch.Tensor
            In the shape of the weights.

        Returns
        -------
        sums : torch.Tensor of shape (n_groups,)
            One a group.
        """
        if self.granularity == "layer":
            return tensor.sum().reshape(1)
        if self.granularity == "parameter":
            return tensor.reshape(-1)
        if self.shape:
            tensor = tensor.movedim(self.axis, 0)
        rows = tensor.reshape(self._n_channels, self._width)
        if self.granularity == "channel":
            return rows.sum(1)
        missing = self._blocks * self.block_size - self._width
        rows = torch.nn.functional.pad(rows, (0, missing))
        return rows.view(-1, self.block_size).sum(1)

    def counts(self) -> torch.Tensor:
        """Return how many weights each group has.

        Returns
        -------
        counts : torch.Tensor of shape (n_groups,)
            As floats; they sum up to the size of the tensor.
        """
        return self.sums(torch.ones(self.shape))

    def _channel_shape(self) -> list[int]:
        return [n if axis == self.axis else 1 for axis, n in enumerate(self.shape)]

    def _moved_shape(self) -> list[int]:
        shape = list(self.shape)
        return [shape.pop(self.axis), *shape]
