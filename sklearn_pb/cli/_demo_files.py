"""The pictures and the table that the demo saves."""

from __future__ import annotations

import csv
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from ..inspection import LayerBitsDisplay, LayerSparsityDisplay, TradeoffDisplay
from ._errors import UsageError

_DPI = 150


def prepare_folder(out: str) -> Path:
    """Make the folder for the results, before any work is done for them.

    Parameters
    ----------
    out : str
        What the user asked for.

    Returns
    -------
    folder : Path
        It exists and can be written to.

    Raises
    ------
    UsageError
        If it cannot, or nothing can be drawn.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError(
            "the pictures need matplotlib, which is not installed; install it with: "
            "pip install 'sklearn-pb[plot]'"
        )
    folder = Path(out).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"--out {out}: cannot write there ({error.strerror})."
        ) from error
    return folder


def save_table(rows: list[dict[str, Any]], folder: Path) -> Path:
    """Save rows as CSV.

    Parameters
    ----------
    rows : list of dict
        What `sparsity_table` returned.
    folder : Path
        Where to.

    Returns
    -------
    path : Path
        The file.
    """
    path = folder / "results.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def save_tradeoff(search: Any, title: str, folder: Path) -> Path:
    """Save the picture of accuracy against sparsity.

    Parameters
    ----------
    search : GridSearchCV
        Fitted.
    title : str
        Its title.
    folder : Path
        Where to.

    Returns
    -------
    path : Path
        The file.
    """
    ax = _axes(7, 4.5)
    TradeoffDisplay.from_cv_results(
        search, score_name="Accuracy (cross-validated)", ax=ax
    )
    ax.set_title(title, loc="left", fontsize="medium")
    return _save(ax, folder / "accuracy_vs_sparsity.png")


def save_layers(pipeline: Any, title: str, folder: Path) -> Path:
    """Save the picture of the sparsity of each layer.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, a pruner at its end.
    title : str
        Its title.
    folder : Path
        Where to.

    Returns
    -------
    path : Path
        The file.
    """
    ax = _axes(7, 1.6 + 0.6 * len(pipeline[-1].masks_))
    display = LayerSparsityDisplay.from_estimator(pipeline, ax=ax)
    summary = ax.get_title(loc="left")
    ax.set_title(f"{title}\n{summary}", loc="left", fontsize="medium")
    return _save(display.ax_, folder / "layer_sparsity.png")


def save_bits(pipeline: Any, title: str, folder: Path) -> Path:
    """Save the picture of the bits of each layer.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, a quantizer at its end.
    title : str
        Its title.
    folder : Path
        Where to.

    Returns
    -------
    path : Path
        The file.
    """
    ax = _axes(7, 1.6 + 0.6 * len(pipeline[-1].quantized_))
    LayerBitsDisplay.from_estimator(pipeline, ax=ax)
    summary = ax.get_title(loc="left")
    ax.set_title(f"{title}: {summary}", loc="left", fontsize="medium")
    return _save(ax, folder / "layer_bits.png")


def _axes(width: float, height: float) -> Any:
    """Axes of a figure that pyplot knows nothing of: no display is needed."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def _save(ax: Any, path: Path) -> Path:
    ax.figure.savefig(path, dpi=_DPI)
    return path
