"""A wrapper that runs any module with masked weights and never changes its class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..masks import MaskLayout
from ._lending_module import LendingModule
from ._lent_weights import LentWeights


class MaskedModule(LendingModule):
    """Run a module with each weight multiplied by its entry of one flat mask.

    A masked step costs two or three products over a dense one. After the backward pass
    `collect` turns the gradients of the masked weights into those of the weights and
    of the mask.

    Parameters
    ----------
    module : nn.Module
        The network.
    layout : MaskLayout
        What is masked.
    rescale : bool, default=False
        Divide each layer's weights by the mean of its mask, taken as a constant in
        the backward pass (dynamic weight rescaling: Silva, 2023, section B.3).
    train_weights : bool, default=True
        False lets `collect` drop the gradients of the masked weights.

    Attributes
    ----------
    mask : torch.Tensor of shape (d,) or None
        Values in [0, 1]; None runs the module as it is.
    wants_slope : bool
        Whether `collect` gives the slope of the loss by the mask.
    runner : callable or None
        Runs a forward pass, given its positional and named arguments, in place of
        `lent_run`.
    takes_channels_last : bool or None
        Whether it runs on images stored by channels; None as long as nobody has tried.
    """

    mask: torch.Tensor | None
    weights: LentWeights

    def __init__(
        self,
        module: nn.Module,
        layout: MaskLayout,
        *,
        rescale: bool = False,
        train_weights: bool = True,
    ) -> None:
        super().__init__(module, LentWeights(module, layout, rescale))
        self.layout = layout
        self.rescale = rescale
        self.train_weights = train_weights
        self.mask = None
        self.wants_slope = False
        self.runner: Any = None
        self.takes_channels_last: bool | None = None
        self._slope: torch.Tensor | None = None
        self._trained = [
            train_weights and name not in self.fixed for name in self.weights.names
        ]
        pairs = zip(self.weights.parameters, self._trained, strict=True)
        self._untrained = [parameter for parameter, trained in pairs if not trained]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module with its masked weights."""
        return (self.runner or self.lent_run)(args, kwargs)

    def lend(self) -> None:
        """Give the module its masked weights, if there is a mask."""
        if self.mask is not None:
            self.weights.lend(self.mask)

    def collect(self) -> torch.Tensor | None:
        """End a training pass: give the weights back, with gradients of their own.

        Returns
        -------
        slope : torch.Tensor of shape (d,) or None
            Derivative of the loss by each entry of the mask, if `wants_slope`. Its
            memory is used again by the next call.
        """
        if not self.weights.lent or self.mask is None:
            return None
        self.weights.take_back()
        parameters, slope = self.weights.parameters, None
        if self.wants_slope:
            if self._slope is None:
                self._slope = torch.empty_like(self.mask)
            slope = self._slope
        trained = self._trained
        gradients = [p.grad for p in parameters]
        self.weights.split_gradients(self.mask, gradients, slope, trained)
        self.drop_untrained()
        return slope

    def drop_untrained(self) -> None:
        """Drop the gradients of governed parameters that are not trained."""
        for parameter in self._untrained:
            parameter.grad = None

    @contextmanager
    def trial(self, mask: torch.Tensor) -> Iterator[None]:
        """Try a mask: in this context forward passes leave no trace in the module.

        Gradients are off, but may be switched on again; `slope` then ends a pass.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1]. Running statistics of batch norm are put back.
        """
        before = self.mask, self.runner
        pending, self.weights.write_next = self.weights.write_next, None
        buffers = [(b, b.clone()) for b in self.module.buffers()]
        self.mask, self.runner = mask, None
        try:
            with torch.no_grad():
                yield
        finally:
            self.weights.take_back()
            self.mask, self.runner = before
            self.weights.write_next = pending
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)

    def slope(self, loss: torch.Tensor) -> torch.Tensor:
        """Return the slope of a loss by the mask, and leave the gradients as they are.

        Parameters
        ----------
        loss : torch.Tensor
            One number, with its autograd graph.

        Returns
        -------
        slope : torch.Tensor of shape (d,)
            A new tensor; the weights have been taken back.
        """
        assert self.mask is not None
        parameters = self.weights.parameters
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        self.weights.take_back()
        slope = torch.empty_like(self.mask, dtype=parameters[0].dtype)
        with torch.no_grad():
            self.weights.split_gradients(self.mask, gradients, slope)
        return slope

    def bake(self) -> None:
        """Write the mask (and the rescaling) into the weights, for good."""
        assert self.mask is not None
        self.weights.bake(self.mask)
