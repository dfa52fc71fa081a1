"""Losses of many networks at once, and what their outputs predict.

Outputs have shape (n, K, m) for n networks, K units and m observations; losses have
shape (n,). Two classes share one unit, whose sign decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class NetworkLoss:
    """A loss and what it is good for."""

    mean: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    classifies: bool
    differentiable: bool = True


def predicted_codes(outputs: torch.Tensor) -> torch.Tensor:
    """Numbers (n, m) of the predicted classes."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).long()
    return outputs.argmax(1)


def _log_loss(outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    if outputs.shape[1] == 1:
        return torch.nn.functional.softplus(-_margins(outputs, codes)).mean(1)
    return (outputs.logsumexp(1) - _of_class(outputs, codes)).mean(1)


def _hinge(outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    return torch.relu(1 - _margins(outputs, codes)).mean(1)


def _zero_one(outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    return (predicted_codes(outputs) != codes).to(outputs.dtype).mean(1)


def _squared_error(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return ((outputs[:, 0] - y) ** 2).mean(1)


def _absolute_error(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (outputs[:, 0] - y).abs().mean(1)


def _margins(outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """How far (n, m) the true class is above the best other one."""
    if outputs.shape[1] == 1:
        return (2 * codes - 1).to(outputs.dtype) * outputs[:, 0]
    own = torch.nn.functional.one_hot(codes, outputs.shape[1]).T.bool()
    others = outputs.masked_fill(own, -torch.inf).amax(1)
    return _of_class(outputs, codes) - others


def _of_class(outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Outputs (n, m) of the true classes."""
    return outputs[:, codes, torch.arange(len(codes), device=codes.device)]


NETWORK_LOSSES = {
    "log_loss": NetworkLoss(_log_loss, classifies=True),
    "hinge": NetworkLoss(_hinge, classifies=True),
    "zero_one": NetworkLoss(_zero_one, classifies=True, differentiable=False),
    "squared_error": NetworkLoss(_squared_error, classifies=False),
    "absolute_error": NetworkLoss(_absolute_error, classifies=False),
}
