"""Sample weights for any net whose criterion has a `reduction`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

_INPUT, _WEIGHT = "X", "sample_weight"


class WeightedInputs(nn.Module):
    """Take the weights off a batch before the network sees it.

    Parameters
    ----------
    module : nn.Module
        The network.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.batch_weight: torch.Tensor | None = None

    def forward(self, X: Any, sample_weight: torch.Tensor | None = None) -> Any:
        """Run the network on X and remember the weights of its rows."""
        self.batch_weight = sample_weight
        return self.module(X)


@contextmanager
def weighted_loss(
    net: NeuralNet, X: np.ndarray, sample_weight: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    """Make the loss of a net a weighted mean while the context lasts.

    Parameters
    ----------
    net : skorch.NeuralNet
        An initialised net.
    X : numpy.ndarray of shape (n, ...)
        The inputs.
    sample_weight : numpy.ndarray of shape (n,)
        Weights of the rows.

    Yields
    ------
    inputs : dict
        What to train on in place of X.

    Raises
    ------
    ValueError
        If the criterion has no `reduction` to take over.
    """
    criterion, module = net.criterion_, net.module_
    if getattr(criterion, "reduction", None) != "mean":
        raise ValueError(
            f"sample_weight needs a criterion with reduction='mean'; {criterion!r} has "
            f"reduction={getattr(criterion, 'reduction', None)!r}."
        )
    inputs = WeightedInputs(module)
    net.module_ = inputs
    criterion.reduction = "none"
    hook = criterion.register_forward_hook(
        lambda _module, _args, losses: _weighted_mean(losses, inputs.batch_weight)
    )
    try:
        yield {_INPUT: X, _WEIGHT: sample_weight.astype(np.float32)}
    finally:
        hook.remove()
        criterion.reduction = "mean"
        net.module_ = module


def batch_weight(net: NeuralNet, X: Any) -> torch.Tensor | None:
    """Return the weights of the rows of a batch.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.
    X : object
        Inputs of the batch, as the iterator gave them.

    Returns
    -------
    weight : torch.Tensor of shape (n,) or None
        None where rows have no weights.
    """
    return X[_WEIGHT] if isinstance(net.module_, WeightedInputs) else None


def set_batch_weight(net: NeuralNet, X: Any) -> None:
    """Tell a net the weights of rows whose outputs are known already.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.
    X : object
        Inputs of the rows, in the form of a batch.
    """
    if isinstance(net.module_, WeightedInputs):
        net.module_.batch_weight = X[_WEIGHT]


def _weighted_mean(losses: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    assert weight is not None
    weight = weight.to(losses)
    per_row = losses.flatten(1).mean(1) if losses.ndim > 1 else losses
    return (per_row * weight).sum() / weight.sum().clamp(min=1e-12)
