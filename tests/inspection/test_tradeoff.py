import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_pb.inspection import TradeoffDisplay

METHODS = ["gmp", "gmp", "gmp", "arms", "arms", "arms"]
SPARSITIES = [0.0, 0.9, 0.98, 0.98, 0.9, 0.9]
MEANS = [0.97, 0.96, 0.94, 0.88, 0.91, 0.93]


@pytest.fixture(name="results")
def make_results():
    return {
        "param_a__method": np.array(METHODS),
        "param_a__sparsity": np.array(SPARSITIES),
        "mean_test_score": np.array(MEANS),
        "std_test_score": np.full(6, 0.01),
        "mean_fit_time": np.ones(6),
    }


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


def test_curves_rise_in_sparsity_and_take_the_best_candidate(results):
    display = TradeoffDisplay.from_cv_results(results, plot=False)
    assert list(display.curves) == ["gmp", "arms"]
    assert display.curves["arms"].sparsity == [0.9, 0.98]
    assert display.curves["arms"].mean == [0.93, 0.88]
    assert not hasattr(display, "ax_")


def test_dense_score_is_found_or_given(results):
    read = TradeoffDisplay.from_cv_results
    assert read(results, plot=False).dense_score == 0.97
    assert read(results, dense_score=0.5, plot=False).dense_score == 0.5


def test_plot(results, ax):
    display = TradeoffDisplay.from_cv_results(results, ax=ax, linewidth=3)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert ax.get_xscale() == "log"
    assert ax.xaxis_inverted()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["98 %", "90 %"]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["arms", "dense (97 %)", "gmp"]
    assert display.lines_["gmp"][0].get_linewidth() == 3
    assert list(display.dense_line_.get_ydata()) == [0.97, 0.97]
    display.figure_.draw_without_rendering()


@pytest.mark.parametrize("sparsity", [0.5, 0.9, 0.95])
def test_a_single_sparsity_is_in_the_middle(results, ax, sparsity):
    results = {name: values[:2] for name, values in results.items()}
    results["param_a__sparsity"] = np.array([0.0, sparsity])
    display = TradeoffDisplay.from_cv_results(results, ax=ax)
    display.figure_.draw_without_rendering()
    left, right = ax.get_xlim()
    assert left > 1 - sparsity > right


def test_many_sparsities_do_not_crowd_the_ticks(results, ax):
    n = 30
    results = {
        "param_sparsity": np.linspace(0.5, 0.99, n),
        **{name: np.ones(n) for name in results if not name.startswith("param_")},
    }
    display = TradeoffDisplay.from_cv_results(results, ax=ax)
    assert list(display.curves) == [""]
    assert display.dense_line_ is None
    assert len(ax.get_xticks()) <= 8


def test_new_figure_without_axes(results, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    display = TradeoffDisplay.from_cv_results(results)
    assert display.figure_.axes == [display.ax_]
    pyplot.close(display.figure_)


def test_without_matplotlib_the_message_says_what_to_install(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-pb\[plot\]'"):
        TradeoffDisplay.from_cv_results(results)
