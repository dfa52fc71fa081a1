"""The penultimate representation: what the last layer of a network is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.utils.hooks import RemovableHandle


def last_layer(module: nn.Module, X: torch.Tensor) -> str:
    """Return the name of the last layer with weights that a forward pass reaches.

    Parameters
    ----------
    module : nn.Module
        The network.
    X : torch.Tensor
        Some rows to run it on.

    Returns
    -------
    name : str
        For ``module.get_submodule``.
    """
    reached: list[str] = []
    hooks = [
        layer.register_forward_hook(lambda *_, name=name: reached.append(name))
        for name, layer in module.named_modules()
        if any(p.ndim >= 2 for p in layer.parameters(recurse=False))
    ]
    run_hooked(module, X, hooks)
    return reached[-1] if reached else ""


def run_hooked(
    module: nn.Module, X: torch.Tensor, hooks: Iterable[RemovableHandle]
) -> None:
    """Run a network in evaluation mode, which it keeps, and take its hooks off.

    Parameters
    ----------
    module : nn.Module
        The network.
    X : torch.Tensor
        Some rows to run it on.
    hooks : iterable of RemovableHandle
        What looks on.
    """
    try:
        with torch.no_grad():
            module.eval()(X)
    finally:
        for hook in hooks:
            hook.remove()


def first_rows(module: nn.Module, X: np.ndarray) -> torch.Tensor:
    """Return two rows where a network is.

    Parameters
    ----------
    module : nn.Module
        The network.
    X : numpy.ndarray of shape (n, ...)
        The inputs.

    Returns
    -------
    rows : torch.Tensor
        The first two.
    """
    parameter = next(module.parameters(), torch.empty(0))
    return torch.as_tensor(X[:2]).to(parameter.device)


def representation(net: NeuralNet, layer: str, X: Any) -> np.ndarray:
    """Return what a layer is given for each row.

    Parameters
    ----------
    net : skorch.NeuralNet
        A trained net.
    layer : str
        Name of the layer.
    X : array of shape (n, ...)
        The inputs.

    Returns
    -------
    features : numpy.ndarray of shape (n, n_features_out)
        The layer's inputs, flattened.
    """
    parts: list[np.ndarray] = []

    def keep(_layer: nn.Module, args: tuple) -> None:
        parts.append(args[0].detach().flatten(1).cpu().numpy())

    hook = net.module_.get_submodule(layer).register_forward_pre_hook(keep)
    try:
        for _ in net.forward_iter(X):
            pass
    finally:
        hook.remove()
    return np.concatenate(parts)
