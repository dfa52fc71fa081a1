"""Running a network on example inputs without leaving a trace in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


def as_arguments(example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return example inputs as the arguments of a call.

    Parameters
    ----------
    example_inputs : torch.Tensor, tuple, list or dict
        One input, the inputs in order, or the inputs by name.

    Returns
    -------
    args, kwargs : tuple and dict
        For ``module(*args, **kwargs)``.

    Raises
    ------
    TypeError
        If it is nothing of the kind, or holds no tensor.
    """
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    if isinstance(example_inputs, torch.Tensor):
        args = (example_inputs,)
    elif isinstance(example_inputs, Mapping):
        kwargs = dict(example_inputs)
    elif isinstance(example_inputs, (tuple, list)):
        args = tuple(example_inputs)
    values = [*args, *kwargs.values()]
    if not any(isinstance(value, torch.Tensor) for value in values):
        raise TypeError(
            f"example_inputs of type {type(example_inputs).__name__} must be a tensor, "
            "or a tuple, list or dict that holds at least one tensor."
        )
    return args, kwargs


def count_samples(example_inputs: Any) -> int:
    """Return how many samples example inputs hold: the first axis of the first tensor.

    Parameters
    ----------
    example_inputs : torch.Tensor, tuple, list or dict
        As for `as_arguments`.

    Returns
    -------
    n_samples : int
        At least 1.
    """
    args, kwargs = as_arguments(example_inputs)
    values = [*args, *kwargs.values()]
    first = next(value for value in values if isinstance(value, torch.Tensor))
    return max(first.shape[0], 1) if first.ndim else 1


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into eval mode without gradients, and back afterwards.

    Parameters
    ----------
    module : nn.Module
        The network; each of its modules gets its own `training` back.

    Returns
    -------
    context : context manager
        For a with statement.
    """
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in before:
            part.training = training


def run(module: nn.Module, example_inputs: Any) -> Any:
    """Return the outputs of a module in eval mode, without gradients.

    Parameters
    ----------
    module : nn.Module
        The network.
    example_inputs : torch.Tensor, tuple, list or dict
        As for `as_arguments`.

    Returns
    -------
    outputs : object
        Whatever the module returns.
    """
    args, kwargs = as_arguments(example_inputs)
    with evaluating(module):
        return module(*args, **kwargs)
