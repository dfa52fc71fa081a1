"""Batches of an epoch that had begun before the run went on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from skorch import NeuralNet


@contextmanager
def passing_over(net: NeuralNet, n_batches: int) -> Iterator[None]:
    """Let the next pass over the training batches leave out those seen before.

    Parameters
    ----------
    net : skorch.NeuralNet
        Its `iterator_train` is another one while the context lasts.
    n_batches : int
        How many have been seen.
    """
    given, first = net.iterator_train, iter([n_batches])

    def make(*args: Any, **kwargs: Any) -> _Rest:
        return _Rest(given(*args, **kwargs), first)

    if n_batches:
        net.iterator_train = make
    try:
        yield
    finally:
        net.iterator_train = given


class _Rest:
    """Batches of an iterator; the first pass leaves out the first of them."""

    def __init__(self, batches: Any, n_left_out: Iterator[int]) -> None:
        self._batches = batches
        self._n_left_out = n_left_out

    def __iter__(self) -> Iterator[Any]:
        return islice(iter(self._batches), next(self._n_left_out, 0), None)

    def __len__(self) -> int:
        return len(self._batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)
