"""All that a skorch net carries from one training step to the next, as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from ..utils._checkpoint import to_plain
from ._networks import ITERATORS

_CLOCKS = ("epoch_start_time_",)  # of this process; they say nothing to another


Callbacks = Sequence[tuple[str, Callback]]


def net_state(
    net: NeuralNet, module: nn.Module, callbacks: Callbacks
) -> dict[str, Any]:
    """Return the state of a net between two steps; its tensors are the net's own.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net in training.
    module : nn.Module
        The network; the net's own may be wrapped.
    callbacks : sequence of (str, Callback)
        The user's callbacks and skorch's own.

    Returns
    -------
    state : dict
        Of the network, the optimizers and other torch parts, of the callbacks, and the
        history.
    """
    return {
        "parts": {name: _part_state(p) for name, p in _parts(net, module)},
        "callbacks": {name: _learned(callback) for name, callback in callbacks},
        "history": [_packed_epoch(row) for row in net.history.to_list()],
    }


def load_net_state(
    net: NeuralNet,
    module: nn.Module,
    callbacks: Callbacks,
    state: dict[str, Any],
    n_epochs: int,
) -> None:
    """Put a net back into a saved state.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net of the same settings, whose training has begun.
    module : nn.Module
        The network.
    callbacks : sequence of (str, Callback)
        The user's callbacks and skorch's own.
    state : dict
        What `net_state` returned.
    n_epochs : int
        How many records of the history to put back.

    Raises
    ------
    ValueError
        If the network has other parameters than the saved one.
    """
    for name, part in _parts(net, module):
        if name in state["parts"]:
            _load_part(name, part, state["parts"][name])
    for name, callback in callbacks:
        _load_learned(callback, state["callbacks"].get(name, {}))
    net.history[:] = [_unpacked_epoch(row) for row in state["history"][:n_epochs]]


def generator_states(net: NeuralNet) -> dict[str, torch.Tensor]:
    """Return the states of the generators that a net's iterators draw from.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.

    Returns
    -------
    states : dict of str to torch.Tensor
        By parameter of the net.
    """
    return {name: generator.get_state() for name, generator in _generators(net)}


def load_generator_states(net: NeuralNet, states: dict[str, torch.Tensor]) -> None:
    """Put the generators of a net's iterators back.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.
    states : dict of str to torch.Tensor
        What `generator_states` returned.
    """
    for name, generator in _generators(net):
        if name in states:
            generator.set_state(states[name].cpu())


def _generators(net: NeuralNet) -> Iterator[tuple[str, torch.Generator]]:
    for iterator in ITERATORS:
        for name, value in net.get_params_for(iterator).items():
            generator = getattr(value, "generator", value)  # a sampler holds its own
            if isinstance(generator, torch.Generator):
                yield f"{iterator}__{name}", generator


def _parts(net: NeuralNet, module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Modules, criteria and optimizers, also those that a subclass of the net adds."""
    for name in net.cuda_dependent_attributes_:
        part = module if name == "module_" else getattr(net, name, None)
        if _has_state(part):
            yield name, part


def _has_state(value: Any) -> bool:
    if isinstance(value, type):
        return False
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def _part_state(part: Any) -> dict[str, Any]:
    state = {"state": dict(part.state_dict())}
    if isinstance(part, nn.Module):
        buffers = dict(part.named_buffers())
        state["buffers"] = {n: buffers[n] for n in buffers.keys() - state["state"]}
        state["trained"] = {n: p.requires_grad for n, p in part.named_parameters()}
    return state


def _load_part(name: str, part: Any, state: dict[str, Any]) -> None:
    try:
        part.load_state_dict(state["state"])
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"the saved run does not fit {name.rstrip('_')} of the net, although the "
            f"settings are the same; has its code changed? {error}"
        ) from error
    if isinstance(part, nn.Module):
        for key, buffer in part.named_buffers():
            if key in state["buffers"]:
                buffer.copy_(state["buffers"][key])
        for key, parameter in part.named_parameters():
            parameter.requires_grad_(state["trained"][key])


def _learned(callback: Any) -> dict[str, Any]:
    """What a callback has learned: its state, or its plain fitted attributes."""
    if _has_state(callback):
        return {"state": callback.state_dict()}
    fitted = {
        name: value
        for name, value in vars(callback).items()
        if name.endswith("_") and name[0] != "_" and name not in _CLOCKS
    }
    return {
        "parts": {n: v.state_dict() for n, v in fitted.items() if _has_state(v)},
        "values": {n: v for n, v in fitted.items() if _is_plain(v)},
    }


def _load_learned(callback: Any, learned: dict[str, Any]) -> None:
    if "state" in learned:
        callback.load_state_dict(learned["state"])
    for name, state in learned.get("parts", {}).items():
        part = getattr(callback, name, None)
        if part is not None:  # some begin with the training only
            part.load_state_dict(deepcopy(state))  # CyclicLR takes from what it reads
    for name, value in learned.get("values", {}).items():
        setattr(callback, name, deepcopy(value))


def _is_plain(value: Any) -> bool:
    try:
        to_plain(value)
    except TypeError:
        return False
    return True


def _packed_epoch(row: dict[str, Any]) -> dict[str, Any]:
    """A record of the history, with the batches in columns: they are many."""
    for key, value in row.items():
        if key != "batches" and not _is_plain(value):
            raise TypeError(
                f"the history holds {value!r} under {key!r}, which a checkpoint cannot "
                "keep; callbacks must record numbers, strings or arrays."
            )
    groups = [list(group) for _, group in groupby(row["batches"], key=tuple)]
    columns = [
        {"n": len(group), "keys": {key: _column(group, key) for key in group[0]}}
        for group in groups
    ]
    return {**row, "batches": columns}


def _column(rows: list[dict[str, Any]], key: str) -> Any:
    values = [row[key] for row in rows]
    same = len({type(value) for value in values}) == 1
    return np.array(values) if same and type(values[0]) in (float, int) else values


def _unpacked_epoch(row: dict[str, Any]) -> dict[str, Any]:
    batches: list[dict[str, Any]] = []
    for group in row["batches"]:
        columns = {
            key: values.tolist() if isinstance(values, np.ndarray) else values
            for key, values in group["keys"].items()
        }
        batches += [
            {key: values[i] for key, values in columns.items()}
            for i in range(group["n"])
        ]
    return {**row, "batches": batches}
