"""Time of several actions on a machine that is never quiet: all in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import nn

from ..utils import check_number
from ._running import as_arguments, evaluating


@dataclass(frozen=True)
class Latency:
    """Seconds that one thing took, turn by turn.

    Parameters
    ----------
    seconds : tuple of float
        One time a turn. Things that are measured together have their turns in common.

    Examples
    --------
    >>> from sklearn_pb.export import Latency
    >>> dense, sparse = Latency((4.0, 8.0, 4.0)), Latency((2.0, 4.0, 1.0))
    >>> dense.median, dense.over(sparse)
    (4.0, 2.0)
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the turns, in seconds."""
        return median(self.seconds)

    def over(self, other: Latency) -> float:
        """Return how many times as long as another thing this one took.

        Parameters
        ----------
        other : Latency
            Measured in the same turns.

        Returns
        -------
        ratio : float
            The median over the turns of the ratio within a turn, which a machine that
            slows down for a while does not move.
        """
        return median(a / b for a, b in zip(self.seconds, other.seconds, strict=True))


def measure_latency(
    modules: Mapping[str, nn.Module],
    example_inputs: Any,
    *,
    repeats: int = 20,
    threads: int | None = None,
) -> dict[str, Latency]:
    """Time networks on the same inputs, in turn, in eval mode without gradients.

    Parameters
    ----------
    modules : dict of str to nn.Module
        What to time.
    example_inputs : torch.Tensor, tuple, list or dict
        One batch, on the device of the modules.
    repeats : int, default=20
        How many turns.
    threads : int, default=None
        With how many threads of torch's; None takes the number that is set.

    Returns
    -------
    latencies : dict of str to Latency
        By the names of the modules.

    Raises
    ------
    TypeError, ValueError
        If the inputs hold no tensor, or a number is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import measure_latency
    >>> networks = {"wide": torch.nn.Linear(9, 90), "narrow": torch.nn.Linear(9, 9)}
    >>> latencies = measure_latency(networks, torch.zeros(2, 9), repeats=3)
    >>> len(latencies["wide"].seconds)
    3
    """
    check_number(repeats, "repeats", low=1, integer=True)
    args, kwargs = as_arguments(example_inputs)
    values = [*args, *kwargs.values()]
    on_gpu = any(isinstance(value, torch.Tensor) and value.is_cuda for value in values)

    def call(module: nn.Module) -> None:
        module(*args, **kwargs)
        if on_gpu:
            torch.cuda.synchronize()

    actions = {name: partial(call, module) for name, module in modules.items()}
    with ExitStack() as stack:
        stack.enter_context(thread_count(threads))
        for module in modules.values():
            stack.enter_context(evaluating(module))
        return time_in_turn(actions, repeats)


def time_in_turn(
    actions: Mapping[str, Callable[[], object]], repeats: int, warmup: int = 2
) -> dict[str, Latency]:
    """Return the times of actions that run one after the other, turn by turn.

    Every other turn goes backwards, because what runs second finds the memory and the
    caches as the first has left them.

    Parameters
    ----------
    actions : dict of str to callable
        Without arguments.
    repeats : int
        Turns that count.
    warmup : int, default=2
        Turns before them.

    Returns
    -------
    latencies : dict of str to Latency
        By the names of the actions.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    forwards = list(actions)
    for turn in range(warmup + repeats):
        for name in forwards if turn % 2 == 0 else forwards[::-1]:
            begun = time.perf_counter()
            actions[name]()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - begun)
    return {name: Latency(tuple(times)) for name, times in seconds.items()}


@contextmanager
def thread_count(threads: int | None) -> Iterator[None]:
    """Let torch use a number of threads for a while.

    Parameters
    ----------
    threads : int or None
        None changes nothing.

    Returns
    -------
    context : context manager
        For a with statement.

    Raises
    ------
    TypeError, ValueError
        If it is not a positive integer.
    """
    if threads is None:
        yield
        return
    check_number(threads, "threads", low=1, integer=True)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def readable_seconds(seconds: float) -> str:
    """Return a time as people read it.

    Parameters
    ----------
    seconds : float
        Not negative.

    Returns
    -------
    text : str
        Three digits and a unit.

    Examples
    --------
    >>> from sklearn_pb.export._latency import readable_seconds
    >>> readable_seconds(0.0123), readable_seconds(4.56e-05)
    ('12.3 ms', '45.6 us')
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-6:.3g} us"
