"""What an architecture is worth on a new task, by the number of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils import percent
from ._axes import axes_for, curve_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = ("architecture", "n_samples", "score")


@dataclass(frozen=True)
class TransferCurve:
    """Scores of one architecture, by rising number of rows.

    Parameters
    ----------
    n_samples : list of int
        Rows of the new task that it was trained on.
    mean, std : list of float
        The score over the repeats.
    """

    n_samples: list[int]
    mean: list[float]
    std: list[float]


class TransferDisplay:
    """Score on a new task against the rows to train on: a line an architecture.

    Make one with `from_results`. Bars are one standard deviation over the repeats. As
    repeats are paired, two lines can differ more clearly than their bars say.

    Parameters
    ----------
    curves : dict of str to TransferCurve
        By the name of the architecture.
    score_name : str, default="Accuracy"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    lines_ : dict of str to matplotlib.container.ErrorbarContainer
        The line of each architecture.

    See Also
    --------
    sklearn_pb.estimators.transfer_architecture : Makes the results.

    Examples
    --------
    >>> from sklearn_pb.inspection import TransferDisplay
    >>> results = [
    ...     {"architecture": "dense", "n_samples": 50, "repeat": 0, "score": 0.75},
    ...     {"architecture": "dense", "n_samples": 50, "repeat": 1, "score": 0.25},
    ... ]
    >>> TransferDisplay.from_results(results, plot=False).curves["dense"]
    TransferCurve(n_samples=[50], mean=[0.5], std=[0.25])
    """

    def __init__(
        self, *, curves: dict[str, TransferCurve], score_name: str = "Accuracy"
    ) -> None:
        self.curves = curves
        self.score_name = score_name

    @classmethod
    def from_results(
        cls,
        results: Any,
        *,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> TransferDisplay:
        """Draw the results of `transfer_architecture`.

        Parameters
        ----------
        results : list of dict or pandas.DataFrame
            Rows with `architecture`, `n_samples` and `score`; those of several calls
            may be joined.
        score_name : str, default="Accuracy"
            What the score is called.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        plot : bool, default=True
            False only reads the results.
        **kwargs : dict
            Passed on to every line.

        Returns
        -------
        display : TransferDisplay
            Drawn, unless `plot` is False.

        Raises
        ------
        ValueError
            If there are no rows, or a row lacks one of these entries.
        """
        display = cls(curves=_curves(_rows(results)), score_name=score_name)
        return display.plot(ax=ax, **kwargs) if plot else display

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> TransferDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line (`matplotlib.axes.Axes.errorbar`).

        Returns
        -------
        display : TransferDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        self.lines_ = {
            name: self._draw_curve(ax, position, kwargs)
            for position, name in enumerate(self.curves)
        }
        ax.set(xlabel="Rows of the new task", ylabel=self.score_name, xscale="log")
        ax.minorticks_off()  # a log axis would add its own between ours
        found = sorted({n for curve in self.curves.values() for n in curve.n_samples})
        ax.set_xticks(found, [f"{n:,}" for n in found])
        ax.yaxis.set_major_formatter(lambda y, _: percent(y))
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_curve(self, ax: Axes, position: int, kwargs: dict[str, Any]) -> Any:
        """Draw one line, a little beside the others, so that bars stay apart."""
        name, curve = list(self.curves.items())[position]
        aside = 1.02 ** (position - (len(self.curves) - 1) / 2)
        style = curve_style(position, name)
        if name == "dense":
            style |= {"color": "0.35", "linestyle": "--"}
        at = [n * aside for n in curve.n_samples]
        return ax.errorbar(at, curve.mean, curve.std, **(style | kwargs))


def _rows(results: Any) -> list[Mapping[str, Any]]:
    rows: Iterable[Any] = results
    if hasattr(results, "to_dict"):
        rows = results.to_dict("records")
    rows = list(rows)
    if not rows:
        raise ValueError("results is empty; it must hold a row for each network.")
    for row in rows:
        missing = [name for name in _COLUMNS if name not in row]
        if missing:
            raise ValueError(
                f"a row of results lacks {', '.join(missing)}; it holds "
                f"{', '.join(row)}."
            )
    return rows


def _curves(rows: list[Mapping[str, Any]]) -> dict[str, TransferCurve]:
    """Mean and spread by architecture, in the order in which these came."""
    scores: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        sizes = scores.setdefault(row["architecture"], {})
        sizes.setdefault(row["n_samples"], []).append(row["score"])
    return {
        name: TransferCurve(
            sorted(sizes),
            [float(np.mean(sizes[n])) for n in sorted(sizes)],
            [float(np.std(sizes[n])) for n in sorted(sizes)],
        )
        for name, sizes in scores.items()
    }
