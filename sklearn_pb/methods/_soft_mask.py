"""A soft mask that a trainer may compute and step together with the weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch


class SoftStepNumbers(NamedTuple):
    """The numbers of one step of the logits of a soft mask.

    Attributes
    ----------
    price : float
        Of a one, in units of the cost.
    smoothing : float
        Memory of the running mean square of the gradients.
    rate, epsilon : float
        Size of the step, and what is added to the root mean square that it is divided
        by, with the correction for the first steps.
    limit : float
        Logits are kept in [-limit, limit].
    """

    price: float
    smoothing: float
    rate: float
    epsilon: float
    limit: float


@dataclass
class SoftMask:
    """sigma(sharpness * logits), stepped by RMSprop with one price for all variables.

    A search that offers it lets a trainer work on each layer's weights, mask and logits
    in one pass over memory. The trainer puts into `values` what `Search.mask` would
    have given, and makes the step that `Search.update` would have made.

    Parameters
    ----------
    logits, square, values : torch.Tensor of shape (d,)
        The logits, the running mean square of their gradients, and memory for the mask.
    sharpness : float
        At this training step; the search changes it from step to step.
    begin_step : callable
        Counts a step and returns its `SoftStepNumbers`, once `values` are known. Takes
        two callables, which give the (d,) absolute slopes of the cost by the mask
        values, and the mean of these values.
    """

    logits: torch.Tensor
    square: torch.Tensor
    values: torch.Tensor
    sharpness: float
    begin_step: Callable[
        [Callable[[], torch.Tensor], Callable[[], float]], SoftStepNumbers
    ]
