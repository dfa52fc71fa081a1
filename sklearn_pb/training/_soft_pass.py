"""A training step under a soft mask that touches each layer's memory once each way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..kernels import soft_layers
from ..masks import Singles
from ..methods import SoftMask
from ._masked_module import MaskedModule

if TYPE_CHECKING:
    from ..kernels._numba_soft_pass import SoftLayers


class SoftPass:
    """Compute a soft mask while weights are lent; step it while gradients are split.

    In a small network a mask costs what its memory takes to be read and written, and
    what Python takes to ask for that. So both are done with compiled kernels, in one
    call for all layers, and what does not change from step to step is prepared once.

    Parameters
    ----------
    masked : MaskedModule
        The network in training.
    """

    def __init__(self, masked: MaskedModule) -> None:
        self._masked = masked
        self._soft: SoftMask | None = None
        self._run: _Run | None = None

    def begin(self, soft: SoftMask | None) -> bool:
        """Take over the mask of a training step, if it can be done here.

        Parameters
        ----------
        soft : SoftMask or None
            What the search offers.

        Returns
        -------
        taken : bool
            Whether the next forward pass will compute the mask.
        """
        self._soft = None
        if soft is None:
            return False
        if self._run is None or self._run.soft is not soft:
            self._run = _Run(self._masked, soft)
        if not self._run.fits:
            return False
        self._soft = soft
        if self._masked.mask is not soft.values:
            self._masked.mask = soft.values
        self._masked.weights.write_next = self._write
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Leave out views of memory, which a copy has elsewhere."""
        return {**self.__dict__, "_run": None, "_soft": None}

    def _write(self, weights: list[torch.Tensor], out: list[torch.Tensor]) -> None:
        """Put the mask into its memory, and the weights under it into theirs."""
        assert self._soft is not None and self._run is not None
        self._run.put(weights, out, self._soft.sharpness)

    def collect(self) -> bool:
        """End a training pass and step the mask.

        Returns
        -------
        done : bool
            False where the pass was not this one's, or has gradients that the kernels
            do not take; then nothing has changed.
        """
        soft, self._soft = self._soft, None
        masked, weights, run = self._masked, self._masked.weights, self._run
        if soft is None or run is None or not weights.lent:
            return False
        gradients = []
        for parameter in weights.parameters:
            gradient = parameter.grad
            if gradient is None or not _fits(gradient):
                return False
            gradients.append(gradient)
        weights.take_back()
        layers = run.layers
        assert layers is not None
        numbers = soft.begin_step(lambda: self._slopes(gradients), layers.density)
        layers.step(gradients, (soft.sharpness, *numbers))
        masked.drop_untrained()
        return True

    def _slopes(self, gradients: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Absolute slopes (d,) of the cost by the mask."""
        mask = self._masked.mask
        assert mask is not None
        slopes = torch.empty_like(mask)
        self._masked.weights.split_gradients(mask, gradients, slopes)
        return slopes.abs_()


class _Run:
    """What stays the same from step to step.

    Parameters
    ----------
    masked : MaskedModule
        The network in training.
    soft : SoftMask
        That of all its steps.

    Attributes
    ----------
    fits : bool
        Whether the kernels take all that is there.
    """

    def __init__(self, masked: MaskedModule, soft: SoftMask) -> None:
        self.soft = soft
        self._vectors = soft.logits, soft.square, soft.values
        self._addresses: list[int] = []
        self.layers: SoftLayers | None = None
        weights = [p.data for p in masked.weights.parameters]
        each_weight = all(isinstance(p, Singles) for p in masked.layout.placements)
        self.fits = (
            each_weight
            and not masked.rescale
            and soft_layers(weights, weights, *self._vectors) is not None
        )

    def put(
        self, weights: list[torch.Tensor], out: list[torch.Tensor], sharpness: float
    ) -> None:
        """Put the mask into its memory, and the weights under it into theirs."""
        addresses = [weight.data_ptr() for weight in weights]
        if addresses != self._addresses:  # as a callback may do between steps
            self._addresses = addresses
            self.layers = soft_layers(weights, out, *self._vectors)
        assert self.layers is not None
        self.layers.put(sharpness)


def _fits(gradient: torch.Tensor) -> bool:
    """Whether the kernels, which see an address only, may work on a gradient."""
    if gradient.is_sparse or not gradient.is_contiguous():
        return False
    fits = gradient.dtype is torch.float32 and gradient.is_cpu
    return fits and not gradient.requires_grad
