"""Lines through tickets: through the rounds of a run, or the last ones of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..tickets import TicketSummary

CONNECTIONS = ("auto", "rounds", "runs")


@dataclass(frozen=True)
class TicketCurve:
    """Tickets of one line, in the order in which they are connected.

    Parameters
    ----------
    density : list of float
        Fractions of weights left, averaged over the seeds.
    mean, std : list of float
        The score over the seeds.
    controls : dict of str to TicketCurve
        What stands beside the tickets, by the name of the control.
    runs : list of TicketCurve
        The single runs whose last tickets this line connects.
    """

    density: list[float]
    mean: list[float]
    std: list[float]
    controls: dict[str, TicketCurve] = field(default_factory=dict)
    runs: list[TicketCurve] = field(default_factory=list)


def ticket_curves(
    name: str, summaries: Sequence[TicketSummary], connect: str, controls: bool
) -> dict[str, TicketCurve]:
    """Return the lines of one finder, by their names.

    Parameters
    ----------
    name : str
        What the finder is called, or nothing.
    summaries : sequence of TicketSummary
        Its tickets, by run and round.
    connect : {"auto", "rounds", "runs"}
        What a line goes through, see `TicketsDisplay.from_estimator`.
    controls : bool
        Whether controls are drawn.

    Returns
    -------
    curves : dict of str to TicketCurve
        One, or one a run.
    """
    runs: dict[str, list[TicketSummary]] = {}
    for summary in summaries:
        runs.setdefault(summary.search, []).append(summary)
    if connect == "runs" or (connect == "auto" and len(runs) > 2):
        last = sorted((run[-1] for run in runs.values()), key=lambda s: -s.density)
        singles = [_curve(run, False) for run in runs.values()]
        return {name or "last round": _curve(last, controls, singles)}
    if name and len(runs) == 1:
        return {name: _curve(summaries, controls)}
    return {_label(name, search): _curve(run, controls) for search, run in runs.items()}


def _label(name: str, search: str) -> str:
    """What a single run is called; the search may have the finder's name already."""
    has_it = not name or f"{search} ".startswith(f"{name} ")
    return search if has_it else f"{name}: {search}"


def _curve(
    summaries: Sequence[TicketSummary],
    controls: bool,
    runs: Sequence[TicketCurve] = (),
) -> TicketCurve:
    names = dict.fromkeys(n for s in summaries for n in s.controls) if controls else ()
    return TicketCurve(
        density=[s.density for s in summaries],
        mean=[s.score for s in summaries],
        std=[s.score_std for s in summaries],
        controls={
            name: TicketCurve(
                density=[s.density for s in summaries],
                mean=[s.controls[name][0] for s in summaries],
                std=[s.controls[name][1] for s in summaries],
            )
            for name in names
        },
        runs=list(runs),
    )
