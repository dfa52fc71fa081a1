"""One thread for small networks: faster, and the same bits for any n_jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

SMALL = 50_000  # parameters below which threads cost more than they give

_lock = threading.Lock()
_inside = 0
_outer_threads = 1


@contextmanager
def steady_threads(module: nn.Module) -> Iterator[None]:
    """Run a small network on the CPU with one thread.

    The number of threads changes the order of floating point sums. joblib gives its
    workers other numbers of threads than the main process has, so without this a
    result would depend on `n_jobs` in its last bits. Larger networks keep torch's
    setting.

    Parameters
    ----------
    module : nn.Module
        The network.

    Returns
    -------
    context : context manager
        For a with statement.
    """
    global _inside, _outer_threads
    if sum(p.numel() for p in module.parameters()) > SMALL:
        yield
        return
    with _lock:  # estimators may run side by side in threads
        if _inside == 0:
            _outer_threads = torch.get_num_threads()
        _inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_outer_threads)
