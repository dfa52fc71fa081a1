"""A soft mask over all layers of a network, computed and stepped in one call each.

In a small network Python takes as long to hand over the arrays of each layer as the
arithmetic takes. So layers are given by the addresses of their weights, which lie
apart, and a mask, its logits and what belongs to them by one vector of all variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import carray
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._compiled import compiled, in_parts
from ._numba_masks import GRAIN, logistic

BLOCK = 1 << 12  # soft mask values that are added up together

_1, _4 = np.float32(1), np.int64(4)


def _build(context, builder, signature, arguments):
    return builder.inttoptr(arguments[0], cgutils.voidptr_t)


_pointer: Any = intrinsic(lambda context, address: (types.voidptr(address), _build))


@compiled
def _floats(address, start, stop):
    """Entries of a vector of single precision that lies at an address."""
    return carray(_pointer(address + _4 * start), (stop - start,), np.float32)


def _sum(values):
    total = np.float32(0)
    for i in range(values.size):
        total += values[i]
    return total


_total = compiled(_sum, "reassoc")  # in any order, so that it is vectorised


@compiled
def _put(out, weight, value, logits, sharpness):
    for i in range(out.size):
        v = logistic(logits[i] * sharpness)
        value[i] = v
        out[i] = weight[i] * v


@compiled
def _step(gradient, weight, value, logits, square, numbers):
    sharpness, price = np.float32(numbers[0]), np.float32(numbers[1])
    smoothing, rate = np.float32(numbers[2]), np.float32(numbers[3])
    epsilon, limit = np.float32(numbers[4]), np.float32(numbers[5])
    for i in range(logits.size):
        g, v = gradient[i], value[i]
        gradient[i] = g * v
        slope = (g * weight[i] + price) * sharpness * v * (_1 - v)
        mean = smoothing * square[i] + (_1 - smoothing) * (slope * slope)
        square[i] = mean
        s = logits[i] - rate * slope / (np.sqrt(mean) + epsilon)
        logits[i] = -limit if s < -limit else limit if s > limit else s  # NaN stays


@compiled
def _put_range(first, last, outs, weights, starts, values, logits, sharpness):
    """Work on a range of variables; return the sum of their mask."""
    layer, total = 0, 0.0
    sharpness = np.float32(sharpness)
    for block in range(first // BLOCK, (last + BLOCK - 1) // BLOCK):
        begin, end = block * BLOCK, min(last, (block + 1) * BLOCK)
        while starts[layer + 1] <= begin:
            layer += 1
        at, start = layer, begin
        while start < end:  # the layers that have variables of this block
            stop, origin = min(end, starts[at + 1]), starts[at]
            _put(
                _floats(outs[at], start - origin, stop - origin),
                _floats(weights[at], start - origin, stop - origin),
                values[start:stop],
                logits[start:stop],
                sharpness,
            )
            at, start = at + 1, stop
        total += _total(values[begin:end])
    return total


@compiled
def _step_range(
    first, last, gradients, weights, starts, values, logits, square, numbers
):
    """Work on a range of variables."""
    for layer in range(len(starts) - 1):
        origin = starts[layer]
        start, stop = max(first, origin), min(last, starts[layer + 1])
        if start < stop:
            _step(
                _floats(gradients[layer], start - origin, stop - origin),
                _floats(weights[layer], start - origin, stop - origin),
                values[start:stop],
                logits[start:stop],
                square[start:stop],
                numbers,
            )


class SoftLayers:
    """Layers of single weights under a soft mask, all in single precision on the CPU.

    Parameters
    ----------
    weights, outs : sequence of torch.Tensor
        The weights of each layer, and memory for them under the mask: contiguous, as
        many as the layer has variables. They are kept, so that nothing else gets their
        memory.
    logits, square, values : torch.Tensor of shape (d,)
        The logits of the mask, the running mean square of their gradients, and memory
        for the mask.
    """

    def __init__(
        self,
        weights: Sequence[torch.Tensor],
        outs: Sequence[torch.Tensor],
        logits: torch.Tensor,
        square: torch.Tensor,
        values: torch.Tensor,
    ) -> None:
        ends = np.cumsum([0, *(weight.numel() for weight in weights)], dtype=np.int64)
        self._size, self._total = int(ends[-1]), 0.0
        self._kept = [*weights, *outs]
        layers = _addresses(weights), ends
        mask, of_mask = values.numpy(), logits.numpy()
        self._put_arrays = _addresses(outs), *layers, mask, of_mask
        self._step_arrays = *layers, mask, of_mask, square.numpy()

    def put(self, sharpness: float) -> None:
        """Compute the mask, sigma(sharpness * logits), and the weights under it.

        Parameters
        ----------
        sharpness : float
            At this step.
        """
        self._total = sum(self._run(_put_range, *self._put_arrays, sharpness))

    def step(
        self, gradients: Sequence[torch.Tensor], numbers: tuple[float, ...]
    ) -> None:
        """Turn the gradients of masked weights into theirs, and step the logits.

        The slope by a mask value, plus the price of a one, makes the gradient for its
        logit, which is divided by the root of `square` plus epsilon.

        Parameters
        ----------
        gradients : sequence of torch.Tensor
            One a layer, contiguous; changed in place.
        numbers : tuple of float
            Sharpness, price, memory of `square`, rate, epsilon, and what abs(logits)
            may be; the correction for the first steps is in rate and epsilon.
        """
        self._run(_step_range, _addresses(gradients), *self._step_arrays, numbers)

    def _run(self, kernel: Any, *arguments: Any) -> list[Any]:
        if self._size < 2 * GRAIN:
            return [kernel(0, self._size, *arguments)]
        return in_parts(lambda *ends: kernel(*ends, *arguments), self._size, GRAIN)

    def density(self) -> float:
        """Return the mean of the mask, as it was computed.

        Returns
        -------
        density : float
            In [0, 1].
        """
        return self._total / self._size


def _addresses(tensors: Sequence[torch.Tensor]) -> np.ndarray:
    return np.array([tensor.data_ptr() for tensor in tensors], np.int64)
