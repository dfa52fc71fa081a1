import sys

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb.estimators import MaskPruner, SparseTicketFinder
from sklearn_pb.export import Latency, LayerReport, NetworkReport, Report, report
from sklearn_pb.inspection import ReportDisplay

LAYERS = (
    LayerReport("a", "Linear", (20, 50), 1000, 50, 4000, 250, 1e3, 50.0),
    LayerReport("b", "Conv2d", (2, 2, 5, 1), 20, 20, 80, 80, 3.2e6, 3.2e6),
)
NETWORKS = {
    "dense": NetworkReport(1020, 4080, 0.0, Latency((2e-3,))),
    "sparse": NetworkReport(70, 330, 0.0, Latency((1e-3,))),
    "compact": NetworkReport(70, 330, 0.0),
}


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


def test_bars_and_labels(ax):
    display = ReportDisplay.from_report(
        Report(LAYERS, NETWORKS, 1, 1), ax=ax, color="k"
    )
    assert display.ax_ is ax and display.figure_ is ax.figure
    assert display.density == {"a": 0.05, "b": 1.0}
    assert [bar.get_width() for bar in display.bars_] == [0.05, 1.0]
    assert display.bars_[0].get_facecolor() == (0, 0, 0, 1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert {text.get_text() for text in ax.texts} == {
        "5 %",
        "50 of 1 k multiply-adds\n250 B of 4 kB",
        "100 %",
        "3.2 M of 3.2 M multiply-adds\n80 B of 80 B",
    }
    assert ax.get_title(loc="left") == (
        "3.2 M of 3.2 M multiply-adds, 330 B of 4.08 kB\nsparse: 2 times as fast"
    )
    bottom, top = ax.get_ylim()
    assert bottom > top
    display.figure_.draw_without_rendering()


def test_a_report_without_times_has_one_line_of_title(ax):
    costs = report(nn.Linear(4, 4), None, torch.ones(2, 4), latency=False)
    display = ReportDisplay.from_report(costs, ax=ax)
    assert ax.get_title(loc="left") == "16 of 16 multiply-adds, 80 B of 80 B"
    assert display.density == {"weight": 1.0, "(the rest)": 1.0}


def test_from_estimator(ax):
    X = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    pruner = MaskPruner(method="magnitude", sparsity=0.8, random_state=0)
    pruner.fit(X, np.arange(24) % 3)
    inputs = torch.from_numpy(X)
    display = ReportDisplay.from_estimator(pruner, inputs, latency=False, ax=ax)
    kept = {name: 1 - zero for name, zero in pruner.layer_sparsity_.items()}
    assert {name: display.density[name] for name in kept} == pytest.approx(kept)


@pytest.fixture(name="channels", scope="module")
def make_channel_pruner():
    X = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    pruner = MaskPruner(
        method="magnitude", granularity="channel", sparsity=0.8, random_state=0
    )
    return X, pruner.fit(X, np.arange(24) % 3)


def test_without_inputs_it_is_the_pruner_s_own_report(ax, channels):
    display = ReportDisplay.from_estimator(channels[1], ax=ax)
    assert display.report is channels[1].report_
    speedup = display.report.speedup("compact")
    assert ax.get_title(loc="left").endswith(f"compact: {speedup:.2g} times as fast")


@pytest.mark.parametrize("given", [False, True])
def test_channels_are_shown_with_the_compact_network(ax, channels, given):
    X, pruner = channels
    inputs = torch.from_numpy(X[:5]) if given else None
    display = ReportDisplay.from_estimator(pruner, inputs, latency=False, ax=ax)
    compact = display.report.networks["compact"]
    assert compact.weights == 20 * (4 + 1) + 3 * (20 + 1)  # of 100 hidden units
    assert compact.macs == 20 * 4 + 3 * 20
    assert display.report.n_samples == (5 if given else 24)
    assert display.report.speedup("compact") is None


def test_a_ticket_finder_needs_inputs(ax):
    X = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
    net = NeuralNetClassifier(
        nn.Linear(4, 3),
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        train_split=None,
        verbose=0,
    )
    finder = SparseTicketFinder(net, search="imp", n_rounds=1, select="last")
    finder.fit(X, np.arange(24) % 3, X_val=X, y_val=np.arange(24) % 3)
    with pytest.raises(TypeError, match="example_inputs=None must be a batch"):
        ReportDisplay.from_estimator(finder, ax=ax)
    inputs = torch.from_numpy(X)
    display = ReportDisplay.from_estimator(finder, inputs, latency=False, ax=ax)
    assert display.density["weight"] == pytest.approx(1 - finder.sparsity_)


def test_other_estimators_are_refused(ax):
    other = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(TypeError, match="LogisticRegression has no masks_"):
        ReportDisplay.from_estimator(other, torch.ones(1, 1), ax=ax)


def test_matplotlib_is_named_when_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"ReportDisplay\.plot needs matplotlib"):
        ReportDisplay.from_report(Report(LAYERS, NETWORKS, 1, 1))
