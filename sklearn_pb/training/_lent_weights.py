"""Masked weights that a module's parameters point to for a while."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..kernels import arithmetic_for
from ..masks import MaskLayout, Placement, Singles
from ._flat_layers import FlatLayers
from ._lent_values import LentValues, Write


class LentWeights(LentValues):
    """Lend a module weights multiplied by a mask, and take them back.

    Parameters
    ----------
    module : nn.Module
        The network.
    layout : MaskLayout
        What is masked.
    rescale : bool
        Divide each layer's weights by the mean of its mask.

    Attributes
    ----------
    flat : FlatLayers
        Views of the weights for compiled kernels.
    write_next : callable or None
        Writes the masked weights of the next `lend`, once, in place of the product of
        weights and mask.
    """

    def __init__(self, module: nn.Module, layout: MaskLayout, rescale: bool) -> None:
        super().__init__(module, layout.names)
        self.layout = layout
        self.rescale = rescale
        self.flat = FlatLayers(layout)
        self.write_next: Write | None = None

    def lend(self, mask: torch.Tensor) -> None:
        """Give the module weights under a mask; again, with another one, if you like.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1], of any type.
        """
        if self.write_next is not None:
            prepared, self.write_next = self.write_next, None
            self.hand_out(prepared)
            return

        def write(weights: list[torch.Tensor], out: list[torch.Tensor]) -> None:
            layers, scales = self.flat.of(weights, out), self.scales(mask)
            kernels = self.flat.kernels
            if layers is not None and kernels is not None and kernels.takes(mask):
                kernels.put_all_masked(layers, kernels.flat(mask), scales)
                return
            entries = self.entries(mask)
            for weight, masked, entry, scale in zip(
                weights, out, entries, scales, strict=True
            ):
                arithmetic = arithmetic_for(masked, weight, entry)
                arithmetic.put_masked(masked, weight, entry, scale)

        self.hand_out(write)

    def entries(self, mask: torch.Tensor) -> list[torch.Tensor]:
        """Return the mask of each parameter.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            One value a variable.

        Returns
        -------
        entries : list of torch.Tensor
            One a governed parameter; it broadcasts to it.
        """
        return [placement.spread(mask) for placement in self.layout.placements]

    def bake(self, mask: torch.Tensor) -> None:
        """Write masked weights over the weights.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Values in [0, 1].
        """
        self.lend(mask)
        self.keep()

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

    def add_masked(
        self,
        totals: list[torch.Tensor | None],
        gradients: Sequence[torch.Tensor | None],
        mask: torch.Tensor,
    ) -> None:
        """Add the gradients of the weights to totals, given those of masked weights.

        Parameters
        ----------
        totals : list of torch.Tensor or None
            One a governed parameter; changed, made where there is none yet.
        gradients : sequence of torch.Tensor or None
            One a governed parameter; None adds nothing.
        mask : torch.Tensor of shape (d,)
            Of the pass that gave the gradients.
        """
        scales, placements = self.scales(mask), self.layout.placements
        for number, gradient in enumerate(gradients):
            if gradient is None:
                continue
            if gradient.is_sparse:  # of an embedding
                gradient = gradient.to_dense()
            total, entry = totals[number], placements[number].spread(mask)
            if total is None:
                total = totals[number] = torch.zeros_like(gradient)
            arithmetic = arithmetic_for(total, gradient, entry)
            arithmetic.add_masked(total, gradient, entry, scales[number])

    def split_gradients(
        self,
        mask: torch.Tensor,
        gradients: Sequence[torch.Tensor | None],
        slope: torch.Tensor | None,
        trained: Sequence[bool] | None = None,
    ) -> None:
        """Turn gradients of masked weights into those of the mask and of the weights.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            The mask.
        gradients : sequence of torch.Tensor or None
            One a governed parameter.
        slope : torch.Tensor of shape (d,), or None
            Overwritten with the slope by the mask, zero where there is no gradient;
            None if it is not wanted.
        trained : sequence of bool, default=None
            Which gradients become those of the weights, in place; None is no one.
        """
        placements = self.layout.placements
        if slope is not None and not all(isinstance(p, Singles) for p in placements):
            slope.zero_()
        for placement, weight, gradient, scale, of_weight in zip(
            placements,
            self.weights,
            gradients,
            self.scales(mask),
            trained or [False] * len(placements),
            strict=True,
        ):
            if (
                slope is not None
                and of_weight
                and isinstance(placement, Singles)
                and gradient is not None
                and not gradient.is_sparse
            ):
                part, entry = placement.view(slope), placement.view(mask)
                arithmetic = arithmetic_for(part, gradient, weight, entry)
                arithmetic.split_gradient(part, gradient, weight, entry, scale)
                continue
            if slope is not None:
                _put_slope(placement, weight, gradient, scale, slope)
            if gradient is not None and of_weight:
                if scale != 1:
                    gradient.mul_(scale)
                gradient.mul_(placement.spread(mask))


def _put_slope(
    placement: Placement,
    weight: torch.Tensor,
    gradient: torch.Tensor | None,
    scale: float,
    slope: torch.Tensor,
) -> None:
    """Put the slope by each variable of a parameter: the sum of gradient x weight."""
    if gradient is not None and gradient.is_sparse:  # of an embedding
        gradient = gradient.to_dense()
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
