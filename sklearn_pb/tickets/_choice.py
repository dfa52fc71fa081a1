"""Which ticket is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ._summary import matches
from ._ticket import Ticket

SELECTIONS = ("sparsest-matching", "best", "last")

Preference = Callable[[Ticket], tuple[float, ...]]


def preference(select: str, dense_scores: Sequence[float]) -> Preference:
    """Return what tickets are compared by; the highest is taken.

    Parameters
    ----------
    select : {"sparsest-matching", "best", "last"}
        The sparsest that scores no worse than the dense network of its seed, and the
        best if there is none; the one with the highest score; or the best of the last
        round.
    dense_scores : sequence of float
        Scores of the dense network, by seed.

    Returns
    -------
    preference : callable
        Maps a ticket to numbers that are compared in turn.

    Notes
    -----
    Savarese (2025), section 4.3.4.
    """

    def prefer(ticket: Ticket) -> tuple[float, ...]:
        score = -math.inf if math.isnan(ticket.score) else ticket.score
        by_score = (score, ticket.sparsity)
        if select == "last":
            return (ticket.round, *by_score)
        if select == "sparsest-matching":
            if matches(ticket, dense_scores):
                return (1, ticket.sparsity, score)
            return (0, *by_score)
        return by_score

    return prefer


def find_sparsest_matching(
    tickets: Sequence[Ticket], dense_scores: Sequence[float]
) -> Ticket | None:
    """Return the sparsest ticket that scores no worse than the dense network.

    Parameters
    ----------
    tickets : sequence of Ticket
        Retrained.
    dense_scores : sequence of float
        Scores of the dense network, by seed.

    Returns
    -------
    ticket : Ticket or None
        None if no ticket does.
    """
    matching = [ticket for ticket in tickets if matches(ticket, dense_scores)]
    if not matching:
        return None
    return max(matching, key=preference("sparsest-matching", dense_scores))
