"""Networks that start from weights of another one, as far as they fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet

from ..utils import RandomStream
from ._networks import build_net, initialize_net, takes_integers


def with_given_weights(
    estimator: Any,
    weights: Mapping[str, torch.Tensor],
    X: np.ndarray,
    n_outputs: int,
    stream: RandomStream,
) -> Any:
    """Return an `estimator` parameter whose network starts from given weights.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave; it is not changed.
    weights : dict of str to torch.Tensor
        State of another network. What has no counterpart of its shape is passed over,
        and what is missing is drawn.
    X : numpy.ndarray of shape (n, ...)
        Inputs.
    n_outputs : int
        Outputs that the network needs, if it is ours.
    stream : RandomStream
        Where other weights are drawn.

    Returns
    -------
    estimator : skorch.NeuralNet or nn.Module
        With an instance of the network.
    """
    example = np.array(X[:2])
    if not (example.dtype.kind in "iu" and takes_integers(estimator)):
        example = example.astype(np.float32)
    net = build_net(
        estimator,
        n_inputs=int(np.prod(X.shape[1:])),
        n_outputs=n_outputs,
        device="cpu",
    )
    initialize_net(net, example, stream)
    module = net.module_
    own = module.state_dict()
    fitting = {
        name: value
        for name, value in weights.items()
        if name in own and own[name].shape == value.shape
    }
    module.load_state_dict({**own, **fitting})
    if not isinstance(estimator, NeuralNet):
        return module
    settings = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if not name.startswith("module__")  # an instance takes no arguments
    }
    return type(estimator)(**{**settings, "module": module})
