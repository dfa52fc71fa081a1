"""Networks that start anew, however they were given."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from sklearn.base import clone
from skorch import NeuralNet
from torch import nn

from ..utils import RandomStream
from ._networks import forgets_weights
from ._seeding import SeededDraws


def with_fresh_weights(estimator: Any, stream: RandomStream) -> Any:
    """Return an `estimator` parameter whose network starts from fresh weights.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave; it is not changed. Only an instance of a module brings
        weights of its own: those of a copy are drawn again by its
        ``reset_parameters``.
    stream : RandomStream
        Where they are drawn.

    Returns
    -------
    estimator : skorch.NeuralNet, nn.Module, class or None
        For `build_net`.

    Raises
    ------
    ValueError
        If a layer has weights and no ``reset_parameters``.
    """
    if isinstance(estimator, nn.Module):
        return _draw_again_(deepcopy(estimator), stream)
    if isinstance(estimator, NeuralNet) and isinstance(estimator.module, nn.Module):
        estimator = clone(estimator)  # with a copy of its module
        _draw_again_(estimator.module, stream)
    return clone(estimator) if forgets_weights(estimator) else estimator


def _draw_again_(module: nn.Module, stream: RandomStream) -> nn.Module:
    module.cpu()
    # Children first: a parent may have its own idea of how they start.
    layers = list(module.named_modules())[::-1]
    with SeededDraws(stream.torch_generator()):
        for name, layer in layers:
            reset = getattr(layer, "reset_parameters", None)
            reset = reset or getattr(layer, "_reset_parameters", None)
            if reset is not None:
                reset()
            elif any(True for _ in layer.parameters(recurse=False)):
                raise ValueError(
                    f"layer {name!r} ({type(layer).__name__}) of the estimator has "
                    "weights that cannot be drawn afresh, as it has no "
                    "reset_parameters; give the class of the network in place of an "
                    "instance."
                )
    return module
