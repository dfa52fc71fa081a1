"""How kernels for the CPU are compiled, and run on as many threads as torch uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import Any

import torch
from numba import njit


def compiled(function: Callable[..., Any], *freedoms: str) -> Any:
    """Compile a function for the types of its arguments when it is first called.

    The machine code is kept on disk for later processes, unless there is nowhere to
    write it. A product and a sum may be rounded at once; other freedoms with rounding
    are named as in LLVM.
    """
    # Division by zero gives infinity, as in C: a check would keep loops from being
    # vectorised.
    kernel = njit(
        nogil=True,
        error_model="numpy",
        boundscheck=False,
        fastmath={"contract", *freedoms},
    )(function)
    with suppress(RuntimeError):  # what numba raises where it cannot write
        kernel.enable_caching()
    return kernel


def in_parts(work: Callable[[int, int], Any], size: int, grain: int) -> list[Any]:
    """Call ``work(start, stop)`` on ranges of whole grains that cover `size`.

    The calls run at once on as many threads as torch may use, fewer where a thread
    would have less than one grain; so what a range gives must not depend on the cut.
    Returns what the calls return, in the order of the ranges.
    """
    n_threads = min(torch.get_num_threads(), size // grain)
    if n_threads <= 1:
        return [work(0, size)]
    step = -(-size // (n_threads * grain)) * grain
    starts = range(step, size, step)
    pool = _pool(os.getpid(), n_threads - 1)
    others = [pool.submit(work, start, min(start + step, size)) for start in starts]
    return [work(0, step), *(other.result() for other in others)]


@lru_cache(maxsize=1)
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """Threads of this process; those of a parent do not live on in a fork."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix="sklearn_pb")
