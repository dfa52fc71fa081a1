"""What a search for tickets found: one sentence, then a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..utils import percent, text_table
from ._summary import TicketSummary, matches, summarize_tickets

if TYPE_CHECKING:
    from ._ticket import Ticket


@dataclass(frozen=True, eq=False)
class TicketReport:
    """What was found: prints as a sentence and a table of all tickets.

    Parameters
    ----------
    tickets : sequence of Ticket
        All of them, retrained.
    dense_scores : sequence of float
        Scores of the dense network, by seed.
    sparsest_matching : Ticket or None
        The sparsest that scores no worse than the dense network of its seed.
    best : Ticket
        The one with the highest score.
    chosen : Ticket
        The one that was taken.
    """

    tickets: Sequence[Ticket]
    dense_scores: Sequence[float]
    sparsest_matching: Ticket | None
    best: Ticket
    chosen: Ticket

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        found = self.sparsest_matching
        if found is not None:
            return (
                f"The sparsest matching ticket keeps {self._what(found)} and scores "
                f"{found.score:.3f}, the dense network {self._dense(found):.3f}."
            )
        return (
            "No ticket matches the dense network, which scores "
            f"{self._dense(self.best):.3f}; the best keeps {self._what(self.best)} "
            f"and scores {self.best.score:.3f}."
        )

    @property
    def summaries(self) -> list[TicketSummary]:
        """One for each run and round, seeds put together."""
        return summarize_tickets(self.tickets, self.dense_scores)

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row for each run and round, ready for ``pandas.DataFrame``.

        Returns
        -------
        rows : list of dict
            With the fields of `TicketSummary`; a control has its own columns, its
            name and its name with "_std".
        """
        rows = []
        for summary in self.summaries:
            row = asdict(summary)
            for name, (score, std) in row.pop("controls").items():
                row |= {name: score, f"{name}_std": std}
            rows.append(row)
        return rows

    def __str__(self) -> str:
        """Return the sentence, what else is to be said, and the table."""
        said = [self.sentence, *self._more()]
        return "\n".join(said) + "\n\n" + self._table()

    def _what(self, ticket: Ticket) -> str:
        where = f"round {ticket.round} of {ticket.search}"
        if len(self.dense_scores) > 1:
            where += f", seed {ticket.seed}"
        return f"{percent(1 - ticket.sparsity)} of the weights ({where})"

    def _dense(self, ticket: Ticket) -> float:
        return self.dense_scores[ticket.seed]

    def _more(self) -> list[str]:
        """Sentences that only some reports need."""
        n_seeds = len(self.dense_scores)
        lines = []
        if n_seeds > 1:
            winners = {t.seed for t in self.tickets if matches(t, self.dense_scores)}
            lines.append(
                f"Matching tickets were found for {len(winners)} of {n_seeds} seeds."
            )
        told = self.sparsest_matching or self.best
        if self.chosen is not told:
            lines.append(
                f"The chosen ticket keeps {self._what(self.chosen)} and scores "
                f"{self.chosen.score:.3f}."
            )
        return lines

    def _table(self) -> str:
        summaries = self.summaries
        controls = list(dict.fromkeys(name for s in summaries for name in s.controls))
        titles = ["search", "round", "weights left", "score", "matching"]
        titles += [*controls, "epochs", "note"]
        spread = len(self.dense_scores) > 1
        rows = [self._cells(summary, controls, spread) for summary in summaries]
        return text_table(titles, rows, left={"search", "note"})

    def _cells(
        self, summary: TicketSummary, controls: Sequence[str], spread: bool
    ) -> list[str]:
        single = "yes" if summary.n_matching else "no"
        return [
            summary.search,
            str(summary.round),
            percent(summary.density),
            _score(summary.score, summary.score_std, spread),
            f"{summary.n_matching} of {summary.n_seeds}" if spread else single,
            *(
                _score(*summary.controls[name], spread)
                if name in summary.controls
                else ""
                for name in controls
            ),
            str(summary.search_epochs),
            self._marks(summary),
        ]

    def _marks(self, summary: TicketSummary) -> str:
        """What the tickets of a row are."""
        marked = {
            "sparsest matching": self.sparsest_matching,
            "best": self.best,
            "chosen": self.chosen,
        }
        place = (summary.run, summary.search, summary.round)
        return ", ".join(
            mark
            for mark, ticket in marked.items()
            if ticket is not None and (ticket.run, ticket.search, ticket.round) == place
        )


def _score(mean: float, std: float, spread: bool) -> str:
    return f"{mean:.3f} ± {std:.3f}" if spread else f"{mean:.3f}"
