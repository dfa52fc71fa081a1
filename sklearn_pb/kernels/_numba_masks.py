"""Arithmetic of masked weights and soft masks, compiled: one pass over memory each.

The functions are those of `_mask_arithmetic.py`, for contiguous tensors in single
precision; masks may be bytes or booleans, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ._compiled import compiled, in_parts

GRAIN = 1 << 18  # weights that are worth a thread

_1, _HALF, _LOG2_E = np.float32(1), np.float32(0.5), np.float32(1.44269504)
_MOST, _BIAS, _MANTISSA = np.float32(87), np.float32(127), np.float32(2**23)
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
    """The logistic sigmoid, in operations that exist for whole vectors."""
    y = min(max(-x, -_MOST), _MOST)
    whole = np.floor(y * _LOG2_E + _HALF)
    r = y - whole * _LN2_HIGH - whole * _LN2_LOW
    rest = _E0 + r * (_E1 + r * (_E2 + r * (_E3 + r * (_E4 + r * _E5))))
    # 2^whole, by its exponent bits.
    power = np.int32((whole + _BIAS) * _MANTISSA).view(np.float32)
    value = _1 / (_1 + (_1 + r + r * r * rest) * power)
    if x != x:
        return x
    return value if x > -_MOST else np.float32(0)


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


@compiled
def _step_logistic(
    logits, square, slope, value, sharpness, price, smoothing, rate, epsilon, limit
):
    for i in range(logits.size):
        g = (slope[i] + price) * sharpness * value[i] * (_1 - value[i])
        square[i] = smoothing * square[i] + (_1 - smoothing) * (g * g)
        s = logits[i] - rate * g / (np.sqrt(square[i]) + epsilon)
        logits[i] = -limit if s < -limit else limit if s > limit else s  # NaN stays


def put_masked(
    out: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor, scale: float
) -> None:
    """Put ``weight * mask * scale`` into `out`."""
    _run(_put_masked, [out, weight, mask], scale)


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


def step_logistic(
    logits: torch.Tensor,
    square: torch.Tensor,
    slope: torch.Tensor,
    value: torch.Tensor,
    *,
    sharpness: float,
    price: float,
    smoothing: float,
    rate: float,
    epsilon: float,
    limit: float,
) -> None:
    """Step the logits of a logistic mask, and keep them in [-limit, limit].

    The slope by the mask values, plus the price of a one, is turned into the gradient
    for the logits and divided by the root of `square`, its running mean square, plus
    epsilon; the correction for the first steps is in `rate` and `epsilon`.
    """
    tensors = [logits, square, slope, value]
    _run(_step_logistic, tensors, sharpness, price, smoothing, rate, epsilon, limit)


def _run(kernel: Any, tensors: list[torch.Tensor], *numbers: float) -> None:
    flat = [_flat(tensor.numpy()) for tensor in tensors]
    single = [np.float32(number) for number in numbers]
    size = flat[0].size
    if size < 2 * GRAIN:  # most layers: save what cutting costs
        kernel(*flat, *single)
        return
    in_parts(lambda i, j: kernel(*(a[i:j] for a in flat), *single), size, GRAIN)


def _flat(array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        array = array.reshape(-1)
    return array.view(np.uint8) if array.dtype == np.bool_ else array
