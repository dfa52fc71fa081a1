"""What a mask leaves of a network: parameters, or multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..export import count_macs, sum_uses
from ._layout import MaskLayout
from ._placements import Placement, Slices

UNITS = ("units", "parameters", "macs")


class Measure:
    """Count what is left of a network under a mask.

    Where channels go, the inputs that they fed go with them: a weight counts if both
    its output and its input are kept.

    Parameters
    ----------
    unit : str
        What is counted, for messages.
    layout : MaskLayout
        The variables.
    sizes : mapping of str to torch.Size
        Shapes of all that is counted, by the name of the parameter, or of the module
        for the products of activations in it.
    uses : mapping of str to float
        What each entry of these counts for.
    """

    def __init__(
        self,
        unit: str,
        layout: MaskLayout,
        sizes: Mapping[str, torch.Size],
        uses: Mapping[str, float],
    ) -> None:
        self.unit = unit
        self._n_variables = layout.n_variables
        governing: dict[str, list[Placement]] = {}
        governed = (*layout.placements, *layout.consumers, *layout.products)
        for placement in governed:
            if uses.get(placement.name, 0):
                governing.setdefault(placement.name, []).append(placement)
        self._governing = governing
        self._uses = uses
        self._fixed = sum(
            use * sizes[name].numel()
            for name, use in uses.items()
            if name not in governing
        )
        self.full = self(torch.ones(self._n_variables))

    def __call__(self, mask: torch.Tensor) -> float:
        """Return the count under a mask.

        Parameters
        ----------
        mask : torch.Tensor of shape (d,)
            Zeros and ones.

        Returns
        -------
        count : float
            Not more than `full`.
        """
        mask = mask.to("cpu", torch.float32)
        return self._fixed + sum(
            self._uses[name] * _entries(placements, mask)
            for name, placements in self._governing.items()
        )

    def costs(self) -> torch.Tensor:
        """Return what each variable alone takes from the full network.

        Returns
        -------
        costs : torch.Tensor of shape (d,)
            With a mean of 1.
        """
        totals = torch.zeros(self._n_variables)
        for name, placements in self._governing.items():
            for placement in placements:
                ones = torch.full(placement.shape, float(self._uses[name]))
                placement.add_sums_(ones, totals)
        return totals / totals.mean().clamp(min=1e-30)


def _entries(placements: list[Placement], mask: torch.Tensor) -> float:
    """Entries of one parameter that every axis keeps."""
    shape = placements[0].shape
    if not isinstance(placements[0], Slices):
        return float(placements[0].spread(mask).double().sum())
    sides = [float(side) for side in shape]
    for placement in placements:
        assert isinstance(placement, Slices)
        sides[placement.axis] = float(placement.spread(mask).double().sum())
    return math.prod(sides)


def network_measure(
    unit: str, module: nn.Module, layout: MaskLayout, example: Any
) -> Measure | None:
    """Return the measure of a unit of count.

    Parameters
    ----------
    unit : {"units", "parameters", "macs"}
        "units" counts variables, which needs no measure.
    module : nn.Module
        The network.
    layout : MaskLayout
        Its variables.
    example : torch.Tensor or tuple
        Inputs that the network runs on.

    Returns
    -------
    measure : Measure or None
        None for "units".
    """
    if unit == "units":
        return None
    shapes = {name: p.shape for name, p in module.named_parameters()}
    if unit == "parameters":
        return Measure("parameters", layout, shapes, dict.fromkeys(shapes, 1.0))
    layers = count_macs(module, example)
    uses = sum_uses(module, layers)
    shared = {placement.name: placement.shape for placement in layout.products}
    for name, layer in layers.items():
        if layer.activation_macs:
            shapes[name] = shared.get(name, torch.Size([1]))
            uses[name] = layer.activation_macs / shapes[name].numel()
    return Measure("multiply-adds", layout, shapes, uses)
