"""What a saved run must agree on with the run that wants to go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from skorch import NeuralNet
from torch import nn
from torch.nn.parameter import is_lazy

from ..utils import fingerprint

_LONGEST = 60  # characters of a setting that is shown as it is
_OF_THE_DISPLAY = ("verbose", "callbacks__print_log__sink", "accelerator")


def run_label(
    settings: Mapping[str, Any], estimator: Any, data: Mapping[str, np.ndarray | None]
) -> dict[str, str]:
    """Return the label of a run: short texts, the same in every process.

    Parameters
    ----------
    settings : mapping of str to object
        What the run depends on.
    estimator : skorch.NeuralNet, nn.Module, class or None
        The network. The weights of a module instance are left out: a saved run has
        weights of its own.
    data : mapping of str to numpy.ndarray or None
        What it is trained on.

    Returns
    -------
    label : dict of str to str
        For `Checkpoint`.
    """
    label = {name: _shown(value) for name, value in settings.items()}
    if isinstance(estimator, NeuralNet):
        label["estimator"] = type(estimator).__qualname__
        for name, value in estimator.get_params(deep=False).items():
            if name not in _OF_THE_DISPLAY:
                label[f"estimator__{name}"] = _shown(value)
    else:
        label["estimator"] = _shown(estimator)
    for name, array in data.items():
        if array is not None:
            label[name] = f"array {array.shape} {fingerprint(array)}"
    return label


def _shown(value: Any) -> str:
    """A setting as it is if that is short, else its kind and a fingerprint."""
    if isinstance(value, nn.Module):
        shapes = {
            name: "lazy" if is_lazy(part) else str(tuple(part.shape))
            for name, part in value.state_dict().items()
        }
        return f"{type(value).__qualname__} {fingerprint((str(value), shapes))}"
    if isinstance(value, np.generic):
        value = value.item()
    simple = value is None or isinstance(value, (bool, int, float, str, Mapping, list))
    if simple and len(repr(value)) <= _LONGEST and " at 0x" not in repr(value):
        return repr(value)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{type(value).__qualname__} {fingerprint(value)}"
