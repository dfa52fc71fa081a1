"""Masked weights that a module's parameters point to for a while."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..masks import MaskLayout, Placement, Singles


class LentWeights:
    """Lend a module weights multiplied by a mask, and take them back.

    The parameters stay the same objects; what they point to changes, and the memory of
    the masked weights is used again and again.

    Parameters
    ----------
    module : nn.Module
        The network.
    layout : MaskLayout
        What is masked.
    rescale : bool
        Divide each layer's weights by the mean of its mask.
    """

    def __init__(self, module: nn.Module, layout: MaskLayout, rescale: bool) -> None:
        self.module = module
        self.layout = layout
        self.rescale = rescale
        self._lent: list[nn.Parameter] = []  # those that point to masked weights now
        self._weights: list[torch.Tensor] = []  # what they have pointed to
        self._masked: list[torch.Tensor] | None = None  # memory for them, kept

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The governed parameters, in the order of the layout."""
        return self.layout.parameters(self.module)

    @property
    def lent(self) -> bool:
        """Whether the module has masked weights now."""
        return bool(self._lent)

    def lend(self, mask: torch.Tensor) -> list[torch.Tensor]:
        """Give the module weights under a mask; again, with another one, if you like.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1], of any type.

        Returns
        -------
        entries : list of torch.Tensor
            The mask of each parameter; it broadcasts to it.
        """
        entries = [placement.spread(mask) for placement in self.layout.placements]
        parameters = self._lent or self.parameters
        if self._masked is None:
            self._masked = [torch.empty_like(p) for p in parameters]
        if not self._lent:
            self._weights = [p.data for p in parameters]
        for weight, masked, entry, scale in zip(
            self._weights, self._masked, entries, self.scales(mask), strict=True
        ):
            torch.mul(weight, entry, out=masked.data)
            if scale != 1:
                masked.data.mul_(scale)
        if not self._lent:
            for parameter, masked in zip(parameters, self._masked, strict=True):
                parameter.data = masked.data
            self._lent = parameters
        return entries

    def take_back(self) -> None:
        """Let the parameters point to the weights again."""
        for parameter, weight in zip(self._lent, self._weights, strict=True):
            parameter.data = weight
        self._lent, self._weights = [], []

    def bake(self, mask: torch.Tensor) -> None:
        """Write masked weights over the weights.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1].
        """
        self.lend(mask)
        with torch.no_grad():
            for weight, masked in zip(self._weights, self._lent, strict=True):
                weight.copy_(masked)
        self.take_back()

    def scales(self, mask: torch.Tensor) -> list[float]:
        """Return what masked weights are multiplied by: 1 unless `rescale`.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1].

        Returns
        -------
        scales : list of float
            One a governed parameter.
        """
        if not self.rescale:
            return [1.0] * len(self.layout.placements)
        means = [
            float(placement.spread(mask).mean(dtype=torch.float64))
            if len(placement.shape) >= 2
            else 1.0
            for placement in self.layout.placements
        ]
        return [1 / mean if mean > 0 else 1.0 for mean in means]

    def put_slope(
        self,
        mask: torch.Tensor,
        gradients: Sequence[torch.Tensor | None],
        slope: torch.Tensor,
    ) -> None:
        """Turn gradients of masked weights into the slope by the mask.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            The mask.
        gradients : sequence of torch.Tensor or None
            One a governed parameter.
        slope : torch.Tensor of shape (d,)
            Overwritten; zero where there is no gradient.
        """
        placements = self.layout.placements
        if not all(isinstance(p, Singles) for p in placements):
            slope.zero_()
        weights = self._weights or [p.data for p in self.parameters]
        for placement, weight, gradient, scale in zip(
            placements, weights, gradients, self.scales(mask), strict=True
        ):
            if gradient is not None and gradient.is_sparse:  # of an embedding
                gradient = gradient.to_dense()
            _put_slope(placement, weight, gradient, scale, slope)


def _put_slope(
    placement: Placement,
    weight: torch.Tensor,
    gradient: torch.Tensor | None,
    scale: float,
    slope: torch.Tensor,
) -> None:
    """Put the slope by each variable of a parameter: the sum of gradient x weight."""
    if not isinstance(placement, Singles):
        if gradient is not None:
            placement.add_sums_(gradient * weight * scale, slope)
        return
    part = placement.view(slope)  # without a product of its own
    if gradient is None:
        part.zero_()
        return
    torch.mul(gradient, weight, out=part)
    if scale != 1:
        part.mul_(scale)
