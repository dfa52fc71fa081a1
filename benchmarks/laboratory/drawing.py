"""What the figures share: panels, mean curves with their spread, small files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from .records import Curve

IMAGES = Path(__file__).parents[2] / "doc" / "images"
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
    "#777777",
)
WIDTH, HEIGHT = 3.6, 2.7  # inches of one panel
DOTS_PER_INCH = 80


def panels(rows: int, columns: int, **options: Any) -> tuple[Figure, Any]:
    """A figure with equal panels, and the array of its axes."""
    matplotlib.rcParams.update({"font.size": 8, "axes.titlesize": 8})
    figure = Figure(figsize=(columns * WIDTH, rows * HEIGHT), layout="constrained")
    axes = figure.subplots(rows, columns, **options)
    for ax in np.atleast_1d(axes).flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", color="0.93")
        ax.set_axisbelow(True)
    return figure, axes


def draw_curve(ax: Any, curve: Curve, label: str, place: int, **options: Any) -> None:
    """Draw the mean over the runs, and one standard deviation around it."""
    color = COLORS[place % len(COLORS)]
    style = {"color": color, "label": label, "linewidth": 1.2} | options
    ax.plot(curve.x, curve.mean, **style)
    low, high = curve.mean - curve.std, curve.mean + curve.std
    if len(curve.last) > 1:
        ax.fill_between(curve.x, low, high, color=color, alpha=0.12, linewidth=0)


def draw_last(
    ax: Any, curves: Mapping[str, Curve], names: Sequence[str] | None = None
) -> None:
    """Draw the final loss of each run, a column a setting.

    `names` are those of all settings in the order of their colours, if `curves` has
    some of them only.
    """
    names = list(curves) if names is None else names
    for place, (name, curve) in enumerate(curves.items()):
        color = COLORS[names.index(name) % len(COLORS)]
        beside = np.linspace(-0.25, 0.25, len(curve.last)) if len(curve.last) > 1 else 0
        ax.plot(place + beside, curve.last, "o", ms=3, alpha=0.8, color=color)
    ax.set_xticks(range(len(curves)), list(curves), rotation=45, ha="right")


def save(figure: Figure, name: str) -> None:
    """Write the picture of a figure for the documentation, in few colours."""
    path = IMAGES / f"laboratory_{name}.png"
    drawn = BytesIO()
    figure.savefig(drawn, dpi=DOTS_PER_INCH, format="png")
    few = Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(path.name, path.stat().st_size // 1024, "kB")
