"""What fewer bits cost in accuracy, method by method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..utils import check_choice, percent
from ._axes import axes_for, curve_style
from ._cv_rows import best_rows, find_column, read_rows, results_of
from ._last_step import find_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_TICKS = 8
_UNITS = {
    "mean": "Mean bits a weight",
    "file": "Bits of the file a weight",
}


@dataclass(frozen=True)
class BitsCurve:
    """Scores of one method, by rising bits.

    Parameters
    ----------
    bits, mean, std : list of float
        Bits a weight, and the score over folds or seeds.
    """

    bits: list[float]
    mean: list[float]
    std: list[float]


class BitsTradeoffDisplay:
    """Score against bits a weight: a line a method, with the spread over folds.

    Make one with `from_cv_results`, or from fitted quantizers with `from_estimators`.

    Parameters
    ----------
    curves : dict of str to BitsCurve
        By the name of the method.
    float_score : float, default=None
        Score of the network with weights of full precision.
    score_name : str, default="Accuracy"
        What the score is called.
    bits_name : str, default="Mean bits a weight"
        What is counted.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    lines_ : dict of str to matplotlib.container.ErrorbarContainer
        The line of each method.
    float_line_ : matplotlib.lines.Line2D or None
        The line at the score of full precision.

    See Also
    --------
    LayerBitsDisplay : Where the bits are.
    TradeoffDisplay : The same for sparsity.

    Notes
    -----
    Savarese (2025), figures 5.3 and 5.4.

    Examples
    --------
    >>> from sklearn_pb.inspection import BitsTradeoffDisplay
    >>> cv_results = {
    ...     "param_method": ["smol", "smol"],
    ...     "param_target_bits": [3.0, 2.0],
    ...     "mean_test_score": [0.96, 0.95],
    ...     "std_test_score": [0.01, 0.02],
    ...     "mean_fit_time": [2.0, 2.0],
    ... }
    >>> display = BitsTradeoffDisplay.from_cv_results(cv_results, plot=False)
    >>> display.curves["smol"].bits
    [2.0, 3.0]
    """

    def __init__(
        self,
        *,
        curves: dict[str, BitsCurve],
        float_score: float | None = None,
        score_name: str = "Accuracy",
        bits_name: str = "Mean bits a weight",
    ) -> None:
        self.curves = curves
        self.float_score = float_score
        self.score_name = score_name
        self.bits_name = bits_name

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Any,
        *,
        param_method: str = "method",
        param_bits: str | Iterable[str] = ("target_bits", "initial_bits"),
        metric: str = "score",
        float_score: float | None = None,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> BitsTradeoffDisplay:
        """Draw the results of a search over methods and bits.

        Parameters
        ----------
        cv_results : fitted search or dict
            For example a fitted GridSearchCV, or its `cv_results_`. Where several
            candidates share a method and their bits, the best of them counts; those
            without a number of bits are left out.
        param_method : str, default="method"
            Name of the parameter; without it in the results there is one line.
        param_bits : str or iterable of str, default=("target_bits", "initial_bits")
            Name of the parameter, also in a pipeline. Of several, the first that a
            candidate has.
        metric : str, default="score"
            Which of several scores.
        float_score : float, default=None
            Score of the network with weights of full precision.
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
        display : BitsTradeoffDisplay
            Drawn, unless `plot` is False.

        Raises
        ------
        ValueError
            If the search varied none of these parameters, or there is no such score.
        """
        names = (param_bits,) if isinstance(param_bits, str) else tuple(param_bits)
        rows = _rows_with_bits(cv_results, param_method, names, metric)
        display = cls(
            curves={
                name: BitsCurve(
                    list(points),
                    [row["mean"] for row in points.values()],
                    [row["std"] for row in points.values()],
                )
                for name, points in best_rows(rows, "bits").items()
            },
            float_score=float_score,
            score_name=score_name,
        )
        return display.plot(ax=ax, **kwargs) if plot else display

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Iterable[Any]],
        X: Any,
        y: Any,
        *,
        unit: str = "mean",
        float_score: float | None = None,
        score_name: str = "Accuracy",
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> BitsTradeoffDisplay:
        """Draw the scores of fitted quantizers on some data.

        Parameters
        ----------
        estimators : dict of str to iterable of estimators
            Fitted quantizers, or pipelines that end in one, by the name of their line.
        X : array-like of shape (n, ...)
            Inputs.
        y : array-like of shape (n,)
            Labels, or values for a regressor.
        unit : {"mean", "file"}, default="mean"
            Whether bits are counted as papers do, or are those of the file.
        float_score : float, default=None
            Score of the network with weights of full precision.
        score_name : str, default="Accuracy"
            What the score is called.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line.

        Returns
        -------
        display : BitsTradeoffDisplay
            Drawn.
        """
        check_choice(unit, "unit", _UNITS)
        curves = {}
        for name, fitted in estimators.items():
            points = sorted((_bits(each, unit), each.score(X, y)) for each in fitted)
            bits, scores = map(list, zip(*points, strict=True))
            curves[name] = BitsCurve(bits, scores, [0.0] * len(bits))
        display = cls(
            curves=curves,
            float_score=float_score,
            score_name=score_name,
            bits_name=_UNITS[unit],
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> BitsTradeoffDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line (`matplotlib.axes.Axes.errorbar`).

        Returns
        -------
        display : BitsTradeoffDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        self.float_line_ = self._draw_float(ax)
        self.lines_ = {}
        for position, (name, curve) in enumerate(self.curves.items()):
            style = curve_style(position, name or None) | kwargs
            spread = curve.std if any(curve.std) else None
            self.lines_[name] = ax.errorbar(curve.bits, curve.mean, spread, **style)
        ax.set(xlabel=self.bits_name, ylabel=self.score_name)
        found = sorted({bits for curve in self.curves.values() for bits in curve.bits})
        if len(found) <= _MOST_TICKS and all(bits == round(bits, 2) for bits in found):
            ax.set_xticks(found, [f"{bits:g}" for bits in found])
        ax.yaxis.set_major_formatter(lambda y, _: percent(y))
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        if any(self.curves) or self.float_line_ is not None:
            ax.legend(frameon=False, loc="lower right")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_float(self, ax: Axes) -> Any:
        if self.float_score is None:
            return None
        label = f"32 bits ({percent(self.float_score, 1)})"
        return ax.axhline(
            self.float_score, color="0.35", linestyle="--", linewidth=1, label=label
        )


def _rows_with_bits(
    search: Any, param_method: str, param_bits: tuple[str, ...], metric: str
) -> list[dict[str, Any]]:
    """A row for each candidate that has a number of bits."""
    results = results_of(search)
    varied = [name for name in param_bits if find_column(results, name) is not None]
    if not varied:
        names = [name for name in results if name.startswith("param_")]
        raise ValueError(
            f"param_bits={param_bits!r}: none is among the parameters of the search: "
            f"{', '.join(names) or 'none'}."
        )
    tables = [read_rows(results, param_method, name, metric) for name in varied]
    rows = []
    for ways in zip(*tables, strict=True):
        found = [row["sparsity"] for row in ways if row["sparsity"] is not None]
        if found:
            rows.append({**ways[0], "bits": found[0]})
    return rows


def _bits(estimator: Any, unit: str) -> float:
    fitted = find_fitted(estimator, "quantized_", "MixedPrecisionQuantizer")
    if unit == "mean":
        return float(fitted.mean_bits_)
    return float(fitted.sizes_.file_bits / fitted.sizes_.weights)
