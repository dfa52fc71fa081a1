"""Which layers lose their weights, round by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..utils import percent
from ._axes import COLORS, axes_for
from ._last_step import find_ticket_finder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..tickets import Ticket

_EARLY, _LATE = (0.80, 0.86, 0.93), (0.10, 0.21, 0.42)  # light to dark blue


class TicketLayersDisplay:
    """A row for each layer, a dot for each ticket: how much of the layer is zero.

    Make one with `from_estimator`, for the rounds of a run, or with `from_tickets`, to
    compare tickets of several searches.

    Parameters
    ----------
    layers : dict of str to dict of str to float
        Fraction of zeros of each layer, by the name of the ticket and of the layer.
    ordered : bool, default=False
        Whether the tickets follow each other, as rounds do: these are drawn from light
        to dark, others in colours that differ.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    dots_ : dict of str to matplotlib.lines.Line2D
        The dots of each ticket.

    See Also
    --------
    TicketsDisplay : What the tickets are worth.
    LayerSparsityDisplay : The layers of the network that was chosen.

    Notes
    -----
    Savarese (2025), figure 4.12.

    Examples
    --------
    >>> from sklearn_pb.inspection import TicketLayersDisplay
    >>> layers = {"imp": {"conv": 0.5, "head": 0.2}, "cs": {"conv": 0.4, "head": 0.9}}
    >>> TicketLayersDisplay(layers=layers).layer_names
    ['conv', 'head']
    """

    def __init__(
        self, *, layers: Mapping[str, Mapping[str, float]], ordered: bool = False
    ) -> None:
        self.layers = layers
        self.ordered = ordered

    @property
    def layer_names(self) -> list[str]:
        """All layers, in the order of the network."""
        return list(
            dict.fromkeys(name for layers in self.layers.values() for name in layers)
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        run: int = 0,
        seed: int = 0,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> TicketLayersDisplay:
        """Draw the rounds of one run of a search.

        Parameters
        ----------
        estimator : SparseTicketFinder, Pipeline that ends in one, or search over either
            Fitted.
        run : int, default=0
            Which of the independent runs.
        seed : int, default=0
            Which of the seeds.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the dots.

        Returns
        -------
        display : TicketLayersDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no such run or seed.
        """
        tickets = find_ticket_finder(estimator).tickets_
        chain = [t for t in tickets if t.run == run and t.seed == seed]
        if not chain:
            raise ValueError(
                f"run={run!r} and seed={seed!r}: there is no such ticket; there are "
                f"runs 0 to {max(t.run for t in tickets)} and seeds 0 to "
                f"{max(t.seed for t in tickets)}."
            )
        layers = {f"round {t.round}": dict(t.layer_sparsity) for t in chain}
        return cls(layers=layers, ordered=True).plot(ax=ax, **kwargs)

    @classmethod
    def from_tickets(
        cls,
        tickets: Mapping[str, Ticket],
        *,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> TicketLayersDisplay:
        """Draw tickets beside each other, best of about the same sparsity.

        Parameters
        ----------
        tickets : dict of str to Ticket
            By what the legend calls them.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the dots.

        Returns
        -------
        display : TicketLayersDisplay
            Drawn.
        """
        layers = {name: dict(t.layer_sparsity) for name, t in tickets.items()}
        return cls(layers=layers).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> TicketLayersDisplay:
        """Draw the dots.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the dots (`matplotlib.axes.Axes.plot`).

        Returns
        -------
        display : TicketLayersDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        names = self.layer_names
        for row, name in enumerate(names):
            ends = [layers[name] for layers in self.layers.values() if name in layers]
            ax.plot([min(ends), max(ends)], [row, row], color="0.85", zorder=1)
        self.dots_ = {
            label: self._draw_dots(ax, position, label, kwargs)
            for position, label in enumerate(self.layers)
        }
        ax.set_yticks(range(len(names)), names)
        ax.set(ylim=(len(names) - 0.5, -0.5), xlim=(-0.02, 1.02))
        ax.set(xlabel="Weights that are zero", ylabel="Layer")
        ax.xaxis.set_major_formatter(lambda x, _: percent(x))
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", color="0.94")
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_dots(
        self, ax: Axes, position: int, label: str, kwargs: dict[str, Any]
    ) -> Any:
        names = self.layer_names
        layers = self.layers[label]
        style: dict[str, Any] = {
            "label": label,
            "color": self._color(position),
            "linestyle": "none",
            "marker": "o",
            "markersize": 7,
        }
        rows = [row for row, name in enumerate(names) if name in layers]
        zeros = [layers[names[row]] for row in rows]
        return ax.plot(zeros, rows, **(style | kwargs))[0]

    def _color(self, position: int) -> Any:
        if not self.ordered:
            return COLORS[position % len(COLORS)]
        late = position / max(len(self.layers) - 1, 1)
        ends = zip(_EARLY, _LATE, strict=True)
        return tuple((1 - late) * light + late * dark for light, dark in ends)
