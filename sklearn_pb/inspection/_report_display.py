"""A picture of what pruning left of each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..export import LayerReport, Report, report
from ..utils import percent
from ._axes import axes_for
from ._last_step import find_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_KEPT, _GONE = "#4477aa", "#dde5ee"
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class ReportDisplay:
    """A bar for each layer: how much of it is left, and what that saves.

    Beside each bar stand the multiply-adds and the bytes that are left of how many.
    Make one with `from_report` or `from_estimator`.

    Parameters
    ----------
    report : Report
        From `sklearn_pb.export.report`.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    bars_ : matplotlib.container.BarContainer
        The bars, one a layer.

    See Also
    --------
    LayerSparsityDisplay : Only the zeros.

    Examples
    --------
    >>> from sklearn_pb.export import LayerReport, Report
    >>> from sklearn_pb.inspection import ReportDisplay
    >>> layer = LayerReport("0.weight", "Linear", (2, 5), 10, 1, 40, 6, 10.0, 1.0)
    >>> ReportDisplay(report=Report((layer,), {}, n_samples=1, threads=1)).density
    {'0.weight': 0.1}
    """

    def __init__(self, *, report: Report) -> None:
        self.report = report

    @property
    def density(self) -> dict[str, float]:
        """The fraction of weights that is left of each layer."""
        return {layer.name: _density(layer) for layer in self.report.layers}

    @classmethod
    def from_report(
        cls, report: Report, *, ax: Axes | None = None, **kwargs: Any
    ) -> ReportDisplay:
        """Draw a report.

        Parameters
        ----------
        report : Report
            From `sklearn_pb.export.report`.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars.

        Returns
        -------
        display : ReportDisplay
            Drawn.
        """
        return cls(report=report).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        example_inputs: Any = None,
        *,
        latency: bool = True,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> ReportDisplay:
        """Draw the report of a fitted pruner, or one of its network on given inputs.

        Parameters
        ----------
        estimator : MaskPruner, Pipeline that ends in one, or search over either
            Fitted.
        example_inputs : torch.Tensor, tuple, list or dict, default=None
            One batch as the network itself takes it. None is for what the pruner has
            measured itself, its `report_`.
        latency : bool, default=True
            Whether to time the network, for the title.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars.

        Returns
        -------
        display : ReportDisplay
            Drawn. Where channels or heads are masked, with the compact network.

        Raises
        ------
        TypeError
            If the estimator has no masks, or no inputs of its own and none are given.
        """
        pruner = find_fitted(estimator, "masks_", "MaskPruner")
        made = _report_of(pruner, example_inputs, latency)
        return cls.from_report(made, ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> ReportDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars (`matplotlib.axes.Axes.barh`).

        Returns
        -------
        display : ReportDisplay
            Drawn.
        """
        layers = self.report.layers
        rows = range(len(layers))
        new = ax is None
        ax = axes_for(ax, self)
        if new:
            figure: Any = ax.figure
            figure.set_size_inches(8, 0.45 * len(layers) + 1.5)
        ax.barh(rows, 1, color=_GONE, height=0.6)
        style: dict[str, Any] = {"color": _KEPT, "height": 0.6}
        self.bars_ = ax.barh(
            rows, [_density(layer) for layer in layers], **style | kwargs
        )
        for row, layer in enumerate(layers):
            _label(ax, row, layer)
        ax.set_yticks(rows, [layer.name for layer in layers])
        ax.set(xlim=(0, 1), ylim=(len(layers) - 0.5, -0.5))
        ax.set(xlabel="Weights that are kept", ylabel="Layer")
        ax.xaxis.set_major_formatter(lambda x, _: percent(x))
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_title(self._summary(), loc="left", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _summary(self) -> str:
        total = self.report.total
        lines = [_amounts(total).replace("\n", ", ")]
        for name in self.report.networks:
            speedup = self.report.speedup(name)
            if name != "dense" and speedup is not None:
                lines.append(f"{name}: {speedup:.2g} times as fast")
        return "\n".join([lines[0], ", ".join(lines[1:])]).strip()


def _report_of(pruner: Any, example_inputs: Any, latency: bool) -> Report:
    if hasattr(pruner, "_reported"):
        if example_inputs is None and latency:
            return pruner.report_
        return pruner._reported(example_inputs, latency=latency)
    if example_inputs is None:
        raise TypeError(
            f"example_inputs=None must be a batch for the network, as a "
            f"{type(pruner).__name__} keeps none."
        )
    module = pruner.estimator_.module_
    return report(module, pruner.masks_, example_inputs, latency=latency)


def _density(layer: LayerReport) -> float:
    return layer.nonzeros / layer.weights if layer.weights else 1.0


def _amounts(layer: LayerReport) -> str:
    macs, all_macs = (_short(n).strip() for n in (layer.effective_macs, layer.macs))
    n_bytes, all_bytes = (_short(n) for n in (layer.packed_bytes, layer.n_bytes))
    return f"{macs} of {all_macs} multiply-adds\n{n_bytes}B of {all_bytes}B"


def _short(number: float) -> str:
    """Return three digits, a blank and the unit's prefix, if it has one."""
    scale, prefix = next((unit for unit in _UNITS if number >= unit[0]), (1.0, ""))
    return f"{number / scale:.3g} {prefix}"


def _label(ax: Axes, row: int, layer: LayerReport) -> None:
    """Say what a bar means: its fraction beside it, its savings to the right."""
    ax.annotate(
        percent(_density(layer), 1),
        (_density(layer), row),
        xytext=(6, 0) if _density(layer) < 0.75 else (-6, 0),
        textcoords="offset points",
        ha="left" if _density(layer) < 0.75 else "right",
        va="center",
        color="black" if _density(layer) < 0.75 else "white",
    )
    ax.annotate(
        _amounts(layer),
        (1, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        annotation_clip=False,
    )
