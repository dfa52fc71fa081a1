"""How many threads torch computes with: the same bits for any n_jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = 0
_outer_threads = 1


@contextmanager
def torch_threads(number: int | None) -> Iterator[None]:
    """Let torch compute with so many threads on the CPU.

    The number of threads changes the order of floating point sums. joblib gives its
    workers other numbers of threads than the main process has, so without this a
    result would depend on `n_jobs` in its last bits.

    Parameters
    ----------
    number : int or None
        How many; None leaves torch's setting alone.

    Returns
    -------
    context : context manager
        For a with statement.
    """
    global _inside, _outer_threads
    if number is None:
        yield
        return
    with _lock:  # estimators may run side by side in threads
        before = torch.get_num_threads()  # of this thread
        if _inside == 0:
            _outer_threads = before
        _inside += 1
    try:
        torch.set_num_threads(number)
        yield
    finally:
        with _lock:
            _inside -= 1
            # A thread that has begun meanwhile took its number from another one.
            torch.set_num_threads(before if _inside else _outer_threads)
