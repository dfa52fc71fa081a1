"""The rounds of one run of a search."""

from __future__ import annotations

from typing import Any

import torch

from ..training import MaskedFit, StoredWeights
from ._base import RoundEnd, TicketSearch
from ._task import TicketTask, load_masked

_DRAWS = 2  # address of what the search draws itself, below that of a round


def search_rounds(
    task: TicketTask, search: TicketSearch, label: str, seed: int, run: int
) -> dict[str, Any]:
    """Return the tickets of one run of a search, not retrained yet.

    Parameters
    ----------
    task : TicketTask
        Network, data and number of rounds.
    search : TicketSearch
        What happens in and between rounds.
    label : str
        What the run is called.
    seed, run : int
        Numbers of the seed and of the run.

    Returns
    -------
    found : dict
        By round the `variables` of the ticket, and the number of `epochs` up to then;
        and the `stored` weights, None if they are the initial ones or those of the
        dense network.
    """
    name = f"search-seed{seed}-run{run}"
    file = None if task.files is None else task.files.done(name)
    state = (file.load() if file is not None else None) or _beginning(task, search)
    while len(state["variables"]) < task.n_rounds:
        number = len(state["variables"]) + 1
        training = f"{name}-round{number}"
        state = _next_round(task, search, state, training, seed)
        left = float(state["variables"][-1].float().mean())
        task.tell(
            f"seed {seed}, {label}: round {number} of {task.n_rounds}, {left:.2%} left"
        )
        if task.files is not None and file is not None:
            file.save(state)
            task.files.forget(training)
    return {name: state[name] for name in ("variables", "epochs", "stored")}


def _beginning(task: TicketTask, search: TicketSearch) -> dict[str, Any]:
    """The state between rounds, before the first."""
    return {
        "variables": [],
        "epochs": [],
        "stored": None,
        "weights": None,
        "logits": search.first_logits(task.layout.n_variables),
    }


def _next_round(
    task: TicketTask,
    search: TicketSearch,
    state: dict[str, Any],
    training: str,
    seed: int,
) -> dict[str, Any]:
    """The state after one more round."""
    number, logits = len(state["variables"]) + 1, state["logits"]
    alive = torch.ones(task.layout.n_variables, dtype=torch.bool)
    if logits is not None:
        alive = logits > -torch.inf
    fit, stored, n_epochs = None, state["stored"], 0
    method = search.method()
    if method is None:
        end = RoundEnd(alive, None, 1.0)
    else:
        fit, stored = _train(task, search, state, alive, training, seed)
        assert fit.end is not None
        end = RoundEnd(fit.variables, fit.end.logits, fit.end.progress)
        n_epochs = len(fit.history)
    stream = task.stream.child(seed, number, _DRAWS)
    ticket = search.ticket(end, task.quota(number), stream)
    goes_on = fit is not None and fit.end is not None and not search.rewinds
    return {
        "variables": [*state["variables"], ticket],
        "epochs": [*state["epochs"], n_epochs + sum(state["epochs"][-1:])],
        "stored": stored,
        "weights": fit.end.weights if goes_on else None,  # type: ignore[union-attr]
        "logits": _next_logits(task, search, end, ticket),
    }


def _next_logits(
    task: TicketTask, search: TicketSearch, end: RoundEnd, ticket: torch.Tensor
) -> torch.Tensor:
    """Where the next round starts; a layer of channels begins it with one at least."""
    logits = search.next_logits(end, ticket)
    first = search.first_logits(len(ticket))
    if not task.structured or end.logits is None or first is None:
        return logits
    parts = (x.split(list(task.layout.layers)) for x in (logits, end.logits, first))
    for own, ended, start in zip(*parts, strict=True):
        if len(own) and not (own > -torch.inf).any():
            best = ended.argmax()
            own[best] = start[best]
    return logits


def _train(
    task: TicketTask,
    search: TicketSearch,
    state: dict[str, Any],
    alive: torch.Tensor,
    training: str,
    seed: int,
) -> tuple[MaskedFit, dict[str, torch.Tensor] | None]:
    """Train through a round: its fit, and stored weights other than the initial."""
    number = len(state["variables"]) + 1
    method = search.method()
    assert method is not None
    net = task.net(seed, number)
    start = state["stored"] if search.rewinds else state["weights"]
    if start is None:
        start = task.initial_weights(seed)
    load_masked(net.module_, start, task.layout.masks(alive))
    store = None
    if number == 1 and (task.rewind_epoch or task.rewind_step):
        store = StoredWeights(net.module_, task.rewind_epoch, task.rewind_step)
        store.attach(net)
    fit = task.train(
        net,
        method,
        training,
        seed,
        number,
        quota=None if method.learns else task.quota(number),
        constraint=search.constraint(),
        logits=state["logits"],
    )
    return fit, state["stored"] if store is None else checked_weights(store)


def checked_weights(store: StoredWeights) -> dict[str, torch.Tensor]:
    """Return stored weights, or raise if training has ended too early for them.

    Parameters
    ----------
    store : StoredWeights
        What was to keep them.

    Returns
    -------
    weights : dict of str to torch.Tensor
        State of the network.

    Raises
    ------
    ValueError
        If they were not reached.
    """
    if store.weights is None:
        raise ValueError(
            f"rewind_epoch={store.epoch} and rewind_step={store.step} were not reached "
            "before training was stopped early."
        )
    return store.weights
