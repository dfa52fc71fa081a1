"""A wrapper that runs any module with masked weights and never changes its class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ..masks import MaskLayout, Placement, Singles
from ._seeding import SeededDraws


class MaskedModule(nn.Module):
    """Run a module with each weight multiplied by its entry of one flat mask.

    A forward pass lends the module its masked weights: the same parameters, other
    values. Without gradients they are taken back at once; with gradients they stay
    for the backward pass until `collect`, which turns the gradients of the masked
    weights into those of the weights and of the mask. So a masked step costs two or
    three products over a dense one, tied weights stay tied, and the optimizer, which
    runs after `collect`, sees only real weights.

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
    draws : SeededDraws or None
        Where random layers draw in training; dropped when the module has none.
    """

    mask: torch.Tensor | None

    def __init__(
        self,
        module: nn.Module,
        layout: MaskLayout,
        *,
        rescale: bool = False,
        train_weights: bool = True,
    ) -> None:
        super().__init__()
        self.module = module
        self.layout = layout
        self.rescale = rescale
        self.train_weights = train_weights
        self.mask = None
        self.wants_slope = False
        self.draws: SeededDraws | None = None
        self._weights: list[torch.Tensor] | None = None  # while masked ones are lent
        self._masked: list[torch.Tensor] | None = None  # memory for them, kept
        self._slope: torch.Tensor | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module with its masked weights."""
        if self.mask is not None:
            self._lend()
        try:
            output = self._run(args, kwargs)
        except BaseException:
            self._take_back()
            raise
        if not torch.is_grad_enabled():
            self._take_back()
        return output

    def _run(self, args: Any, kwargs: Any) -> Any:
        if not self.training or self.draws is None:
            return self.module(*args, **kwargs)
        with self.draws:
            output = self.module(*args, **kwargs)
        if not self.draws.used:  # nothing in there draws: save the cost of watching
            self.draws = None
        return output

    def collect(self) -> torch.Tensor | None:
        """End a training pass: give the weights back, with gradients of their own.

        Returns
        -------
        slope : torch.Tensor of shape (d,) or None
            Derivative of the loss by each entry of the mask, if `wants_slope`. Its
            memory is used again by the next call.
        """
        if self._weights is None or self.mask is None:
            return None
        self._take_back()
        slope = self._empty_slope() if self.wants_slope else None
        with torch.no_grad():
            for placement, scale in zip(
                self.layout.placements, self._scales(), strict=True
            ):
                weight = self.module.get_parameter(placement.name)
                if weight.grad is None:
                    if slope is not None and isinstance(placement, Singles):
                        placement.view(slope).zero_()
                    continue
                if scale != 1:
                    weight.grad.mul_(scale)
                if slope is not None:
                    _add_slope(placement, weight, slope)
                if self.train_weights:
                    weight.grad.mul_(placement.spread(self.mask))
                else:
                    weight.grad = None
        return slope

    @contextmanager
    def trial(self, mask: torch.Tensor) -> Iterator[None]:
        """Try a mask: in this context forward passes leave no trace in the module.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1]. Running statistics of batch norm are put back.
        """
        before = self.mask
        buffers = [(b, b.clone()) for b in self.module.buffers()]
        self.mask = mask
        try:
            with torch.no_grad():
                yield
        finally:
            self.mask = before
            for buffer, value in buffers:
                buffer.copy_(value)

    def bake(self) -> None:
        """Write the mask (and the rescaling) into the weights, for good."""
        self._lend()
        assert self._weights is not None
        with torch.no_grad():
            for weight, masked in zip(
                self._weights, self._parameters_now(), strict=True
            ):
                weight.copy_(masked)
        self._take_back()

    def _parameters_now(self) -> list[nn.Parameter]:
        return self.layout.parameters(self.module)

    def _lend(self) -> None:
        if self._weights is not None:  # a second pass of the same step
            return
        assert self.mask is not None
        parameters = self._parameters_now()
        if self._masked is None:
            self._masked = [torch.empty_like(p) for p in parameters]
        self._weights = [p.data for p in parameters]
        for parameter, masked, placement, scale in zip(
            parameters,
            self._masked,
            self.layout.placements,
            self._scales(),
            strict=True,
        ):
            torch.mul(parameter.data, placement.spread(self.mask), out=masked.data)
            if scale != 1:
                masked.data.mul_(scale)
            parameter.data = masked.data

    def _take_back(self) -> None:
        if self._weights is None:
            return
        for parameter, weight in zip(
            self._parameters_now(), self._weights, strict=True
        ):
            parameter.data = weight
        self._weights = None

    def _empty_slope(self) -> torch.Tensor:
        assert self.mask is not None
        if self._slope is None:
            self._slope = torch.empty_like(self.mask)
        if not all(isinstance(p, Singles) for p in self.layout.placements):
            self._slope.zero_()
        return self._slope

    def _scales(self) -> list[float]:
        assert self.mask is not None
        if not self.rescale:
            return [1.0] * len(self.layout.placements)
        means = [
            float(placement.spread(self.mask).mean())
            if len(placement.shape) >= 2
            else 1.0
            for placement in self.layout.placements
        ]
        return [1 / mean if mean > 0 else 1.0 for mean in means]


def _add_slope(placement: Placement, weight: nn.Parameter, slope: torch.Tensor) -> None:
    """Add the slope by each variable of a parameter: the sum of gradient x weight."""
    assert weight.grad is not None
    if isinstance(placement, Singles):  # without a product of its own
        torch.mul(weight.grad, weight, out=placement.view(slope))
    else:
        placement.add_sums_(weight.grad * weight, slope)
