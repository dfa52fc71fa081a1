"""An estimator that is fitted before another: its network, its weights, its zeros."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..training import forgets_weights
from ..utils import RandomStream
from ._network_estimator import NetworkEstimator

_SEEDS = 2**31 - 1


def network_within(estimator: Any) -> Any:
    """Return the network at the bottom of a chain of estimators.

    Parameters
    ----------
    estimator : object
        A skorch net, a module, a class or None; or an estimator around one, which may
        be frozen.

    Returns
    -------
    network : object
        What the innermost of them holds.
    """
    while isinstance(estimator, (NetworkEstimator, FrozenEstimator)):
        estimator = estimator.estimator
    return estimator


def trained_before(estimator: Any) -> Any:
    """Return what a frozen estimator holds: a network starts from its weights.

    Parameters
    ----------
    estimator : object
        The `estimator` parameter.

    Returns
    -------
    trained : NetworkEstimator, skorch.NeuralNet or None
        Fitted; None where nothing is frozen.

    Raises
    ------
    NotFittedError
        If what is frozen is not fitted.
    TypeError
        If it is no network with a way to train it.

    Warns
    -----
    UserWarning
        If a net has weights that are about to be forgotten.
    """
    if not isinstance(estimator, FrozenEstimator):
        if forgets_weights(estimator):
            warnings.warn(
                f"the weights of the {type(estimator).__name__} given as estimator are "
                "not used: it is cloned, as scikit-learn does, and starts afresh. To "
                "start from its weights, give FrozenEstimator(net); to do without them "
                "and without this warning, give clone(net).",
                UserWarning,
                stacklevel=5,
            )
        return None
    trained = estimator.estimator
    if not hasattr(trained, "fit"):
        raise TypeError(
            f"estimator={estimator!r} must hold a fitted skorch net or an estimator "
            "around one; a module is given as it is, with its weights."
        )
    check_is_fitted(trained)
    return trained


def fit_first_stage(
    estimator: Any, X: Any, y: Any, sample_weight: Any, stream: RandomStream
) -> Any:
    """Fit what is given in place of a network; what is frozen is taken as it is.

    Parameters
    ----------
    estimator : object
        The `estimator` of the second stage.
    X, y, sample_weight : array-like
        What `fit` of the second stage was given.
    stream : RandomStream
        Where the seed of an estimator without one is drawn.

    Returns
    -------
    first : NetworkEstimator, skorch.NeuralNet or None
        Fitted; None where `estimator` is a network by itself.

    Raises
    ------
    NotFittedError, TypeError
        If a frozen estimator is not fitted, or none of ours.
    """
    trained = trained_before(estimator)
    if trained is not None or not isinstance(estimator, NetworkEstimator):
        return trained
    first = clone(estimator)
    if first.random_state is None:
        first.set_params(random_state=stream.key % _SEEDS)
    given = {} if sample_weight is None else {"sample_weight": sample_weight}
    return first.fit(X, y, **given)


def take_weights(module: nn.Module, first: Any) -> None:
    """Give a network the weights of the one that was trained before it.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    first : NetworkEstimator or skorch.NeuralNet
        Fitted.

    Raises
    ------
    ValueError
        If that one has other parameters, or of other shapes.
    """
    net = getattr(first, "estimator_", first)
    try:
        module.load_state_dict(net.module_.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"the weights of the {type(first).__name__} do not fit the network that "
            f"these data need: {error}"
        ) from error


def check_same_task(first: Any, second: Any) -> None:
    """Raise if a frozen first stage has learned another task.

    Parameters
    ----------
    first, second : estimator
        Fitted, and about to be.

    Raises
    ------
    ValueError
        If they know other classes, or rows of another length.
    """
    for name in ("classes_", "n_features_in_"):
        was, found = getattr(first, name, None), getattr(second, name, None)
        if was is not None and not np.array_equal(was, np.asarray(found)):
            raise ValueError(
                f"{type(first).__name__} was fitted with {name}={was!r}, but the data "
                f"have {found!r}; a frozen estimator is taken as it is."
            )


@contextmanager
def holding_zeros(net: Any, masks: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Set masked entries to zero after each step of a net's optimizer.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised.
    masks : dict of str to torch.Tensor
        True where an entry may be other than zero, by parameter name.

    Yields
    ------
    None
        Train now.
    """
    if not masks:
        yield
        return
    parameters = [net.module_.get_parameter(name) for name in masks]
    pairs = [
        (parameter, ~mask.to(parameter.device, torch.bool))
        for parameter, mask in zip(parameters, masks.values(), strict=True)
    ]

    def reset(*_: Any) -> None:
        with torch.no_grad():
            for parameter, gone in pairs:
                parameter.masked_fill_(gone, 0.0)

    optimizer = getattr(net.optimizer_, "optimizer", net.optimizer_)
    handle = optimizer.register_step_post_hook(reset)
    try:
        yield
    finally:
        handle.remove()
