"""What must be right about the settings of a MaskPruner before any work."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch

from ..constraints import Quota
from ..masks import MaskLayout, NofM, check_sparsity, resolve_granularity
from ..methods import PRESETS, Method, resolve_method


def check_settings(pruner: Any) -> Method:
    """Return the method of a pruner, or raise if its settings do not go together.

    Parameters
    ----------
    pruner : MaskPruner
        Each of its parameters alone is valid.

    Returns
    -------
    method : Method
        A checked object of its own.

    Raises
    ------
    TypeError
        If the constraint is a class.
    ValueError
        If a setting is out of its range or has no effect, or there is no such device.
    """
    if inspect.isclass(pruner.constraint):
        name = pruner.constraint.__name__
        raise TypeError(
            f"constraint={name} is a class; it must be an object, such as {name}(), or "
            "None."
        )
    check_device(pruner.device)
    method = resolve_method(pruner.method)
    if not method.fits_networks and method.most_variables is None:
        raise ValueError(
            f"method={pruner.method!r} cannot mask a network in training. Use one of "
            f"{_fitting()}."
        )
    granularity = resolve_granularity(pruner.granularity)
    check_sparsity(pruner.sparsity)
    fixed = isinstance(granularity, NofM) or method.knows_count
    if method.knows_count and pruner.sparsity is not None:
        raise ValueError(
            f"sparsity={pruner.sparsity!r} has no effect with "
            f"{type(method).__name__}, which brings its own mask; it must be None."
        )
    if not method.learns and pruner.sparsity is None and not fixed:
        raise ValueError(
            f"method={pruner.method!r} does not learn how many weights to keep; "
            "sparsity=None must be a number in [0, 1)."
        )
    if not method.learns and pruner.constraint is not None:
        raise ValueError(
            f"constraint={pruner.constraint!r} has no effect with "
            f"method={pruner.method!r}, which learns no mask; it must be None."
        )
    if pruner.constraint is not None:
        pruner.constraint.check()
        wanted_sparsity(pruner)  # raises where there are two
    if pruner.warmup + pruner.finetune >= 1:
        raise ValueError(
            f"warmup={pruner.warmup!r} and finetune={pruner.finetune!r} leave no part "
            "of the training to the search; their sum must be less than 1."
        )
    return method


def wanted_sparsity(pruner: Any) -> float | Mapping[str, float] | None:
    """Return the sparsity that a pruner asks for, or else its constraint.

    Parameters
    ----------
    pruner : MaskPruner
        The settings.

    Returns
    -------
    sparsity : float, mapping of str to float, or None
        What the mask is cut to; None leaves that open.

    Raises
    ------
    ValueError
        If both ask for one, and not for the same.
    """
    asked, own = pruner.sparsity, getattr(pruner.constraint, "sparsity", None)
    if asked is None or own is None:
        return own if asked is None else asked
    if isinstance(asked, Mapping) or not math.isclose(asked, own):
        raise ValueError(
            f"sparsity={asked!r} is not that of constraint={pruner.constraint!r}, "
            f"{own!r}; one of the two must be None, or both the same."
        )
    return asked


def check_problem(pruner: Any, layout: MaskLayout, quota: Quota) -> None:
    """Raise if a network and a target are not for the method and its constraint.

    Parameters
    ----------
    pruner : MaskPruner
        Its method is checked.
    layout : MaskLayout
        What is to be masked.
    quota : Quota
        How much of it is to be kept.

    Raises
    ------
    ValueError
        If there are too many variables, or a sparsity is missing.
    """
    method = pruner.method_
    most = method.most_variables
    if most is not None and layout.n_variables > most:
        raise ValueError(
            f"method={pruner.method!r} enumerates all masks, so it is for {most} mask "
            f"variables at most; here are {layout.n_variables}. Use a coarser "
            f"granularity than {pruner.granularity!r}, or one of {_fitting()}."
        )
    if method.needs_sparsity and quota.sparsity is None:
        raise ValueError(
            f"method={pruner.method!r} ranks what it keeps; sparsity=None must be a "
            "number in [0, 1)."
        )
    constraint = pruner.constraint or method.default_constraint()
    if constraint is not None:
        constraint.start(quota, 0.5)  # raises where it needs to know a sparsity


def check_device(device: str) -> None:
    """Raise unless there is such a device.

    Parameters
    ----------
    device : str
        "auto", or what torch calls it.

    Raises
    ------
    ValueError
        If torch does not know it, or it is not there.
    """
    if device == "auto":
        return
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(
            f"device={device!r} is unknown; it must be 'auto' or a device of torch, "
            "such as 'cpu' or 'cuda'."
        ) from None
    n_devices = torch.cuda.device_count()
    if found.type == "cuda" and not 0 <= (found.index or 0) < n_devices:
        raise ValueError(
            f"device={device!r} is not there: torch finds {n_devices} CUDA devices. "
            "Use 'auto' or 'cpu'."
        )


def _fitting() -> str:
    """The presets that mask any network."""
    names = sorted(name for name in PRESETS if PRESETS[name]().fits_networks)
    return ", ".join(map(repr, names))
