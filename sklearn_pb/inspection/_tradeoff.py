"""What sparsity costs in accuracy, method by method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..utils import percent
from ._axes import axes_for, curve_style
from ._cv_rows import best_rows, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 8


@dataclass(frozen=True)
class TradeoffCurve:
    """Scores of one method, by rising sparsity.

    Parameters
    ----------
    sparsity, mean, std : list of float
        Fractions of zeros, and the score over the folds.
    """

    sparsity: list[float]
    mean: list[float]
    std: list[float]


class TradeoffDisplay:
    """Score against sparsity: a line a method, with the spread over the folds.

    Make one with `from_cv_results`. The axis is spaced by the logarithm of the weights
    kept, so that 98 % is as far from 96 % as 96 % is from 92 %.

    Parameters
    ----------
    curves : dict of str to TradeoffCurve
        By the name of the method.
    dense_score : float, default=None
        Score of the network with all its weights.
    score_name : str, default="Accuracy"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    lines_ : dict of str to matplotlib.container.ErrorbarContainer
        The line of each method.
    dense_line_ : matplotlib.lines.Line2D or None
        The line at the dense score.

    See Also
    --------
    sparsity_table : The same as numbers.

    Examples
    --------
    >>> from sklearn_pb.inspection import TradeoffDisplay
    >>> cv_results = {
    ...     "param_method": ["gmp", "gmp", "gmp"],
    ...     "param_sparsity": [0.0, 0.9, 0.95],
    ...     "mean_test_score": [0.97, 0.96, 0.94],
    ...     "std_test_score": [0.01, 0.01, 0.02],
    ...     "mean_fit_time": [2.0, 2.0, 2.0],
    ... }
    >>> display = TradeoffDisplay.from_cv_results(cv_results, plot=False)
    >>> display.dense_score, display.curves["gmp"].sparsity
    (0.97, [0.9, 0.95])
    """

    def __init__(
        self,
        *,
        curves: dict[str, TradeoffCurve],
        dense_score: float | None = None,
        score_name: str = "Accuracy",
    ) -> None:
        self.curves = curves
        self.dense_score = dense_score
        self.score_name = score_name

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Any,
        *,
        param_method: str = "method",
        param_sparsity: str = "sparsity",
        metric: str = "score",
        dense_score: float | None = None,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> TradeoffDisplay:
        """Draw the results of a search over methods and sparsities.

        Parameters
        ----------
        cv_results : fitted search or dict
            For example a fitted GridSearchCV, or its `cv_results_`. Where several
            candidates share a method and a sparsity, the best of them counts; those
            without a sparsity are left out.
        param_method, param_sparsity : str, default="method", "sparsity"
            Names of the parameters; "sparsity" also finds "prune__sparsity" of a
            pipeline. Without the former there is one line.
        metric : str, default="score"
            Which of several scores.
        dense_score : float, default=None
            Score of the network with all its weights. None takes the best candidate of
            sparsity 0, if there is one.
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
        display : TradeoffDisplay
            Drawn, unless `plot` is False.
        """
        rows = read_rows(cv_results, param_method, param_sparsity, metric)
        dense = [row["mean"] for row in rows if row["sparsity"] == 0]
        if dense_score is None and dense:
            dense_score = max(dense)
        display = cls(
            curves=_curves([row for row in rows if row["sparsity"]]),
            dense_score=dense_score,
            score_name=score_name,
        )
        return display.plot(ax=ax, **kwargs) if plot else display

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> TradeoffDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line (`matplotlib.axes.Axes.errorbar`).

        Returns
        -------
        display : TradeoffDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        self.dense_line_ = self._draw_dense(ax)
        self.lines_ = {
            name: self._draw_curve(ax, position, kwargs)
            for position, name in enumerate(self.curves)
        }
        ax.set(xlabel="Weights that are zero", ylabel=self.score_name)
        self._place_ticks(ax)
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        if any(self.curves) or self.dense_line_ is not None:
            ax.legend(frameon=False, loc="lower left")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_dense(self, ax: Axes) -> Any:
        if self.dense_score is None:
            return None
        label = f"dense ({percent(self.dense_score, 1)})"
        return ax.axhline(
            self.dense_score, color="0.35", linestyle="--", linewidth=1, label=label
        )

    def _draw_curve(self, ax: Axes, position: int, kwargs: dict[str, Any]) -> Any:
        """Draw one method, a little beside the others so that spreads stay apart."""
        name, curve = list(self.curves.items())[position]
        aside = 1.02 ** (position - (len(self.curves) - 1) / 2)
        style = curve_style(position, name or None)
        kept = [(1 - sparsity) / aside for sparsity in curve.sparsity]
        return ax.errorbar(kept, curve.mean, curve.std, **(style | kwargs))

    def _place_ticks(self, ax: Axes) -> None:
        found = sorted({s for curve in self.curves.values() for s in curve.sparsity})
        if len(found) == 1:  # a log axis finds no limits around one point
            ax.set_xlim(2 * (1 - found[0]), (1 - found[0]) / 2)
        ax.set_xscale("log")
        if not ax.xaxis_inverted():
            ax.invert_xaxis()
        step = -(-len(found) // _MOST_TICKS) or 1
        shown = found[::-step]
        ax.set_xticks([1 - s for s in shown], [percent(s) for s in shown])
        ax.xaxis.set_minor_locator(_nowhere())
        ax.yaxis.set_major_formatter(lambda y, _: percent(y))


def _nowhere() -> Any:
    """A locator of no ticks: a log axis would add its own between ours."""
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _curves(rows: list[dict[str, Any]]) -> dict[str, TradeoffCurve]:
    return {
        name: TradeoffCurve(
            list(points),
            [row["mean"] for row in points.values()],
            [row["std"] for row in points.values()],
        )
        for name, points in best_rows(rows, "sparsity").items()
    }
