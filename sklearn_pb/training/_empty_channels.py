"""Channels that have lost all their weights, before batch norm.

Such a channel gives its bias, whatever it is shown. Batch norm takes that away again in
training, so that the loss does not depend on the bias; but an optimizer that divides
gradients by their size moves it all the same, on rounding errors alone. The running
mean lags behind, and in evaluation the difference is divided by the root of a variance
that is zero. With the present bias for a mean, the network computes in evaluation what
it was trained for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import nn

from ._representation import run_hooked

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class NormalizedLayer(NamedTuple):
    """A layer with a bias, and the batch norm that is all that sees its outputs.

    Attributes
    ----------
    layer : nn.Module
        Linear or convolutional.
    norm : nn.Module
        It follows the mean of each output channel in training.
    """

    layer: Any
    norm: Any


def normalized_layers(module: nn.Module, X: torch.Tensor) -> list[NormalizedLayer]:
    """Return the layers with a bias that go straight into a batch norm.

    Parameters
    ----------
    module : nn.Module
        The network; it is left as it was.
    X : torch.Tensor
        Some rows to run it on.

    Returns
    -------
    layers : list of NormalizedLayer
        Without norms that are kept in evaluation mode, that follow no mean, or that are
        used more than once.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.train()  # a network may keep some of its norms as they are
    norms = [m for m in module.modules() if isinstance(m, _NORMS) and _follows(m)]
    if not norms:
        _restore(modes)
        return []
    seen = _Seen()
    hooks = [
        norm.register_forward_pre_hook(seen.norm, with_kwargs=True) for norm in norms
    ]
    hooks += [
        layer.register_forward_hook(seen.layer)
        for layer in module.modules()
        if isinstance(layer, _LAYERS) and layer.bias is not None
    ]
    run_hooked(module, X, hooks)
    _restore(modes)
    return seen.once()


def settle_empty_channels(layers: Iterable[NormalizedLayer]) -> None:
    """Give batch norms the biases of channels without weights for running means.

    Parameters
    ----------
    layers : iterable of NormalizedLayer
        With the weights that they are evaluated with.
    """
    with torch.no_grad():
        for layer, norm in layers:
            empty = (layer.weight == 0).flatten(1).all(1)
            mean = norm.running_mean
            mean.copy_(torch.where(empty, layer.bias.to(mean.dtype), mean))


def _follows(norm: nn.Module) -> bool:
    """Whether a norm follows the mean of its inputs; momentum 0 keeps it as it is."""
    assert isinstance(norm, _NORMS)
    follows = norm.track_running_stats and norm.running_mean is not None
    return norm.training and follows and norm.momentum != 0


def _restore(modes: list[tuple[nn.Module, bool]]) -> None:
    for part, training in modes:
        part.training = training


class _Seen:
    """Which norm was given just what a layer had returned."""

    def __init__(self) -> None:
        self._outputs: list[tuple[torch.Tensor, nn.Module]] = []
        self._pairs: list[NormalizedLayer] = []
        self._uses: list[nn.Module] = []

    def layer(self, layer: nn.Module, _args: tuple, output: Any) -> None:
        self._uses.append(layer)
        self._outputs.append((output, layer))

    def norm(self, norm: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        given = args[0] if args else kwargs["input"]
        self._uses.append(norm)
        for output, layer in self._outputs:
            channels_second = not isinstance(layer, nn.Linear) or given.ndim == 2
            if output is given and channels_second:
                self._pairs.append(NormalizedLayer(layer, norm))

    def once(self) -> list[NormalizedLayer]:
        """Those whose layer and norm were used once."""
        uses = [id(module) for module in self._uses]
        return [
            pair
            for pair in self._pairs
            if uses.count(id(pair.layer)) == uses.count(id(pair.norm)) == 1
        ]
