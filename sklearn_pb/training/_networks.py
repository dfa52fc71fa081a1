"""From what a user gives as `estimator` to a skorch net of our own to train."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from sklearn.base import clone, is_regressor
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from ..utils import RandomStream
from ._net_parameters import check_net_parameters
from ._seeding import SeededDraws

ITERATORS = ("iterator_train", "iterator_valid")


class SmallNetwork(nn.Module):
    """The default network: one hidden layer between flattened inputs and outputs.

    Parameters
    ----------
    n_inputs : int
        Number of input values.
    n_outputs : int
        Number of outputs.
    n_hidden : int, default=100
        Width of the hidden layer.
    """

    def __init__(self, n_inputs: int, n_outputs: int, n_hidden: int = 100) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_inputs, n_hidden)
        self.activation = nn.ReLU()
        self.output = nn.Linear(n_hidden, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (n, n_outputs)."""
        return self.output(self.activation(self.hidden(X.flatten(1))))


def is_regression(estimator: Any) -> bool:
    """Return whether an `estimator` parameter means regression.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave; a bare module is taken for a classifier.

    Returns
    -------
    regression : bool
        True for skorch's regressors only.
    """
    return isinstance(estimator, NeuralNet) and is_regressor(estimator)


def is_binary_net(net: NeuralNet) -> bool:
    """Return whether a net wants 0 / 1 targets as floats.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.

    Returns
    -------
    binary : bool
        True for skorch's binary classifier.
    """
    return isinstance(net, NeuralNetBinaryClassifier)


def check_estimator_parameter(estimator: Any) -> None:
    """Raise if `estimator` is nothing that can be trained.

    Parameters
    ----------
    estimator : object
        What the user gave.

    Raises
    ------
    TypeError
        If it is not a skorch net, an nn.Module or None, or if it is a net with a
        parameter for one of its parts that the part does not take.
    """
    if isinstance(estimator, NeuralNet):
        check_net_parameters(estimator)
        return
    is_class = inspect.isclass(estimator) and issubclass(estimator, nn.Module)
    if estimator is None or is_class or isinstance(estimator, nn.Module):
        return
    raise TypeError(
        f"estimator={estimator!r} must be a skorch net, a torch.nn.Module (an instance "
        "or a class) or None."
    )


def forgets_weights(estimator: Any) -> bool:
    """Return whether a clone of a net is without the weights that the net has.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave.

    Returns
    -------
    forgets : bool
        True for a net that has begun with a class; an instance of a module that is
        trained in place keeps its weights.
    """
    if not isinstance(estimator, NeuralNet) or not hasattr(estimator, "module_"):
        return False
    in_place = isinstance(estimator.module, nn.Module)
    return not in_place or bool(estimator.get_params_for("module"))


def takes_integers(estimator: Any) -> bool:
    """Return whether a network looks its inputs up in a table.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave; where it has no module yet, one is built to look at.

    Returns
    -------
    integers : bool
        Whether it has embeddings.
    """
    if estimator is None:
        return False
    with SeededDraws(torch.Generator()):  # its weights are not used
        if isinstance(estimator, NeuralNet):
            options = estimator.get_params_for("module")
            module = estimator.initialized_instance(estimator.module, options)
        else:
            module = estimator() if inspect.isclass(estimator) else estimator
    return any(
        isinstance(layer, (nn.Embedding, nn.EmbeddingBag)) for layer in module.modules()
    )


def build_net(
    estimator: Any, *, n_inputs: int, n_outputs: int, device: str
) -> NeuralNet:
    """Return an uninitialised net of our own; what the user gave is not changed.

    Parameters
    ----------
    estimator : skorch.NeuralNet, nn.Module, class or None
        What the user gave.
    n_inputs, n_outputs : int
        Sizes of the default network.
    device : str
        "auto" keeps a net's own device and takes CUDA, where there is one, for
        networks that come without a net.

    Returns
    -------
    net : skorch.NeuralNet
        Not yet initialised.
    """
    if isinstance(estimator, NeuralNet):
        net = clone(estimator)
        return net if device == "auto" else net.set_params(device=device)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options: dict[str, Any] = {}
    if estimator is None:
        estimator = SmallNetwork
        options = {"module__n_inputs": n_inputs, "module__n_outputs": n_outputs}
    return NeuralNetClassifier(
        clone(estimator, safe=False) if isinstance(estimator, nn.Module) else estimator,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=2e-3,
        max_epochs=60,
        batch_size=64,
        iterator_train__shuffle=True,
        train_split=None,
        device=device,
        verbose=0,
        **options,
    )


def default_sizes(net: NeuralNet) -> dict[str, int] | None:
    """Return the sizes of a default network, from which it can be built again.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised.

    Returns
    -------
    sizes : dict of str to int or None
        The parameters of `SmallNetwork`; None for a net of any other kind.
    """
    module = net.module_
    plain = type(net) is NeuralNetClassifier and type(module) is SmallNetwork
    if not plain or not isinstance(net.criterion_, nn.CrossEntropyLoss):
        return None
    return {
        "n_inputs": module.hidden.in_features,
        "n_outputs": module.output.out_features,
        "n_hidden": module.hidden.out_features,
    }


def initialize_net(net: NeuralNet, X: Any, stream: RandomStream) -> Any:
    """Initialise a net from its own random stream, and run it once on two rows.

    The run materialises lazy layers and shows what the network gives. Iterators
    without a generator get one, also where they do not shuffle: torch's loaders draw
    a number from the global generator otherwise.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net that is not yet initialised.
    X : array
        The training inputs.
    stream : RandomStream
        Where initial weights and the order of batches are drawn.

    Returns
    -------
    output : torch.Tensor of shape (2, ...)
        The network's output for the first rows, in evaluation mode.

    Raises
    ------
    ValueError
        If the network does not take such rows.
    """
    for part, iterator in enumerate(ITERATORS, start=1):
        if net.get_params(deep=False).get(f"{iterator}__generator") is None:
            generator = stream.child(part).torch_generator()
            net.set_params(**{f"{iterator}__generator": generator})
    with SeededDraws(stream.child(0).torch_generator("cpu")):
        net.initialize()
        net.module_.eval()
        # Not the net's own device, which is None where accelerate places modules.
        parameter = next(net.module_.parameters(), torch.empty(0))
        output = _first_pass(net, torch.as_tensor(X[:2]).to(parameter.device))
    return output[0] if isinstance(output, tuple) else output


def _first_pass(net: NeuralNet, X: torch.Tensor) -> Any:
    try:
        with torch.no_grad():
            return net.infer(X)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{type(net.module_).__name__} fails on X[:2], of shape {tuple(X.shape)} "
            f"and type {X.dtype}: {error}. The module must take the rows of X as they "
            "are; compare their shape with its first layer."
        ) from error
