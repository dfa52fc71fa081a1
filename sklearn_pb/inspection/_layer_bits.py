"""How many bits each layer of a network has."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch

from ._axes import axes_for, curve_style
from ._last_step import find_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..quantizers import QuantizedTensor

Counts = dict[int, int]
_LEAST_SHARE = 0.08  # of a bar that still has room for its number of bits
_WIDEST = 6  # bits of the darkest colour; more are as dark


class LayerBitsDisplay:
    """Bits of the layers: a bar a layer for one network, a line a network for several.

    A bar is split into the shares of weights with 0, 1, 2, ... bits. Make one with
    `from_estimator` or `from_estimators`.

    Parameters
    ----------
    counts : dict of str to dict of str to dict of int to int
        Weights by number of bits, by layer, by the name of the network.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    bars_ : dict of int to matplotlib.container.BarContainer
        The shares with so many bits, one a layer; of one network only.
    lines_ : dict of str to matplotlib.container.ErrorbarContainer
        The line of each network; of several networks only.

    See Also
    --------
    BitsTradeoffDisplay : What bits are worth in accuracy.

    Notes
    -----
    Savarese (2025), figure 5.6.

    Examples
    --------
    >>> from sklearn_pb.inspection import LayerBitsDisplay
    >>> display = LayerBitsDisplay(counts={"net": {"0.weight": {0: 1, 2: 3}}})
    >>> display.mean_bits
    {'net': {'0.weight': 1.5}}
    """

    def __init__(self, *, counts: dict[str, dict[str, Counts]]) -> None:
        self.counts = counts

    @property
    def mean_bits(self) -> dict[str, dict[str, float]]:
        """Bits a weight, by layer, by network."""
        return {
            network: {name: _mean(counts) for name, counts in layers.items()}
            for network, layers in self.counts.items()
        }

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Axes | None = None, **kwargs: Any
    ) -> LayerBitsDisplay:
        """Draw the layers of a fitted quantizer.

        Parameters
        ----------
        estimator : MixedPrecisionQuantizer, Pipeline that ends in one, or search
            Fitted.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars.

        Returns
        -------
        display : LayerBitsDisplay
            Drawn.
        """
        return cls(counts={"": _counts_of(estimator)}).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        *,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> LayerBitsDisplay:
        """Draw a line for each of several fitted quantizers of one network.

        Parameters
        ----------
        estimators : dict of str to estimator
            What `from_estimator` takes, by the name for the legend.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line.

        Returns
        -------
        display : LayerBitsDisplay
            Drawn.
        """
        counts = {name: _counts_of(each) for name, each in estimators.items()}
        return cls(counts=counts).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> LayerBitsDisplay:
        """Draw bars or lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars (`matplotlib.axes.Axes.barh`) or to every line
            (`matplotlib.axes.Axes.errorbar`).

        Returns
        -------
        display : LayerBitsDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        if len(self.counts) == 1:
            self._draw_bars(ax, next(iter(self.counts.values())), kwargs)
        else:
            self._draw_lines(ax, kwargs)
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_bars(
        self, ax: Axes, layers: dict[str, Counts], kwargs: dict[str, Any]
    ) -> None:
        names = list(layers)
        totals = [max(1, sum(counts.values())) for counts in layers.values()]
        left = [0.0] * len(names)
        self.bars_ = {}
        for bits in sorted({bits for counts in layers.values() for bits in counts}):
            shares = [
                counts.get(bits, 0) / total
                for counts, total in zip(layers.values(), totals, strict=True)
            ]
            color, on_it = bits_colors(bits)
            style = {"color": color, "height": 0.7, "edgecolor": "white"}
            bars = ax.barh(names, shares, left=left, **(style | kwargs))
            labels = [str(bits) if share > _LEAST_SHARE else "" for share in shares]
            ax.bar_label(bars, labels, label_type="center", color=on_it)
            self.bars_[bits] = bars
            left = [sum(pair) for pair in zip(left, shares, strict=True)]
        for row, counts in enumerate(layers.values()):
            _annotate(ax, row, _mean(counts), sum(counts.values()))
        _finish_bars(ax, layers)

    def _draw_lines(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        names = list(dict.fromkeys(chain(*self.counts.values())))
        self.lines_ = {}
        for position, (network, layers) in enumerate(self.mean_bits.items()):
            style = curve_style(position, network) | kwargs
            at = [names.index(name) for name in layers]
            self.lines_[network] = ax.errorbar(at, list(layers.values()), **style)
        ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
        ax.set(xlabel="Layer", ylabel="Mean bits a weight")
        ax.set_ylim(bottom=0)
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.legend(frameon=False)


def bits_colors(bits: int) -> tuple[Any, str]:
    """Return the colour of weights with so many bits, and one to write on it.

    Parameters
    ----------
    bits : int
        Zero is grey, and more are darker.

    Returns
    -------
    color : tuple of float or str
        For matplotlib.
    on_it : str
        Black or white.
    """
    from matplotlib import colormaps

    if bits == 0:
        return "0.85", "black"
    dark = 0.2 + 0.8 * min(bits, _WIDEST) / _WIDEST
    return colormaps["Blues"](dark), "white" if dark > 0.5 else "black"


def _counts_of(estimator: Any) -> dict[str, Counts]:
    found = find_fitted(estimator, "quantized_", "MixedPrecisionQuantizer")
    return {name: _count(each) for name, each in found.quantized_.items()}


def _count(quantized: QuantizedTensor) -> Counts:
    """Weights by their number of bits."""
    bits = quantized.bits.expand(quantized.shape).reshape(-1)
    found = torch.bincount(bits.long())
    return {p: int(n) for p, n in enumerate(found) if n}


def _mean(counts: Counts) -> float:
    total = sum(counts.values())
    return sum(bits * n for bits, n in counts.items()) / total if total else 0.0


def _annotate(ax: Axes, row: int, mean: float, n_weights: int) -> None:
    """Say to the right of a bar what the layer has on average."""
    ax.annotate(
        f"{mean:.2f} bits a weight\n{n_weights:,} weights",
        (1, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        annotation_clip=False,
    )


def _finish_bars(ax: Axes, layers: dict[str, Counts]) -> None:
    total = sum(sum(counts.values()) for counts in layers.values())
    spent = sum(bits * n for counts in layers.values() for bits, n in counts.items())
    ax.set(xlim=(0, 1), ylim=(len(layers) - 0.5, -0.5))
    ax.set(xlabel="Share of the weights with so many bits", ylabel="Layer")
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    title = f"{spent / max(1, total):.2f} bits a weight, {total:,} weights"
    ax.set_title(title, loc="left", fontsize="medium")
