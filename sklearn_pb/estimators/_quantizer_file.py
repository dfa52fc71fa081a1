"""A fitted quantizer in one file of plain values, and back."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..exceptions import ExportError
from ..export import load_quantized, save_quantized
from ..quantizers import resolve_quantization, restore_activations
from ..training import (
    build_net,
    check_estimator_parameter,
    default_sizes,
    initialize_net,
    is_regression,
)
from ..utils import RandomStream
from ._first_stage import network_within

_KIND = "MixedPrecisionQuantizer"
_LEFT_OUT = (
    "estimator",
    "callback",
    "checkpoint",
    "checkpoint_every",
    "device",
    "verbose",
)


def save_quantizer(path: str | os.PathLike[str], quantizer: Any) -> None:
    """Write a fitted quantizer to one file.

    Parameters
    ----------
    path : str or path-like
        The file.
    quantizer : MixedPrecisionQuantizer
        Fitted.

    Raises
    ------
    TypeError
        If the labels are of a kind that could only be pickled.
    """
    check_is_fitted(quantizer)
    module = quantizer.estimator_.module_
    save_quantized(
        path, module, quantizer.quantized_, what_else(quantizer, quantizer.estimator_)
    )


def what_else(quantizer: Any, net: Any) -> dict[str, Any]:
    """Return what the file of a quantizer holds beside its network.

    Parameters
    ----------
    quantizer : MixedPrecisionQuantizer
        Fitted, or about to be: lengths are then right, not all values.
    net : skorch net
        Its network.

    Returns
    -------
    extra : dict
        For JSON.

    Raises
    ------
    TypeError
        If the labels are of a kind that could only be pickled.
    """
    uncounted = getattr(quantizer, "_uncounted_bits", 0)
    return {
        "kind": _KIND,
        "parameters": _plain_parameters(quantizer),
        "network": type(net.module_).__qualname__,
        "sizes": default_sizes(net),
        "regression": is_regression(net),
        "classes": _labels(getattr(quantizer, "classes_", None)),
        "n_features": quantizer.n_features_in_,
        "feature_names": _labels(getattr(quantizer, "feature_names_in_", None)),
        "inputs": [str(quantizer._examples.dtype), *quantizer._examples.shape[1:]],
        "integers": bool(quantizer._keeps_integers),
        "target_ndim": getattr(quantizer, "_target_ndim", 1),
        "last_layer": quantizer._layer,
        "n_features_out": getattr(quantizer, "_n_features_out", 0),
        "uses": quantizer._uses,
        "activations": bool(getattr(quantizer, "activation_bits_", False)),
        **({"uncounted_bits": uncounted} if uncounted else {}),
    }


def load_quantizer(
    cls: type, path: str | os.PathLike[str], estimator: Any, device: str
) -> Any:
    """Read what `save_quantizer` wrote.

    Parameters
    ----------
    cls : type
        The class of the quantizer.
    path : str or path-like
        The file.
    estimator : skorch net, torch.nn.Module (instance or class) or None
        The network; None for a default one.
    device : str
        Where it is to be.

    Returns
    -------
    quantizer : MixedPrecisionQuantizer
        Fitted.

    Raises
    ------
    ExportError
        If the file is damaged, or holds no estimator.
    ValueError
        If a network is needed, or the one given is of another kind.
    """
    found = load_quantized(path)
    extra = found.extra
    if extra.get("kind") != _KIND:
        raise ExportError(
            f"{os.fspath(path)} holds a network, but no {_KIND}; read it with "
            "sklearn_pb.export.load_quantized."
        )
    network = network_within(estimator)
    check_estimator_parameter(network)
    quantizer = cls(estimator=network, device=device, **extra["parameters"])
    _set_task(quantizer, extra)
    net = _build(quantizer, extra, os.fspath(path))
    if extra["activations"]:
        restore_activations(net.module_, found.state)
    _load_state(net.module_, found.state, os.fspath(path))
    quantizer.estimator_ = net
    uncounted = extra.get("uncounted_bits", 0)
    quantizer._describe(net.module_, found.quantized, extra["uses"], {}, uncounted)
    quantizer.history_, quantizer._error = [], None
    quantizer.method_ = resolve_quantization(quantizer.method)
    return quantizer


def _plain_parameters(quantizer: Any) -> dict[str, Any]:
    """Parameters as JSON has them; what needs code to be read is left at its default.

    Others are arrays of few numbers, such as widths.
    """
    plain, defaults = {}, inspect.signature(type(quantizer)).parameters
    for name, value in quantizer.get_params(deep=False).items():
        value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        if isinstance(value, (list, tuple)):
            value = [int(v) if isinstance(v, np.integer) else v for v in value]
        simple = value is None or isinstance(value, (bool, int, float, str, list))
        if name in _LEFT_OUT or not simple or _has_objects(value):
            continue
        if value != defaults[name].default:
            plain[name] = value
    return plain


def _has_objects(value: Any) -> bool:
    return isinstance(value, list) and not all(
        isinstance(entry, (int, float, str)) for entry in value
    )


def _labels(values: np.ndarray | None) -> Any:
    """Labels as JSON has them, with their type."""
    if values is None:
        return None
    kind, listed = values.dtype.kind, values.tolist()
    text = all(isinstance(value, str) for value in listed)
    if kind not in "biufU" and not (kind == "O" and text):
        raise TypeError(
            f"labels and names of columns must be numbers or strings to be saved, but "
            f"these have type {values.dtype}: {listed[:3]!r}."
        )
    return [values.dtype.str, listed]


def _array(labels: Any) -> np.ndarray:
    dtype, listed = labels
    return np.array(listed, dtype=dtype)


def _set_task(quantizer: Any, extra: Mapping[str, Any]) -> None:
    """What the estimator knows of inputs and targets."""
    if extra["classes"] is not None:
        quantizer.classes_ = _array(extra["classes"])
    if extra["feature_names"] is not None:
        quantizer.feature_names_in_ = _array(extra["feature_names"])
    quantizer.n_features_in_ = extra["n_features"]
    quantizer._keeps_integers = extra["integers"]
    quantizer._target_ndim = extra["target_ndim"]
    quantizer._layer = extra["last_layer"]
    quantizer._n_features_out = extra["n_features_out"]
    dtype, *shape = extra["inputs"]
    quantizer._examples = np.zeros((2, *shape), dtype=dtype)


def _build(quantizer: Any, extra: Mapping[str, Any], path: str) -> Any:
    """A net that has been initialised, whose weights do not matter."""
    given, sizes = quantizer.estimator, extra["sizes"]
    if given is None and sizes is None:
        raise ValueError(
            f"estimator=None: {path} holds the weights of a {extra['network']}, which "
            "no file can build again; give the network that was quantized, as a skorch "
            "net, a module or a class."
        )
    if is_regression(given) != extra["regression"]:
        kind = "regressor" if extra["regression"] else "classifier"
        raise ValueError(
            f"estimator must be a {kind}, as the one in {path}, but is "
            f"{type(given).__name__}."
        )
    needed = sizes or {"n_inputs": 1, "n_outputs": 1}  # which others have by themselves
    net = build_net(
        given,
        n_inputs=needed["n_inputs"],
        n_outputs=needed["n_outputs"],
        device=quantizer.device,
    )
    if given is None:
        net.set_params(module__n_hidden=needed["n_hidden"])
    net.set_params(verbose=0)
    initialize_net(net, quantizer._examples, RandomStream(0))
    return net


def _load_state(
    module: nn.Module, state: Mapping[str, torch.Tensor], path: str
) -> None:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"the weights in {path} do not fit {type(module).__name__}: {error}"
        ) from error
