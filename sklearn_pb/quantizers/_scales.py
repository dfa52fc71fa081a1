"""What weights are divided by before they are coded."""

from __future__ import annotations

from collections.abc import Sequence

import torch

SCALES = ("layer", "channel", "learned")


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
