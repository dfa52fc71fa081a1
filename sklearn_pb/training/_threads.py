"""One thread for small networks."""

from __future__ import annotations

from contextlib import AbstractContextManager

from torch import nn

from ..utils import one_thread

SMALL = 100_000  # parameters below which threads cost more than they give


def steady_threads(module: nn.Module) -> AbstractContextManager[None]:
    """Run a small network on the CPU with one thread, and larger ones as torch is set.

    Parameters
    ----------
    module : nn.Module
        The network.

    Returns
    -------
    context : context manager
        For a with statement; see `sklearn_pb.utils.one_thread`.
    """
    return one_thread(sum(p.numel() for p in module.parameters()) <= SMALL)
