"""Winning tickets: what happens in and between the rounds of a search for them."""

from ._base import RoundEnd, TicketSearch, removed_for_good
from ._choice import SELECTIONS, find_sparsest_matching, preference
from ._continuous import Continuous, Sequential
from ._files import JobFiles
from ._find import Found, find_tickets
from ._iterative_magnitude import IterativeMagnitude
from ._presets import SEARCHES, resolve_search
from ._random_pruning import RandomPruning
from ._report import TicketReport
from ._retraining import CONTROLS
from ._stochastic import Stochastic
from ._summary import TicketSummary, matches, summarize_tickets
from ._task import TicketTask, load_masked
from ._ticket import Ticket

__all__ = [
    "CONTROLS",
    "SEARCHES",
    "SELECTIONS",
    "Continuous",
    "Found",
    "IterativeMagnitude",
    "JobFiles",
    "RandomPruning",
    "RoundEnd",
    "Sequential",
    "Stochastic",
    "Ticket",
    "TicketReport",
    "TicketSearch",
    "TicketSummary",
    "TicketTask",
    "find_sparsest_matching",
    "find_tickets",
    "load_masked",
    "matches",
    "preference",
    "removed_for_good",
    "resolve_search",
    "summarize_tickets",
]
