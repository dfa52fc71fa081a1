"""Searches by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..utils import resolve_preset
from ._base import TicketSearch
from ._continuous import Continuous, Sequential
from ._iterative_magnitude import IterativeMagnitude
from ._random_pruning import RandomPruning
from ._stochastic import Stochastic

SEARCHES: dict[str, Callable[..., TicketSearch]] = {
    "continuous": Continuous,
    "imp": IterativeMagnitude,
    "imp-continued": partial(IterativeMagnitude, rewinds=False),
    "stochastic": Stochastic,
    "sequential": Sequential,
    "random": RandomPruning,
}


def resolve_search(search: Any) -> TicketSearch:
    """Return a checked search for a string or an object.

    Parameters
    ----------
    search : str or TicketSearch
        A preset's name, or an object of `sklearn_pb.tickets`.

    Returns
    -------
    search : TicketSearch
        A new object; the one given is not changed.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is neither a string nor a search.
    """
    return resolve_preset(
        search, "search", SEARCHES, TicketSearch, "sklearn_pb.tickets"
    )
