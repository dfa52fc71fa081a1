"""What weights are divided by before they are coded."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from ._base import QuantizationSpace

SCALES = ("layer", "channel", "learned")
_TRAVEL = 2.0  # how far the log of a learned scale can go over the search


class Scales:
    """One scale a tensor, or one an output channel, while a run goes on.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.

    Attributes
    ----------
    values : list of torch.Tensor of float32
        Of shape (), or one that broadcasts to that of the weights.
    grow : bool
        Whether they follow the range of weights.
    learn : bool
        Whether they are trained.
    """

    def __init__(self, space: QuantizationSpace) -> None:
        kind = space.options.scale
        self._axes = space.channel_axes
        self.grow = kind in ("layer", "channel")
        self.learn = kind == "learned"
        self.values = initial_scales(space.weights, kind, space.channel_axes)
        self._logs = [scale.log() for scale in self.values]
        rate = _TRAVEL / max(1, space.n_steps)
        self._adam = torch.optim.Adam(self._logs, lr=rate)

    def in_units(self, weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return weights in units of their scale.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights.

        Returns
        -------
        values : list of torch.Tensor of float32
            New tensors.
        """
        return [
            weight.detach().to(torch.float32) / scale
            for weight, scale in zip(weights, self.values, strict=True)
        ]

    def grow_to(
        self, weights: Sequence[torch.Tensor], ends: Sequence[torch.Tensor]
    ) -> None:
        """Let scales grow as far as no weight lies beyond the end of its grid.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights.
        ends : sequence of torch.Tensor
            Largest magnitude of a value on each grid.
        """
        for i, (weight, end) in enumerate(zip(weights, ends, strict=True)):
            if weight.numel():
                axis = self._axes[i] if self.values[i].dim() else None
                needed = maxima(weight.abs().to(torch.float32) / end, axis)
                self.values[i] = torch.maximum(self.values[i], needed)

    def step(self, slopes: Sequence[torch.Tensor]) -> None:
        """Take a step of Adam with the logarithms of the scales.

        Parameters
        ----------
        slopes : sequence of torch.Tensor
            Gradients by the scales.
        """
        for log, slope, scale in zip(self._logs, slopes, self.values, strict=True):
            log.grad = slope * scale
        self._adam.step()
        self.values = [log.exp() for log in self._logs]

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Tensors and the state of the optimizer.
        """
        return {
            "values": [scale.clone() for scale in self.values],
            "logs": [log.clone() for log in self._logs],
            "adam": deepcopy(self._adam.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.values = [
            saved.to(scale)
            for scale, saved in zip(self.values, state["values"], strict=True)
        ]
        for log, saved in zip(self._logs, state["logs"], strict=True):
            log.copy_(saved)
        self._adam.load_state_dict(deepcopy(state["adam"]))


def initial_scales(
    weights: Sequence[torch.Tensor],
    kind: str | None,
    channel_axes: Sequence[int],
) -> list[torch.Tensor]:
    """Return scales with which weights fill the range of the grid, -2 to 2.

    Parameters
    ----------
    weights : sequence of torch.Tensor
        The weights.
    kind : {None, "layer", "channel", "learned"}
        None is a scale of 1, "channel" one scale an output channel; others have one a
        tensor.
    channel_axes : sequence of int
        The axis of the output channels of each tensor.

    Returns
    -------
    scales : list of torch.Tensor of float32
        Half of the largest absolute weight, of shape () or one that broadcasts to that
        of the weights. Where all weights are zero, half of the largest in the tensor,
        or 1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import initial_scales
    >>> initial_scales([torch.tensor([[1.0, -3.0], [0.5, 0.0]])], "channel", [0])
    [tensor([[1.5000],
            [0.2500]])]
    """
    if kind is None:
        return [torch.ones((), device=weight.device) for weight in weights]
    axes = channel_axes if kind == "channel" else [None] * len(weights)
    return [_half_range(w, axis) for w, axis in zip(weights, axes, strict=True)]


def maxima(values: torch.Tensor, axis: int | None) -> torch.Tensor:
    """Return the largest value, of all or of each output channel.

    Parameters
    ----------
    values : torch.Tensor
        Not empty.
    axis : int or None
        The axis of the output channels; None takes all together.

    Returns
    -------
    largest : torch.Tensor
        Of shape (), or one that broadcasts to that of the values.
    """
    if axis is None or values.dim() < 2:
        return values.amax()
    others = [i for i in range(values.dim()) if i != axis]
    return values.amax(dim=others, keepdim=True)


def _half_range(weight: torch.Tensor, axis: int | None) -> torch.Tensor:
    if not weight.numel():
        return torch.ones((), device=weight.device)
    sizes = weight.detach().abs().to(torch.float32)
    fallback = torch.where(sizes.amax() > 0, sizes.amax(), 2.0)
    largest = maxima(sizes, axis)
    return torch.where(largest > 0, largest, fallback) / 2
