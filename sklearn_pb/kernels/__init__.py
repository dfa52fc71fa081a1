"""Sampling, score accumulation and masked weights, with one face for every device.

A backend is a module with the functions ``bernoulli_thresholds``, ``bernoulli``,
``bernoulli_weighted_sum``, ``dirichlet_thresholds``, ``coupled``,
``coupled_weighted_sum`` and ``weighted_rows``; all give the same draws for the same
stream. The arithmetic of masks is in modules with ``put_masked``, ``add_masked``,
``split_gradient`` and ``put_logistic``, which agree up to rounding. `soft_layers` is
for a soft mask over all layers of a network at once.
"""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

import torch

from . import _mask_arithmetic, _numpy, _reference

if TYPE_CHECKING:
    from ._numba_soft_pass import SoftLayers

__all__ = [
    "arithmetic_for",
    "backend_for",
    "compiled_arithmetic_for",
    "soft_layers",
]

_COMPILED = (torch.float32, torch.uint8, torch.bool)


def backend_for(device: torch.device) -> ModuleType:
    """Return the kernels for tensors on a device.

    Parameters
    ----------
    device : torch.device
        Where the tensors live.

    Returns
    -------
    backend : module
        On the CPU the compiled kernels if numba is installed, else the numpy ones; on
        CUDA the Triton ones if that is installed; the plain torch ones elsewhere.

    Warns
    -----
    RuntimeWarning
        If numba is installed but does not work here, once a process.
    """
    if device.type == "cpu":
        return _numba_module("_numba") or _numpy
    if device.type == "cuda" and find_spec("triton") is not None:
        return import_module(f"{__name__}._triton")
    return _reference


def arithmetic_for(*tensors: torch.Tensor) -> ModuleType:
    """Return the arithmetic of masks for tensors of equal shape.

    Parameters
    ----------
    *tensors : torch.Tensor
        All that will be worked on together.

    Returns
    -------
    arithmetic : module
        The compiled one if it takes them all, else the one in plain torch.
    """
    return compiled_arithmetic_for(*tensors) or _mask_arithmetic


def compiled_arithmetic_for(*tensors: torch.Tensor) -> ModuleType | None:
    """Return the compiled arithmetic of masks, if it takes the tensors.

    Parameters
    ----------
    *tensors : torch.Tensor
        All that will be worked on together.

    Returns
    -------
    arithmetic : module or None
        None without numba, and for tensors that are not on the CPU, not contiguous, of
        another size than the first, neither of single precision nor bytes, or that
        require a gradient.
    """
    size = tensors[0].numel()
    for tensor in tensors:  # a few for each layer and step: cheap checks first
        if (
            not tensor.is_cpu
            or tensor.dtype not in _COMPILED
            or tensor.numel() != size
            or not tensor.is_contiguous()
            or tensor.requires_grad
        ):
            return None
    return _numba_module("_numba_masks")


def soft_layers(
    weights: Sequence[torch.Tensor],
    outs: Sequence[torch.Tensor],
    logits: torch.Tensor,
    square: torch.Tensor,
    values: torch.Tensor,
) -> "SoftLayers | None":
    """Return compiled kernels for layers of single weights under a soft mask.

    Parameters
    ----------
    weights, outs : sequence of torch.Tensor
        The weights of each layer, and memory for them under the mask.
    logits, square, values : torch.Tensor of shape (d,)
        The logits of the mask, the running mean square of their gradients, and memory
        for the mask.

    Returns
    -------
    layers : SoftLayers or None
        None without numba, and unless sizes agree and all tensors are contiguous, of
        single precision, on the CPU and without a gradient of their own.
    """
    sizes = [weight.numel() for weight in weights]
    vectors = logits, square, values
    if sizes != [out.numel() for out in outs]:
        return None
    if any(vector.numel() != sum(sizes) for vector in vectors):
        return None
    for tensor in (*weights, *outs, *vectors):
        if tensor.dtype != torch.float32 or compiled_arithmetic_for(tensor) is None:
            return None
    module = _numba_module("_numba_soft_pass")
    if module is None:
        return None
    layers: SoftLayers = module.SoftLayers(weights, outs, logits, square, values)
    return layers


@lru_cache
def _numba_module(name: str) -> ModuleType | None:
    """A module of compiled kernels, which is loaded when it is first asked for."""
    return import_module(f"{__name__}.{name}") if _has_numba() else None


@lru_cache
def _has_numba() -> bool:
    """Whether compiled kernels can be used."""
    if find_spec("numba") is None:
        return False
    try:
        numba = import_module("numba")
    except ImportError as error:  # it is strict about the version of numpy
        warnings.warn(
            f"numba is installed but cannot be imported ({error}); the slower numpy "
            "kernels are used.",
            RuntimeWarning,
            stacklevel=5,
        )
        return False
    return not numba.config.DISABLE_JIT
