"""Axes to draw on; matplotlib is looked for when something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Paul Tol's muted colours: told apart by colour-blind eyes as well.
COLORS = (
    "#332288",
    "#cc6677",
    "#117733",
    "#ddaa33",
    "#44aadd",
    "#aa4499",
    "#882255",
    "#999933",
)
_MARKERS = "osD^vPX*"


def curve_style(position: int, label: str | None) -> dict[str, Any]:
    """Return how the line of a method looks, its spread as bars.

    Parameters
    ----------
    position : int
        Which of the lines it is.
    label : str or None
        What the legend calls it.

    Returns
    -------
    style : dict
        For `matplotlib.axes.Axes.errorbar`.
    """
    return {
        "label": label,
        "color": COLORS[position % len(COLORS)],
        "marker": _MARKERS[position % len(_MARKERS)],
        "markersize": 5,
        "linewidth": 1.5,
        "elinewidth": 0.8,
        "capsize": 2,
    }


def axes_for(ax: Axes | None, display: object) -> Axes:
    """Return the axes given, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        What the user gave.
    display : object
        Who draws, for the message.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Where to draw.

    Raises
    ------
    ImportError
        If there is no matplotlib.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib, which is not installed; "
            "install it with: pip install 'sklearn-pb[plot]'"
        ) from error
    return pyplot.subplots(layout="constrained")[1]
