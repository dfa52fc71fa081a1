"""What must be right about a quantizer: its settings before, its target after."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import torch

from ..exceptions import PrecisionWarning
from ..quantizers import (
    PrecisionGroups,
    PrecisionOptions,
    PrecisionTarget,
    Quantization,
    QuantizationSpace,
    resolve_activations,
    resolve_quantization,
)
from ..quantizers._codes import MOST_BITS, check_widths
from ..utils import RandomStream, check_number
from ._check_pruner import check_device

_AMPLE = 1e6  # bytes
_FAR = 0.1  # from a target, as a fraction of it
TARGETS = {"target_bits": "bits", "target_bytes": "bytes", "target_energy": "energy"}


def check_quantizer(quantizer: Any) -> Quantization:
    """Return the method of a quantizer, or raise if its settings do not go together.

    Parameters
    ----------
    quantizer : MixedPrecisionQuantizer
        Each of its parameters alone is valid.

    Returns
    -------
    method : Quantization
        A checked object of its own.

    Raises
    ------
    TypeError
        If a width is no integer.
    ValueError
        If a setting is out of its range or has no effect, or there is no such device.
    """
    check_device(quantizer.device)
    widths = quantizer.widths
    check_widths(None if widths is None else list(widths))
    method = resolve_quantization(quantizer.method)
    resolve_activations(quantizer.activations)
    target, options = target_of(quantizer), precision_options(quantizer)
    if method.learns_precision:
        check_number(quantizer.initial_bits, "initial_bits", low=1, low_open=True)
        _check_reach(quantizer, target)
    elif quantizer.penalty is not None:
        raise ValueError(
            f"penalty={quantizer.penalty!r} has no effect with "
            f"method={quantizer.method!r}, which gives all weights the same bits; it "
            "must be None."
        )
    _rehearse(method, quantizer.granularity, options, target)
    return method


def target_of(quantizer: Any) -> PrecisionTarget:
    """Return what a quantizer is to end with.

    Parameters
    ----------
    quantizer : MixedPrecisionQuantizer
        The settings.

    Returns
    -------
    target : PrecisionTarget
        The one of its targets that is given.

    Raises
    ------
    ValueError
        If several are.
    """
    given = {name: getattr(quantizer, name) for name in TARGETS}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) > 1:
        names = " and ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(f"{names} are targets of one run; only one may be given.")
    for name, value in given.items():
        return PrecisionTarget(float(value), TARGETS[name], quantizer.penalty)
    return PrecisionTarget(penalty=quantizer.penalty)


def precision_options(quantizer: Any) -> PrecisionOptions:
    """Return what all methods are told about precisions.

    Parameters
    ----------
    quantizer : MixedPrecisionQuantizer
        The settings.

    Returns
    -------
    options : PrecisionOptions
        A copy of them.
    """
    widths = quantizer.widths
    return PrecisionOptions(
        initial_bits=float(quantizer.initial_bits),
        rounding=quantizer.rounding,
        widths=None if widths is None else tuple(int(width) for width in widths),
        zero_precision=bool(quantizer.zero_precision),
        scale=quantizer.scale,
    )


def warn_if_missed(quantizer: Any) -> None:
    """Warn where a method that learns precisions has ended far from its target.

    Parameters
    ----------
    quantizer : MixedPrecisionQuantizer
        Fitted.
    """
    target = target_of(quantizer)
    if target.value is None or not quantizer.method_.learns_precision:
        return
    if target.unit == "bytes":
        found = float(quantizer.sizes_.file_bytes)
    else:
        bits, energy = quantizer.mean_bits_, quantizer.energy_.energy
        found = bits if target.unit == "bits" else energy
    if abs(found / target.value - 1) > _FAR:
        warnings.warn(
            f"target_{target.unit}={target.value:g} was missed: it is {found:.4g}. "
            "Whole numbers of bits do not come closer with "
            f"granularity={quantizer.granularity!r} and widths={quantizer.widths!r}, "
            f"and {quantizer.sparsity_:.0%} of the weights are zero.",
            PrecisionWarning,
            stacklevel=4,
        )


def _check_reach(quantizer: Any, target: PrecisionTarget) -> None:
    """Raise if no network can have so few or so many bits."""
    if target.value is None or target.unit != "bits":
        return
    widths = (1, MOST_BITS) if quantizer.widths is None else quantizer.widths
    least = 0 if quantizer.zero_precision else widths[0]
    if not least <= target.value <= widths[-1] or target.value == 0:
        raise ValueError(
            f"target_bits={quantizer.target_bits!r} cannot be reached with "
            f"widths={quantizer.widths!r} and "
            f"zero_precision={quantizer.zero_precision!r}; it must be between {least} "
            f"and {widths[-1]}."
        )


def _rehearse(
    method: Quantization,
    granularity: str,
    options: PrecisionOptions,
    target: PrecisionTarget,
) -> None:
    """Begin a run with one weight: what settings a method refuses comes to light."""
    weight = torch.ones(1, 1)
    if target.unit == "bytes":  # which one weight can have too few of
        target = replace(target, value=_AMPLE)
    space = QuantizationSpace(
        weights=[weight],
        groups=[PrecisionGroups(weight.shape, granularity)],
        channel_axes=[0],
        uses=[1.0],
        alive=[None],
        options=options,
        target=target,
        stream=RandomStream(0),
        n_steps=1,
    )
    method.start(space)
