"""How often each code of a quantized layer occurs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch

from ..utils import check_choice
from ._axes import axes_for
from ._last_step import find_fitted
from ._layer_bits import bits_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..quantizers import QuantizedTensor

_MOST_BARS = 512  # codes that still get a bar each


class CodeHistogramDisplay:
    """A bar for each code of a layer, split by the bits that the weights have.

    Make one with `from_estimator`.

    Parameters
    ----------
    counts : dict of int to dict of int to int
        Weights by code, by their number of bits.
    name : str, default=""
        The layer.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where it was drawn.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    bars_ : dict of int to matplotlib.container.BarContainer
        The bars of the weights with so many bits.

    See Also
    --------
    LayerBitsDisplay : The bits of all layers.

    Examples
    --------
    >>> from sklearn_pb.inspection import CodeHistogramDisplay
    >>> display = CodeHistogramDisplay(counts={2: {-1: 5, 3: 2}, 0: {0: 1}})
    >>> display.n_weights
    8
    """

    def __init__(self, *, counts: dict[int, dict[int, int]], name: str = "") -> None:
        self.counts = counts
        self.name = name

    @property
    def n_weights(self) -> int:
        """Weights of the layer."""
        return sum(sum(codes.values()) for codes in self.counts.values())

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        layer: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> CodeHistogramDisplay:
        """Draw the codes of a layer of a fitted quantizer.

        Parameters
        ----------
        estimator : MixedPrecisionQuantizer, Pipeline that ends in one, or search
            Fitted.
        layer : str, default=None
            Name of the parameter; None takes the one with the most weights.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars.

        Returns
        -------
        display : CodeHistogramDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no such quantized layer.
        """
        found = find_fitted(estimator, "quantized_", "MixedPrecisionQuantizer")
        layers: dict[str, QuantizedTensor] = found.quantized_
        if layer is None:
            layer = max(layers, key=lambda name: layers[name].codes.numel())
        check_choice(layer, "layer", layers)
        return cls(counts=_count(layers[layer]), name=layer).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> CodeHistogramDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars (`matplotlib.axes.Axes.bar`).

        Returns
        -------
        display : CodeHistogramDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        every = sorted({code for codes in self.counts.values() for code in codes})
        bottom = dict.fromkeys(every, 0)
        width = _bar_width(every)
        self.bars_ = {}
        for bits, codes in sorted(self.counts.items()):
            style = {"color": bits_colors(bits)[0], "width": width}
            style |= {"label": _bits_label(bits), "bottom": [bottom[c] for c in codes]}
            heights = list(codes.values())
            self.bars_[bits] = ax.bar(list(codes), heights, **(style | kwargs))
            for code, n in codes.items():
                bottom[code] += n
        self._finish(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _finish(self, ax: Axes) -> None:
        ax.set(xlabel="Code", ylabel="Weights")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
        ax.legend(frameon=False)
        zeros = sum(codes.get(0, 0) for codes in self.counts.values())
        title = f"{self.n_weights:,} weights, {zeros:,} of them zero"
        title = f"{self.name}: {title}" if self.name else title
        ax.set_title(title, loc="left", fontsize="medium")


def _count(quantized: QuantizedTensor) -> dict[int, dict[int, int]]:
    codes = quantized.codes.reshape(-1)
    bits = quantized.bits.expand(quantized.shape).reshape(-1)
    counts = {}
    for p in bits.unique().tolist():
        found, n = torch.unique(codes[bits == p], return_counts=True)
        counts[p] = dict(zip(found.tolist(), n.tolist(), strict=True))
    return counts


def _bar_width(codes: list[int]) -> float:
    """As wide as the gaps between codes allow."""
    if len(codes) < 2 or len(codes) > _MOST_BARS:
        return 1.0
    return 0.9 * min(b - a for a, b in pairwise(codes))


def _bits_label(bits: int) -> str:
    return "1 bit" if bits == 1 else f"{bits} bits"
