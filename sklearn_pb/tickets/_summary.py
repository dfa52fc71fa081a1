"""Tickets of one search and round, put together over the seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ._ticket import Ticket


@dataclass(frozen=True)
class TicketSummary:
    """What one search found in one round, over the seeds.

    Parameters
    ----------
    search : str
        Label of the search.
    run : int
        Which of the independent runs of the search it is.
    round : int
        1 is the first.
    n_seeds : int
        Tickets that are summed up here.
    density, density_std : float
        Fraction of weights left: mean and standard deviation.
    score, score_std : float
        Score after retraining.
    n_matching : int or None
        Tickets that score no worse than the dense network of their seed; None where
        its scores are not given.
    search_epochs : int
        Epochs of searching up to this round, for one seed.
    controls : dict of str to tuple of float
        Mean and standard deviation of the score of each control.
    """

    search: str
    run: int
    round: int
    n_seeds: int
    density: float
    density_std: float
    score: float
    score_std: float
    n_matching: int | None
    search_epochs: int
    controls: dict[str, tuple[float, float]]


def matches(ticket: Ticket, dense_scores: Sequence[float]) -> bool:
    """Return whether a ticket scores no worse than the dense network of its seed.

    Parameters
    ----------
    ticket : Ticket
        Retrained.
    dense_scores : sequence of float
        By seed.

    Returns
    -------
    matches : bool
        Savarese (2025), section 4.3.4.
    """
    return bool(ticket.score >= dense_scores[ticket.seed])


def summarize_tickets(
    tickets: Iterable[Ticket], dense_scores: Sequence[float] | None = None
) -> list[TicketSummary]:
    """Return a summary for each run and round, in the order in which they came.

    Parameters
    ----------
    tickets : iterable of Ticket
        Of one finder.
    dense_scores : sequence of float, default=None
        Scores of the dense network, by seed, for `n_matching`.

    Returns
    -------
    summaries : list of TicketSummary
        Seeds are put together.
    """
    groups: dict[tuple[int, str, int], list[Ticket]] = {}
    for ticket in tickets:
        groups.setdefault((ticket.run, ticket.search, ticket.round), []).append(ticket)
    return [
        _summary(groups[key], dense_scores)
        for key in sorted(groups, key=lambda key: (key[0], key[2]))
    ]


def _summary(
    tickets: Sequence[Ticket], dense_scores: Sequence[float] | None
) -> TicketSummary:
    first = tickets[0]
    density, density_std = _mean_and_std([1 - t.sparsity for t in tickets])
    score, score_std = _mean_and_std([t.score for t in tickets])
    return TicketSummary(
        search=first.search,
        run=first.run,
        round=first.round,
        n_seeds=len(tickets),
        density=density,
        density_std=density_std,
        score=score,
        score_std=score_std,
        n_matching=None
        if dense_scores is None
        else sum(matches(t, dense_scores) for t in tickets),
        search_epochs=first.search_epochs,
        controls={
            name: _mean_and_std([t.controls[name] for t in tickets])
            for name in first.controls
        },
    )


def _mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values))
