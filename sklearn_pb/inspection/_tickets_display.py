"""How sparse a ticket can be: accuracy against the weights that are left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tickets import summarize_tickets
from ..utils import check_choice, percent
from ._axes import axes_for, curve_style
from ._last_step import find_ticket_finder
from ._ticket_curves import CONNECTIONS, TicketCurve, ticket_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..tickets import Ticket

_TICKS = (1.0, 0.5, 0.2)
_STYLES = (":", "-.", (0, (1, 4)))


class TicketsDisplay:
    """Score after retraining against weights left: a line a search, dense as a line.

    Make one with `from_estimator` or `from_tickets`. The axis of the weights is
    logarithmic, with the sparse networks to the right. Bars, and the band around the
    dense network, are one standard deviation over the seeds.

    Parameters
    ----------
    curves : dict of str to TicketCurve
        By the name of the search.
    dense_scores : sequence of float, default=()
        Scores of the dense network, by seed.
    score_name : str, default="Accuracy"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    lines_ : dict of str to matplotlib.container.ErrorbarContainer
        The line of each search.
    dense_line_ : matplotlib.lines.Line2D or None
        The line of the dense network.

    See Also
    --------
    TicketLayersDisplay : Which layers lose their weights.

    Notes
    -----
    Savarese (2025), figures 4.3, 4.4, 4.8, 4.11 and 4.13.

    Examples
    --------
    >>> from sklearn_pb.inspection import TicketCurve, TicketsDisplay
    >>> imp = TicketCurve([0.8, 0.64], [0.91, 0.9], [0.01, 0.01])
    >>> TicketsDisplay(curves={"imp": imp}, dense_scores=[0.9, 0.92]).dense_score
    0.91
    """

    def __init__(
        self,
        *,
        curves: Mapping[str, TicketCurve],
        dense_scores: Sequence[float] = (),
        score_name: str = "Accuracy",
    ) -> None:
        self.curves = curves
        self.dense_scores = dense_scores
        self.score_name = score_name

    @property
    def dense_score(self) -> float | None:
        """The mean score of the dense network; None where it is not known."""
        return float(np.mean(self.dense_scores)) if len(self.dense_scores) else None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        connect: str = "auto",
        controls: bool = True,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> TicketsDisplay:
        """Draw what one search or several have found.

        Parameters
        ----------
        estimator : SparseTicketFinder or dict of str to SparseTicketFinder
            Fitted; also pipelines that end in one, and searches over either. Several
            are compared under their names.
        connect : {"auto", "rounds", "runs"}, default="auto"
            "rounds" draws a line through the rounds of each run. "runs" draws one
            through the last tickets of all runs of a finder, such as those with
            another `s_init`, and the runs themselves as thin lines. "auto" does that
            where a finder has three runs or more.
        controls : bool, default=True
            Whether controls that were trained are drawn as well, as dotted lines.
        score_name : str, default="Accuracy"
            What the score is called.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        plot : bool, default=True
            False only reads the tickets.
        **kwargs : dict
            Passed on to the line of every search.

        Returns
        -------
        display : TicketsDisplay
            Drawn, unless `plot` is False.

        Raises
        ------
        ValueError
            If `connect` is unknown or there is no finder.
        TypeError
            If an estimator is no ticket finder.
        """
        named = dict(estimator) if isinstance(estimator, Mapping) else {"": estimator}
        if not named:
            raise ValueError("estimator={} must hold at least one ticket finder.")
        finders = {name: find_ticket_finder(one) for name, one in named.items()}
        display = cls.from_tickets(
            {name: finder.tickets_ for name, finder in finders.items()},
            connect=connect,
            controls=controls,
            dense_scores=[s for one in finders.values() for s in one.dense_scores_],
            score_name=score_name,
            plot=False,
        )
        return display.plot(ax=ax, **kwargs) if plot else display

    @classmethod
    def from_tickets(
        cls,
        tickets: Mapping[str, Iterable[Ticket]],
        *,
        dense_scores: Sequence[float] = (),
        connect: str = "auto",
        controls: bool = True,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> TicketsDisplay:
        """Draw tickets that were kept.

        Parameters
        ----------
        tickets : dict of str to iterable of Ticket
            By the name of the search.
        dense_scores : sequence of float, default=()
            Scores of the dense network, by seed.
        connect, controls, score_name, ax, plot
            As of `from_estimator`.
        **kwargs : dict
            Passed on to the line of every search.

        Returns
        -------
        display : TicketsDisplay
            Drawn, unless `plot` is False.

        Raises
        ------
        ValueError
            If `connect` is unknown.
        """
        check_choice(connect, "connect", CONNECTIONS)
        curves: dict[str, TicketCurve] = {}
        for name, found in tickets.items():
            curves |= ticket_curves(name, summarize_tickets(found), connect, controls)
        display = cls(curves=curves, dense_scores=dense_scores, score_name=score_name)
        return display.plot(ax=ax, **kwargs) if plot else display

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> TicketsDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the line of every search (`matplotlib.axes.Axes.errorbar`).

        Returns
        -------
        display : TicketsDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        self.dense_line_ = self._draw_dense(ax)
        self.lines_ = {
            name: _draw_curve(ax, position, name, curve, kwargs)
            for position, (name, curve) in enumerate(self.curves.items())
        }
        ax.set(xlabel="Weights left", ylabel=self.score_name, xscale="log")
        if not ax.xaxis_inverted():
            ax.invert_xaxis()
        self._place_ticks(ax)
        ax.yaxis.set_major_formatter(lambda y, _: self._shown(y))
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _shown(self, score: float, digits: int = 2) -> str:
        """A score in per cent, if all are fractions of something."""
        means = [mean for curve in self.curves.values() for mean in curve.mean]
        if all(0 <= mean <= 1 for mean in (*means, *self.dense_scores)):
            return percent(score, digits)
        return f"{score:.3g}"

    def _draw_dense(self, ax: Axes) -> Any:
        mean = self.dense_score
        if mean is None:
            return None
        std = float(np.std(self.dense_scores))
        if std:
            ax.axhspan(mean - std, mean + std, color="0.93", linewidth=0, zorder=0)
        label = f"dense ({self._shown(mean, 1)})"
        return ax.axhline(mean, color="0.35", linestyle="--", linewidth=1, label=label)

    def _place_ticks(self, ax: Axes) -> None:
        """1, 2 and 5 of each power of ten, as far as the tickets go."""
        found = [
            density
            for curve in self.curves.values()
            for one in (curve, *curve.runs)
            for density in one.density
            if density > 0
        ]
        if found:
            ticks = list(_ticks(min(found), max(found)))
            ax.set_xticks(ticks, [percent(tick, 4) for tick in ticks])
        ax.minorticks_off()  # a log axis would add its own between ours


def _ticks(low: float, high: float) -> Iterable[float]:
    """Round numbers from 1 down, one beyond each end."""
    decade = 1.0
    rounds: list[float] = []
    while decade >= low / 10:
        rounds += [decade * tick for tick in _TICKS]
        decade /= 10
    above = [tick for tick in rounds if tick >= high][-1:]
    below = [tick for tick in rounds if tick <= low][:1]
    return [*above, *(t for t in rounds if low < t < high), *below]


def _draw_curve(
    ax: Axes, position: int, name: str, curve: TicketCurve, kwargs: dict[str, Any]
) -> Any:
    """Draw one search: its line, its controls dotted, its runs thin."""
    style = curve_style(position, name or None) | kwargs
    for run in curve.runs:
        ax.plot(run.density, run.mean, color=style["color"], linewidth=0.7, alpha=0.4)
    drawn = _errorbar(ax, curve, style)
    for line, (control, beside) in zip(_STYLES, curve.controls.items(), strict=False):
        label = f"{name}, {control}" if name else control
        fainter = {"label": label, "linestyle": line, "linewidth": 1, "mfc": "white"}
        _errorbar(ax, beside, {**style, **fainter, "alpha": 0.7})
    return drawn


def _errorbar(ax: Axes, curve: TicketCurve, style: dict[str, Any]) -> Any:
    spread = curve.std if any(curve.std) else None
    return ax.errorbar(curve.density, curve.mean, spread, **style)
