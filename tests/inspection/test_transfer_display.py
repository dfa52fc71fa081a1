import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure

from sklearn_pb.inspection import TransferDisplay

ROWS = [
    {"architecture": name, "n_samples": n, "repeat": k, "score": score + k / 10}
    for n, score in ((1000, 0.8), (50, 0.5))
    for name in ("transferred", "dense")
    for k in (0, 1)
]


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


@pytest.mark.parametrize("form", [list, pd.DataFrame, iter])
def test_curves_rise_in_rows_and_average_repeats(form):
    display = TransferDisplay.from_results(form(ROWS), plot=False)
    assert list(display.curves) == ["transferred", "dense"]
    curve = display.curves["dense"]
    assert curve.n_samples == [50, 1000]
    assert curve.mean == pytest.approx([0.55, 0.85])
    assert curve.std == pytest.approx([0.05, 0.05])
    assert not hasattr(display, "ax_")


def test_plot(ax):
    display = TransferDisplay.from_results(ROWS, ax=ax, score_name="R2", linewidth=3)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.get_xscale() == "log"
    assert ax.get_ylabel() == "R2"
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["50", "1,000"]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["transferred", "dense"]
    line = display.lines_["transferred"][0]
    assert line.get_linewidth() == 3
    assert list(line.get_ydata()) == pytest.approx([0.55, 0.85])
    assert list(line.get_xdata()) == pytest.approx([50, 1000], rel=0.05)
    display.figure_.draw_without_rendering()


def test_rows_without_what_is_needed_are_refused():
    with pytest.raises(ValueError, match="results is empty"):
        TransferDisplay.from_results([])
    with pytest.raises(ValueError, match=r"lacks n_samples, score; it holds architect"):
        TransferDisplay.from_results([{"architecture": "dense"}])


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-pb\[plot\]'"):
        TransferDisplay.from_results(ROWS)
