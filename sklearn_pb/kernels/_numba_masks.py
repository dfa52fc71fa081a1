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

_1, _LOG2_E = np.float32(1), np.float32(1.44269504)
# e^88.8 counts as infinity, e^-88 as zero: their exponents are 128 and -127.
_HIGHEST, _LOWEST = np.float32(88.8), np.float32(-88)
# Added to a number, it leaves the nearest whole one in the lowest bits.
_ROUNDER = np.float32(1.5 * 2**23)
_23, _BITS_OF_1 = np.int32(23), np.int32(0x3F800000)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# (e^r - 1 - r) / r^2 at Chebyshev's points of abs(r) <= ln(2) / 2.
_E2, _E3, _E4 = (
    np.float32(0.5),
    np.float32(1.6666577e-1),
    np.float32(4.1666553e-2),
)
_E5, _E6 = np.float32(8.3631791e-3), np.float32(1.3926184e-3)


@compiled
def logistic(x):
    """The logistic sigmoid, in operations that exist for whole vectors; NaN stays."""
    y = -x
    y = _HIGHEST if y > _HIGHEST else _LOWEST if y < _LOWEST else y
    rounded = np.float32(y * _LOG2_E + _ROUNDER)
    whole = rounded - _ROUNDER
    r = y - whole * _LN2_HIGH - whole * _LN2_LOW
    root = _1 + r * (_1 + r * (_E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * _E6)))))
    # 2^whole, by its exponent bits.
    power = np.int32((rounded.view(np.int32) << _23) + _BITS_OF_1).view(np.float32)
    return _1 / (_1 + root * power)


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
        out[i] = logistic(logits[i] * sharpness)


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
    """Call a kernel on flat arrays of a size, on several threads if they are long."""
    if size < 2 * GRAIN:  # most layers: save what cutting costs
        kernel(*arrays, *numbers)
        return

    def work(start: int, stop: int) -> None:
        kernel(*(array[start:stop] for array in arrays), *numbers)

    in_parts(work, size, GRAIN)
