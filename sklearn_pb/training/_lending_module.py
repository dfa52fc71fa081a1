"""A wrapper that runs any module with other values than its weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import nn

from ._lent_values import LentValues
from ._seeding import SeededDraws


class LendingModule(nn.Module):
    """Run a module with values that depend on its weights, and on more than these.

    A forward pass lends the module the values: the same parameters, other numbers.
    Without gradients they are taken back at once; with gradients they stay for the
    backward pass until a subclass collects them, which turns the gradients of the
    values into those of the weights. So tied weights stay tied, the class of the
    module does not change, and the optimizer sees only real weights.

    Parameters
    ----------
    module : nn.Module
        The network.
    weights : LentValues
        What is lent to it.

    Attributes
    ----------
    fixed : set of str
        Governed parameters that were frozen when the run began: other values are lent
        for them, too, but they are not trained.
    draws : SeededDraws or None
        Where random layers draw in training; dropped when the module has none.
    """

    def __init__(self, module: nn.Module, weights: LentValues) -> None:
        super().__init__()
        self.module = module
        self.weights = weights
        self.fixed = {
            name
            for name in weights.names
            if not module.get_parameter(name).requires_grad
        }
        self.draws: SeededDraws | None = None

    @abstractmethod
    def lend(self) -> None:
        """Give the module the values of this pass, or leave it as it is."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module with the values."""
        return self.lent_run(args, kwargs)

    def lent_run(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the module with the values of this pass.

        Parameters
        ----------
        args : tuple
            Positional arguments.
        kwargs : dict
            Named arguments.

        Returns
        -------
        output : object
            Of the module.
        """
        if not self.weights.lent:  # else a second pass
            self.lend()
        try:
            output = self.run(args, kwargs)
        except BaseException:
            self.weights.take_back()
            raise
        if not torch.is_grad_enabled():
            self.weights.take_back()
        return output

    def run(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the module as it is; random layers draw from `draws`.

        Parameters
        ----------
        args : tuple
            Positional arguments.
        kwargs : dict
            Named arguments.

        Returns
        -------
        output : object
            Of the module.
        """
        if not self.training or self.draws is None:
            return self.module(*args, **kwargs)
        with self.draws:
            output = self.module(*args, **kwargs)
        if not self.draws.used:  # nothing in there draws: save the cost of watching
            self.draws = None
        return output
