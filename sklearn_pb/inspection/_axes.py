"""Axes to draw on; matplotlib is looked for when something is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
