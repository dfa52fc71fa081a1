"""A wrapper that runs any module with masked weights and never changes its class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from ._layout import MaskLayout
from ._scratch import Scratch
from ._seeding import SeededDraws


class MaskedModule(nn.Module):
    """Run a module with each weight multiplied by its entry of one flat mask.

    The module, its parameters and its buffers stay the user's own; `bake` writes the
    mask into the weights, after which the module no longer needs this wrapper.

    Parameters
    ----------
    module : nn.Module
        The network.
    layout : MaskLayout
        What is masked.
    rescale : bool, default=False
        Divide each layer's weights by the mean of its mask, taken as a constant in
        the backward pass (dynamic weight rescaling: Silva, 2023, section B.3).

    Attributes
    ----------
    mask : torch.Tensor of shape (d,) or None
        Values in [0, 1]; None runs the module as it is.
    draws : SeededDraws or None
        Where random layers draw in training; dropped when the module has none.
    """

    mask: torch.Tensor | None

    def __init__(
        self, module: nn.Module, layout: MaskLayout, *, rescale: bool = False
    ) -> None:
        super().__init__()
        self.module = module
        self.layout = layout
        self.rescale = rescale
        self.mask = None
        self.draws: SeededDraws | None = None
        self._keep_buffers = False
        self._scratch = Scratch()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module with its masked weights."""
        if not self.training or self.draws is None:
            return self._run(args, kwargs)
        with self.draws:
            output = self._run(args, kwargs)
        if not self.draws.used:  # nothing in there draws: save the cost of watching
            self.draws = None
        return output

    def _run(self, args: Any, kwargs: Any) -> Any:
        if self.mask is None:
            return self.module(*args, **kwargs)
        tensors = self.masked_weights()
        if self._keep_buffers:
            tensors |= {name: b.clone() for name, b in self.module.named_buffers()}
        return functional_call(self.module, tensors, args, kwargs)

    @contextmanager
    def trial(self, mask: torch.Tensor) -> Iterator[None]:
        """Try a mask: in this context forward passes leave no trace in the module.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1]. Running statistics of batch norm are not updated.
        """
        before = self.mask, self._keep_buffers
        self.mask, self._keep_buffers = mask, True
        try:
            with torch.no_grad():
                yield
        finally:
            self.mask, self._keep_buffers = before

    def masked_weights(self) -> dict[str, torch.Tensor]:
        """Return the effective weights.

        Returns
        -------
        weights : dict of str to torch.Tensor
            By parameter name; gradients flow to the weights, and to the mask if it
            asks for them.
        """
        assert self.mask is not None
        weights = self.layout.parameters(self.module)
        scales = self._scales(self.mask)
        masked = _ApplyMask.apply(self._scratch, self.mask, scales, *weights)
        return dict(zip(self.layout.names, masked, strict=True))

    def bake(self) -> None:
        """Write the mask (and the rescaling) into the weights."""
        assert self.mask is not None
        with torch.no_grad():
            for name, weight in self.masked_weights().items():
                self.module.get_parameter(name).copy_(weight)

    def _scales(self, mask: torch.Tensor) -> list[float] | None:
        if not self.rescale:
            return None
        means = [float(part.mean()) for part in mask.detach().split(self.layout.sizes)]
        return [1 / mean if mean > 0 else 1.0 for mean in means]


class _ApplyMask(torch.autograd.Function):
    """Products of weights with slices of the mask; one flat gradient for the mask."""

    @staticmethod
    def forward(ctx, scratch, mask, scales, *weights):
        ctx.scratch, ctx.scales = scratch, scales
        ctx.save_for_backward(mask, *weights)
        parts = mask.split([w.numel() for w in weights])
        masked = [
            torch.mul(w, m.view(w.shape), out=scratch.like(w))
            for w, m in zip(weights, parts, strict=True)
        ]
        if scales is not None:
            masked = [w.mul_(s) for w, s in zip(masked, scales, strict=True)]
        return tuple(masked)

    @staticmethod
    def backward(ctx, *gradients):
        mask, *weights = ctx.saved_tensors
        if ctx.scales is not None:
            pairs = zip(gradients, ctx.scales, strict=True)
            gradients = tuple(g * s for g, s in pairs)
        slope = ctx.scratch.like(mask) if ctx.needs_input_grad[1] else None
        weight_gradients: list[torch.Tensor | None] = []
        offset = 0
        for weight, gradient, wanted in zip(
            weights, gradients, ctx.needs_input_grad[3:], strict=True
        ):
            part = slice(offset, offset := offset + weight.numel())
            if slope is not None:
                torch.mul(gradient, weight, out=slope[part].view(weight.shape))
            if wanted:
                m = mask[part].view(weight.shape)
                masked = torch.mul(gradient, m, out=ctx.scratch.like(weight))
                weight_gradients.append(masked)
            else:
                weight_gradients.append(None)
        return None, slope, None, *weight_gradients
