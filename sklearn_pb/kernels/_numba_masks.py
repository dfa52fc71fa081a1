"""Arithmetic of masked weights and soft masks, compiled: one pass over memory each.

The functions are those of `_mask_arithmetic.py`, for contiguous tensors in single
precision; masks may be bytes or booleans, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ._compiled import compiled, in_parts

GRAIN = 1 << 18  # weights that are worth a thread
BLOCK = 1 << 12  # soft mask values that are added up together

_1, _LOG2_E, _MOST = np.float32(1), np.float32(1.44269504), np.float32(87)
# Added to a number, it leaves the nearest whole one in the lowest bits.
_ROUNDER = np.float32(1.5 * 2**23)
_23, _BITS_OF_1 = np.int32(23), np.int32(0x3F800000)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# (e^r - 1 - r) / r^2 for abs(r) <= ln(2) / 2: the polynomial of Cephes' expf.
_E0, _E1, _E2 = (
    np.float32(0.5),
    np.float32(1.6666665459e-1),
    np.float32(4.1665795894e-2),
)
_E3, _E4 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3)
_E5 = np.float32(1.9875691500e-4)


@compiled
def _logistic(x):
    """The logistic sigmoid, in operations that exist for whole vectors; NaN stays."""
    y = _MOST if -x > _MOST else -_MOST if -x < -_MOST else -x
    rounded = np.float32(y * _LOG2_E + _ROUNDER)
    whole = rounded - _ROUNDER
    r = y - whole * _LN2_HIGH - whole * _LN2_LOW
    rest = _E0 + r * (_E1 + r * (_E2 + r * (_E3 + r * (_E4 + r * _E5))))
    # 2^whole, by its exponent bits.
    power = np.int32((rounded.view(np.int32) << _23) + _BITS_OF_1).view(np.float32)
    value = _1 / (_1 + (_1 + r + r * r * rest) * power)
    return np.float32(0) if x < -_MOST else value


@compiled
def _put_masked(out, weight, mask, scale):
    for i in range(out.size):
        out[i] = weight[i] * (np.float32(mask[i]) * scale)


@compiled
def _add_masked(total, gradient, mask, scale):
    for i in range(total.size):
        total[i] += gradient[i] * (np.float32(mask[i]) * scale)


@compiled
def _split_gradient(slope, gradient, weight, mask, scale):
    for i in range(slope.size):
        g = gradient[i] * scale
        slope[i] = g * weight[i]
        gradient[i] = g * np.float32(mask[i])


@compiled
def _put_logistic(out, logits, sharpness):
    for i in range(out.size):
        out[i] = _logistic(logits[i] * sharpness)


def _sum(values):
    total = np.float32(0)
    for i in range(values.size):
        total += values[i]
    return total


_total = compiled(_sum, "reassoc")  # in any order, so that it is vectorised


@compiled
def put_soft_masked(out, weight, value, sums, logits, sharpness):
    """Put sigma(sharpness * logits) into `value`, and the weights under it into `out`.

    All arrays are flat and of single precision, here and in `step_soft_masked`; but
    `sums` takes the sum of each `BLOCK` values.
    """
    for i in range(out.size):
        v = _logistic(logits[i] * sharpness)
        value[i] = v
        out[i] = weight[i] * v
    for block in range(sums.size):
        sums[block] = _total(value[block * BLOCK : (block + 1) * BLOCK])


@compiled
def step_soft_masked(
    gradient,
    weight,
    value,
    logits,
    square,
    sharpness,
    price,
    smoothing,
    rate,
    epsilon,
    limit,
):
    """Turn the gradient of masked weights into theirs, and step the logits.

    The slope by a mask value, plus the price of a one, makes the gradient for its
    logit, which is divided by the root of `square`, its running mean square, plus
    epsilon; the correction for the first steps is in `rate` and `epsilon`. Logits are
    kept in [-limit, limit].
    """
    for i in range(logits.size):
        g, v = gradient[i], value[i]
        gradient[i] = g * v
        slope = (g * weight[i] + price) * sharpness * v * (_1 - v)
        mean = smoothing * square[i] + (_1 - smoothing) * (slope * slope)
        square[i] = mean
        s = logits[i] - rate * slope / (np.sqrt(mean) + epsilon)
        logits[i] = -limit if s < -limit else limit if s > limit else s  # NaN stays


def put_masked(
    out: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor, scale: float
) -> None:
    """Put ``weight * mask * scale`` into `out`."""
    _run(_put_masked, [out, weight, mask], scale)


def put_all_masked(
    layers: Iterable[tuple[slice, np.ndarray, np.ndarray]],
    mask: np.ndarray,
    scales: Iterable[float],
) -> None:
    """Put masked weights of layers, each its part of the mask, weights and memory."""
    for (part, weight, out), scale in zip(layers, scales, strict=True):
        run(_put_masked, (out, weight, mask[part]), singles([scale]), weight.size)


def add_masked(
    total: torch.Tensor, gradient: torch.Tensor, mask: torch.Tensor, scale: float
) -> None:
    """Add ``gradient * mask * scale`` to a total."""
    _run(_add_masked, [total, gradient, mask], scale)


def split_gradient(
    slope: torch.Tensor,
    gradient: torch.Tensor,
    weight: torch.Tensor,
    mask: torch.Tensor,
    scale: float,
) -> None:
    """Turn the gradient of ``weight * mask * scale`` into those of its factors.

    That of the mask goes into `slope`, that of the weight replaces `gradient`.
    """
    _run(_split_gradient, [slope, gradient, weight, mask], scale)


def put_logistic(out: torch.Tensor, logits: torch.Tensor, sharpness: float) -> None:
    """Put the logistic sigmoid of ``sharpness * logits`` into `out`."""
    _run(_put_logistic, [out, logits], sharpness)


def _run(kernel: Any, tensors: list[torch.Tensor], *numbers: float) -> None:
    arrays = [flat(tensor) for tensor in tensors]
    run(kernel, arrays, singles(numbers), arrays[0].size)


def flat(tensor: torch.Tensor) -> np.ndarray:
    """A contiguous tensor as a flat array, booleans as bytes; no copy."""
    array = tensor.numpy()
    if array.ndim != 1:
        array = array.reshape(-1)
    return array.view(np.uint8) if array.dtype == np.bool_ else array


def takes(mask: torch.Tensor) -> bool:
    """Whether a mask is of a type that kernels take, and in one piece."""
    fits = mask.dtype in (torch.float32, torch.uint8, torch.bool)
    return fits and mask.is_cpu and mask.is_contiguous() and not mask.requires_grad


def singles(numbers: Iterable[float]) -> list[np.float32]:
    """Numbers in single precision, as kernels take them."""
    return [np.float32(number) for number in numbers]


def run(
    kernel: Any,
    arrays: Sequence[np.ndarray],
    numbers: Sequence[np.float32],
    size: int,
) -> None:
    """Call a kernel on flat arrays of a size, on several threads if they are long.

    An array that is `BLOCK` times as short has one entry a block.
    """
    if size < 2 * GRAIN:  # most layers: save what cutting costs
        kernel(*arrays, *numbers)
        return

    def work(start: int, stop: int) -> None:
        blocks = slice(start // BLOCK, -(-stop // BLOCK))
        parts = (a[start:stop] if a.size == size else a[blocks] for a in arrays)
        kernel(*parts, *numbers)

    in_parts(work, size, GRAIN)
