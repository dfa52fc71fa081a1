"""Sampling and score accumulation, with one face for every device.

A backend is a module with the functions ``bernoulli_thresholds``, ``bernoulli``,
``bernoulli_weighted_sum``, ``dirichlet_thresholds``, ``coupled`` and
``coupled_weighted_sum``; all give the same draws for the same stream.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

from . import _numpy, _reference

__all__ = ["backend_for"]


def backend_for(device: torch.device) -> ModuleType:
    """Return the kernels for tensors on a device.

    Parameters
    ----------
    device : torch.device
        Where the tensors live.

    Returns
    -------
    backend : module
        The cache-blocked numpy kernels on the CPU; on CUDA the Triton ones if the
        package is installed; the plain torch ones elsewhere.
    """
    if device.type == "cpu":
        return _numpy
    if device.type == "cuda" and find_spec("triton") is not None:
        return import_module(f"{__name__}._triton")
    return _reference
