"""Flat views of weights and of what is lent in their place, made once."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch

from ..kernels import compiled_arithmetic_for
from ..masks import MaskLayout, Singles


class FlatLayer(NamedTuple):
    """Flat arrays of one parameter.

    Attributes
    ----------
    part : slice
        Its variables.
    weight, out : numpy.ndarray of shape (size,)
        Its weights, and the memory for what is lent.
    """

    part: slice
    weight: np.ndarray
    out: np.ndarray


class FlatLayers:
    """Flat layers for compiled kernels, as long as they lie where they have lain.

    In a small network, asking for views takes as long as what is done with them.

    Parameters
    ----------
    layout : MaskLayout
        What is masked.
    """

    def __init__(self, layout: MaskLayout) -> None:
        self._placements = [p for p in layout.placements if isinstance(p, Singles)]
        self._each_weight = len(self._placements) == len(layout.placements)
        self._addresses: list[int] = []
        self._layers: list[FlatLayer] = []
        self.kernels: ModuleType | None = None

    def of(
        self, weights: Sequence[torch.Tensor], out: Sequence[torch.Tensor]
    ) -> list[FlatLayer] | None:
        """Return the layers.

        Parameters
        ----------
        weights, out : sequence of torch.Tensor
            One a governed parameter; `out` always lies in the same place.

        Returns
        -------
        layers : list of FlatLayer or None
            None where variables are not single weights, or where there are no kernels
            (`kernels`) for them.
        """
        addresses = [weight.data_ptr() for weight in weights]
        if addresses != self._addresses:
            self._addresses = addresses
            self._prepare(weights, out)
        return None if self.kernels is None else self._layers

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the views: a copy of the weights lies elsewhere."""
        return {**self.__dict__, "_addresses": [], "_layers": [], "kernels": None}

    def _prepare(
        self, weights: Sequence[torch.Tensor], out: Sequence[torch.Tensor]
    ) -> None:
        self.kernels, self._layers = None, []
        if not self._each_weight:
            return
        for placement, weight, lent in zip(self._placements, weights, out, strict=True):
            kernels = compiled_arithmetic_for(weight, lent)
            if kernels is None or weight.dtype != torch.float32:
                self.kernels = None
                return
            part = slice(placement.start, placement.start + weight.numel())
            layer = FlatLayer(part, kernels.flat(weight), kernels.flat(lent))
            self._layers.append(layer)
            self.kernels = kernels
