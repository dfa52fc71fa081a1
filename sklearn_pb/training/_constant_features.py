"""Running means of batch norms whose inputs have become constant."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_ENOUGH = 64  # values of a feature that do not all agree by chance


def settle_constant_features(net: NeuralNet, batch: Any) -> None:
    """Give batch norms the means of those inputs that are constant by now.

    A channel whose weights are all zero gives its bias, whatever it is shown. Batch
    norm takes that away again in training, so that the loss does not depend on the
    bias; but an optimizer that divides gradients by their size moves it all the same,
    on rounding errors alone. The running mean lags behind, and in evaluation the
    difference is divided by the root of a variance that is zero. With the mean of the
    present bias the network computes in evaluation what it has been trained for.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net in training, or after it.
    batch : object
        Rows that it trains on, as the iterator gives them.
    """
    norms = [norm for norm in net.module_.modules() if _has_running_mean(norm)]
    if not norms:
        return
    # Before each norm runs, so that the layers after it see what it gives then.
    hooks = [norm.register_forward_pre_hook(_settle) for norm in norms]
    try:
        net.evaluation_step(batch, training=False)
    finally:
        for hook in hooks:
            hook.remove()


def _has_running_mean(module: nn.Module) -> bool:
    """Whether there is a mean that follows the inputs; momentum 0 keeps it as it is."""
    return (
        isinstance(module, _NORMS)
        and module.running_mean is not None
        and module.momentum != 0
    )


def _settle(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    assert isinstance(norm, _NORMS)
    assert norm.running_mean is not None and norm.running_var is not None
    features = inputs[0].transpose(0, 1).flatten(1)
    if features.shape[1] == 0:
        return
    low, high = features.aminmax(dim=1)
    constant = low == high
    if features.shape[1] < _ENOUGH:
        constant &= norm.running_var <= norm.eps
    mean = norm.running_mean
    mean.copy_(torch.where(constant, low.to(mean.dtype), mean))
