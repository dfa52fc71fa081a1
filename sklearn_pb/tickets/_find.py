"""All jobs of a finder, side by side: dense networks, rounds, retraining, controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from sklearn.utils.parallel import Parallel, delayed

from ..masks import MaskLayout
from ._base import TicketSearch
from ._choice import preference
from ._retraining import retrain, train_control, train_dense
from ._rounds import search_rounds
from ._task import TicketTask
from ._ticket import Ticket


@dataclass(frozen=True)
class Found:
    """What a finder has found.

    Parameters
    ----------
    tickets : list of Ticket
        By run, seed and round.
    dense_scores : list of float
        Scores of the dense network, by seed.
    chosen : Ticket
        The one that is taken.
    weights : dict of str to torch.Tensor
        State of the network after its retraining.
    history : list of dict
        The epochs of its retraining.
    n_epochs : dict of str to int
        Epochs of all training: "dense", "search", "retraining" and "controls".
    """

    tickets: list[Ticket]
    dense_scores: list[float]
    chosen: Ticket
    weights: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    n_epochs: dict[str, int]


@dataclass(frozen=True)
class _Candidate:
    """A ticket that is not retrained yet."""

    ticket: Ticket
    variables: torch.Tensor

    @property
    def name(self) -> str:
        ticket = self.ticket
        return f"ticket-seed{ticket.seed}-run{ticket.run}-round{ticket.round}"


def find_tickets(
    task: TicketTask,
    search: TicketSearch,
    *,
    n_seeds: int,
    controls: Sequence[str],
    select: str,
    n_jobs: int | None,
) -> Found:
    """Search for tickets, retrain them and choose one.

    Parameters
    ----------
    task : TicketTask
        Network, data and number of rounds.
    search : TicketSearch
        What happens in and between rounds.
    n_seeds : int
        Number of repetitions.
    controls : sequence of str
        Which controls are trained beside each ticket.
    select : str
        Which ticket is taken.
    n_jobs : int or None
        Trainings at the same time, as in joblib; the results are the same for any
        number.

    Returns
    -------
    found : Found
        Tickets and their scores.
    """
    runs = search.runs()
    jobs = [delayed(train_dense)(task, seed) for seed in range(n_seeds)]
    jobs += [
        delayed(search_rounds)(task, own, label, seed, run)
        for run, (label, own) in enumerate(runs)
        for seed in range(n_seeds)
    ]
    done = Parallel(n_jobs=n_jobs)(jobs)
    dense, found = done[:n_seeds], done[n_seeds:]
    candidates = []
    for i, chain in enumerate(found):
        run, seed = divmod(i, n_seeds)
        stored = chain["stored"] or dense[seed]["stored"]
        candidates += _candidates(task.layout, chain, runs[run][0], run, seed, stored)
    dense_scores = [one["score"] for one in dense]
    tickets, chosen = _retrain(task, candidates, select, dense_scores, n_jobs)
    tickets, n_controls = _with_controls(task, tickets, candidates, controls, n_jobs)
    return Found(
        tickets,
        dense_scores,
        tickets[chosen["number"]],
        chosen["weights"],
        chosen["history"],
        {
            "dense": sum(one["epochs"] for one in dense),
            "search": sum(chain["epochs"][-1] for chain in found),
            "retraining": sum(ticket.retrain_epochs for ticket in tickets),
            "controls": n_controls,
        },
    )


def _candidates(
    layout: MaskLayout,
    chain: dict[str, Any],
    label: str,
    run: int,
    seed: int,
    stored: dict[str, torch.Tensor],
) -> list[_Candidate]:
    """The tickets of a run, without their scores."""
    found = zip(chain["variables"], chain["epochs"], strict=True)
    return [
        _Candidate(
            Ticket(
                search=label,
                run=run,
                seed=seed,
                round=number,
                masks=layout.masks(variables),
                sparsity=1 - int(variables.sum()) / layout.n_variables,
                layer_sparsity=layout.layer_sparsity(variables),
                weights=stored,
                score=float("nan"),
                search_epochs=epochs,
                retrain_epochs=0,
            ),
            variables,
        )
        for number, (variables, epochs) in enumerate(found, start=1)
    ]


def _retrain(
    task: TicketTask,
    candidates: Sequence[_Candidate],
    select: str,
    dense_scores: Sequence[float],
    n_jobs: int | None,
) -> tuple[list[Ticket], dict[str, Any]]:
    """Retrained tickets, and what is left of the preferred one.

    Results come one by one, so that the weights of one network are kept, not of all.
    """
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(retrain)(
            task, one.variables, one.ticket.weights, one.name, one.ticket.seed
        )
        for one in candidates
    )
    prefer = preference(select, dense_scores)
    tickets: list[Ticket] = []
    chosen: dict[str, Any] = {}
    for number, (one, result) in enumerate(zip(candidates, results, strict=True)):
        ticket = replace(
            one.ticket, score=result["score"], retrain_epochs=result["epochs"]
        )
        tickets.append(ticket)
        if not chosen or prefer(ticket) > prefer(tickets[chosen["number"]]):
            chosen = {**result, "number": number}
    return tickets, chosen


def _with_controls(
    task: TicketTask,
    tickets: list[Ticket],
    candidates: Sequence[_Candidate],
    controls: Sequence[str],
    n_jobs: int | None,
) -> tuple[list[Ticket], int]:
    """The tickets with the scores of their controls, and the epochs these took."""
    results = Parallel(n_jobs=n_jobs)(
        delayed(train_control)(
            task,
            control,
            one.variables,
            one.ticket.weights,
            f"{one.name}-{control}",
            one.ticket.seed,
            one.ticket.run,
            one.ticket.round,
        )
        for one in candidates
        for control in controls
    )
    scores = [result["score"] for result in results]
    n = len(controls)
    tickets = [
        replace(ticket, controls=dict(zip(controls, scores[n * i :], strict=False)))
        for i, ticket in enumerate(tickets)
    ]
    return tickets, sum(result["epochs"] for result in results)
