"""Where in the network the zeros are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..utils import percent
from ._axes import axes_for
from ._last_step import find_fitted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ZERO, _KEPT = "#4477aa", "#dde5ee"


class LayerSparsityDisplay:
    """A bar for each pruned layer: how much of it is zero.

    Make one with `from_estimator`.

    Parameters
    ----------
    kept : dict of str to int
        Weights that stayed, by parameter name, in the order of the network.
    total : dict of str to int
        Weights that there are.

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
    TradeoffDisplay : What sparsity costs in accuracy.

    Examples
    --------
    >>> from sklearn_pb.inspection import LayerSparsityDisplay
    >>> display = LayerSparsityDisplay(kept={"0.weight": 5}, total={"0.weight": 100})
    >>> display.layer_sparsity
    {'0.weight': 0.95}
    """

    def __init__(self, *, kept: dict[str, int], total: dict[str, int]) -> None:
        self.kept = kept
        self.total = total

    @property
    def layer_sparsity(self) -> dict[str, float]:
        """The fraction of zeros of each layer."""
        return {name: 1 - self.kept[name] / total for name, total in self.total.items()}

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Axes | None = None, **kwargs: Any
    ) -> LayerSparsityDisplay:
        """Draw the layers of a fitted pruner.

        Parameters
        ----------
        estimator : MaskPruner, Pipeline that ends in one, or search over either
            Fitted.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars.

        Returns
        -------
        display : LayerSparsityDisplay
            Drawn.
        """
        masks = find_fitted(estimator, "masks_", "MaskPruner").masks_
        display = cls(
            kept={name: int(mask.sum()) for name, mask in masks.items()},
            total={name: mask.numel() for name, mask in masks.items()},
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> LayerSparsityDisplay:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to the bars (`matplotlib.axes.Axes.barh`).

        Returns
        -------
        display : LayerSparsityDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        names = list(self.total)
        zeros = list(self.layer_sparsity.values())
        ax.barh(names, 1, color=_KEPT, height=0.6)
        style: dict[str, Any] = {"color": _ZERO, "height": 0.6}
        self.bars_ = ax.barh(names, zeros, **(style | kwargs))
        for row, name in enumerate(names):
            _label(ax, row, zeros[row], self.kept[name], self.total[name])
        ax.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5))
        ax.set(xlabel="Weights that are zero", ylabel="Layer")
        ax.xaxis.set_major_formatter(lambda x, _: percent(x))
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.set_title(self._summary(), loc="left", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _summary(self) -> str:
        kept, total = sum(self.kept.values()), sum(self.total.values())
        return f"{kept:,} of {total:,} weights kept: {percent(1 - kept / total)} zero"


def _label(ax: Axes, row: int, zeros: float, kept: int, total: int) -> None:
    """Say what a bar means: its fraction inside, its counts to the right of it."""
    inside = zeros > 0.25
    ax.annotate(
        percent(zeros, 1),
        (zeros, row),
        xytext=(-6 if inside else 6, 0),
        textcoords="offset points",
        ha="right" if inside else "left",
        va="center",
        color="white" if inside else "black",
    )
    ax.annotate(
        f"{kept:,} of {total:,}\nkept",
        (1, row),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize="small",
        annotation_clip=False,
    )
