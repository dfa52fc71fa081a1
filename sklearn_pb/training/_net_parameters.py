"""Misspelt parameters of a skorch net, found before anything is built or trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from skorch import NeuralNet
from torch import nn

_PARTS = (
    "module",
    "criterion",
    "optimizer",
    "iterator_train",
    "iterator_valid",
    "dataset",
)
_GROUPS = "param_groups"  # skorch's own, for any optimizer


def check_net_parameters(net: NeuralNet) -> None:
    """Raise if a net has a parameter for one of its parts that the part does not take.

    Parts that take any keyword, or do not tell what they take, are left alone.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised or not.

    Raises
    ------
    TypeError
        With the name of the parameter and what is allowed.
    """
    for prefix in _PARTS:
        part = getattr(net, prefix)
        kind = type(part) if isinstance(part, nn.Module) else part
        for name, value in net.get_params_for(prefix).items():
            if name.partition("__")[0] != _GROUPS:
                _check_argument(prefix, name, value, kind)
    _check_callbacks(net)


def _check_callbacks(net: NeuralNet) -> None:
    """Skorch sets parameters of the callbacks there are, and forgets about others."""
    if net.callbacks == "disable":
        return
    callbacks = dict(net._uniquely_named_callbacks())
    for key, value in vars(net).items():
        prefix, _, rest = key.partition("__")
        if prefix != "callbacks" or not rest:
            continue
        callback, _, name = rest.partition("__")
        if callback not in callbacks:
            raise _unknown(
                key, value, f"the net has no callback {callback!r}", callbacks
            )
        if name and inspect.isclass(callbacks[callback]):
            _check_argument(f"{prefix}__{callback}", name, value, callbacks[callback])


def _check_argument(
    prefix: str, name: str, value: Any, kind: Callable[..., Any]
) -> None:
    """Raise if what is called to make a part has no such argument."""
    try:
        arguments = inspect.signature(kind).parameters
    except (TypeError, ValueError):
        return
    takes_any = any(a.kind is a.VAR_KEYWORD for a in arguments.values())
    if not takes_any and name not in arguments:
        owner = getattr(kind, "__name__", repr(kind))
        problem = f"{owner} takes no argument {name!r}"
        raise _unknown(f"{prefix}__{name}", value, problem, arguments)


def _unknown(key: str, value: Any, problem: str, known: Iterable[str]) -> TypeError:
    return TypeError(
        f"{key}={value!r}, but {problem}; there are: {', '.join(known) or 'none'}."
    )
