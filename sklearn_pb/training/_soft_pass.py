"""A training step under a soft mask that touches each layer's memory once each way."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ..kernels import compiled_arithmetic_for
from ..masks import Singles
from ..methods import SoftMask
from ._flat_layers import FlatLayer
from ._masked_module import MaskedModule


class SoftPass:
    """Compute a soft mask while weights are lent; step it while gradients are split.

    In a small network a mask costs what its memory takes to be read and written, and
    what Python takes to ask for that. So both are done with compiled kernels, in one
    pass over a layer, and what does not change from step to step is prepared once.

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
        if self._run is None or not self._run.serves(soft):
            self._run = _Run(self._masked, soft)
        if self._run.kernels is None:
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
        gradients = [p.grad for p in weights.parameters]
        if not all(map(_fits, gradients)):
            return False
        weights.take_back()
        numbers = soft.begin_step(lambda: self._slopes(gradients), run.density)
        run.step(gradients, (soft.sharpness, *numbers))
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
        Its vectors are those of all steps.

    Attributes
    ----------
    kernels : module or None
        The compiled ones, if they take all that is there.
    """

    def __init__(self, masked: MaskedModule, soft: SoftMask) -> None:
        self._soft, self._flat = soft, masked.weights.flat
        self._layers: list[FlatLayer] = []
        self._sums = np.zeros(0, np.float32)
        self._puts: list[tuple[np.ndarray, ...]] = []
        self._steps: list[tuple[np.ndarray, ...]] = []
        vectors = soft.logits, soft.square, soft.values
        tensors = [*vectors, *(p.data for p in masked.weights.parameters)]
        each_weight = all(isinstance(p, Singles) for p in masked.layout.placements)
        self.kernels: ModuleType | None = None
        if each_weight and not masked.rescale and all(map(_fits, tensors)):
            self.kernels = compiled_arithmetic_for(*vectors)
        if self.kernels is not None:
            self._vectors = [self.kernels.flat(vector) for vector in vectors]

    def serves(self, soft: SoftMask) -> bool:
        """Whether vectors are still the same."""
        mine = self._soft
        return (
            soft.logits is mine.logits
            and soft.square is mine.square
            and soft.values is mine.values
        )

    def put(
        self, weights: list[torch.Tensor], out: list[torch.Tensor], sharpness: float
    ) -> None:
        """Put the mask into its memory, and the weights under it into theirs."""
        kernels, layers = self.kernels, self._flat.of(weights, out)
        assert kernels is not None and layers is not None
        if layers is not self._layers:
            self._prepare(layers, kernels.BLOCK)
        numbers = kernels.singles([sharpness])
        for arrays in self._puts:
            kernels.run(kernels.put_soft_masked, arrays, numbers, len(arrays[0]))

    def _prepare(self, layers: list[FlatLayer], block: int) -> None:
        """Gather the arrays of each layer, as both kernels take them."""
        logits, square, values = self._vectors
        self._layers = layers
        ends = np.cumsum([-(-len(weight) // block) for _, weight, _ in layers])
        self._sums = np.zeros(ends[-1], np.float32)
        parts = np.split(self._sums, ends[:-1])
        self._puts = [
            (out, weight, values[part], sums, logits[part])
            for (part, weight, out), sums in zip(layers, parts, strict=True)
        ]
        self._steps = [
            (weight, values[part], logits[part], square[part])
            for part, weight, _ in layers
        ]

    def step(
        self, gradients: Sequence[torch.Tensor | None], numbers: tuple[float, ...]
    ) -> None:
        """Turn gradients of masked weights into those of weights; step the logits."""
        kernels = self.kernels
        assert kernels is not None
        kernel, run, flat = kernels.step_soft_masked, kernels.run, kernels.flat
        single = kernels.singles(numbers)
        for gradient, arrays in zip(gradients, self._steps, strict=True):
            run(kernel, (flat(gradient), *arrays), single, len(arrays[0]))

    def density(self) -> float:
        """Mean of the mask, as it was computed."""
        return sum(self._sums.tolist()) / len(self._soft.values)


def _fits(tensor: torch.Tensor | None) -> bool:
    """Whether the kernels take a tensor that is not a mask."""
    if tensor is None or tensor.is_sparse or tensor.dtype != torch.float32:
        return False
    return tensor.is_cpu and tensor.is_contiguous() and not tensor.requires_grad
