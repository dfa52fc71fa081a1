import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_pb.inspection import TicketsDisplay
from sklearn_pb.tickets import Ticket


class Finder(BaseEstimator):
    """What the display reads of a fitted finder."""

    def __init__(self, rounds=2, labels=("imp",), seeds=2, controls=()):
        self.rounds = rounds
        self.labels = labels
        self.seeds = seeds
        self.controls = controls

    def fit(self, X=None, y=None):
        self.tickets_ = [
            Ticket(
                search=label,
                run=run,
                round=r,
                seed=seed,
                sparsity=1 - 0.5 ** (r + run),
                score=0.9 - 0.1 * run + 0.02 * seed,
                search_epochs=r,
                retrain_epochs=1,
                masks={},
                layer_sparsity={},
                weights={},
                controls=dict.fromkeys(self.controls, 0.4),
            )
            for run, label in enumerate(self.labels)
            for seed in range(self.seeds)
            for r in range(1, self.rounds + 1)
        ]
        self.dense_scores_ = [0.9 + 0.02 * seed for seed in range(self.seeds)]
        return self


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


def test_rounds_are_connected_and_seeds_averaged():
    display = TicketsDisplay.from_estimator(Finder().fit(), plot=False)
    (curve,) = display.curves.values()
    assert list(display.curves) == ["imp"]
    assert curve.density == pytest.approx([0.5, 0.25])
    assert curve.mean == pytest.approx([0.91, 0.91])
    assert curve.std == pytest.approx([0.01, 0.01])
    assert display.dense_score == pytest.approx(0.91)
    assert not hasattr(display, "ax_")


def test_plot(ax):
    finders = {"a": Finder().fit(), "b": Finder(controls=["fresh"]).fit()}
    display = TicketsDisplay.from_estimator(
        finders, ax=ax, score_name="R2", linewidth=3
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert (ax.get_xscale(), ax.get_ylabel()) == ("log", "R2")
    assert ax.xaxis_inverted()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["dense (91 %)", "a", "b", "b, fresh"]
    line = display.lines_["a"][0]
    assert line.get_linewidth() == 3
    assert list(line.get_xdata()) == pytest.approx([0.5, 0.25])
    assert list(line.get_ydata()) == pytest.approx([0.91, 0.91])
    assert list(display.dense_line_.get_ydata()) == pytest.approx([0.91, 0.91])
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["50 %", "20 %"]
    display.figure_.draw_without_rendering()


@pytest.mark.parametrize("connect", ["auto", "runs"])
def test_last_tickets_of_the_runs_are_connected(connect, ax):
    finder = Finder(labels=["cs s=0", "cs s=-1", "cs s=-2"], controls=["fresh"]).fit()
    display = TicketsDisplay.from_estimator({"cs": finder}, connect=connect, ax=ax)
    assert list(display.curves) == ["cs"]
    curve = display.curves["cs"]
    assert curve.density == pytest.approx([0.25, 0.125, 0.0625])
    assert curve.mean == pytest.approx([0.91, 0.81, 0.71])
    assert curve.runs[0].density == pytest.approx([0.5, 0.25])
    assert curve.controls["fresh"].mean == pytest.approx([0.4] * 3)
    thin = [line for line in ax.lines if line.get_linewidth() == 0.7]
    assert len(thin) == 3
    display.figure_.draw_without_rendering()


def test_each_run_is_a_line_on_request():
    finder = Finder(labels=["cs s=0", "cs s=-1", "cs s=-2"], controls=["fresh"]).fit()
    read = TicketsDisplay.from_estimator
    alone = read(finder, connect="rounds", plot=False, controls=False).curves
    assert list(alone) == ["cs s=0", "cs s=-1", "cs s=-2"]
    assert alone["cs s=0"].controls == {}
    named = read({"short": finder}, connect="rounds", plot=False).curves
    assert list(named) == ["short: cs s=0", "short: cs s=-1", "short: cs s=-2"]
    same = read({"cs": finder}, connect="rounds", plot=False).curves
    assert list(same) == list(alone)  # not "cs: cs s=0"
    both = read({"cs": finder, "c": finder}, connect="rounds", plot=False).curves
    assert len(both) == 6


def test_a_single_seed_has_no_bars(ax):
    display = TicketsDisplay.from_estimator(Finder(seeds=1).fit(), ax=ax)
    assert not display.lines_["imp"].has_yerr
    assert not ax.patches  # no band around the dense network
    TicketsDisplay(curves=display.curves).plot(ax=Figure().subplots())


def test_scores_that_are_no_fractions_are_not_shown_in_per_cent(ax):
    finder = Finder().fit()
    finder.dense_scores_ = [-1.25, -1.35]
    TicketsDisplay.from_estimator(finder, ax=ax, score_name="Log loss")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names[0] == "dense (-1.3)"
    assert not any("%" in label.get_text() for label in ax.get_yticklabels())


def test_ticks_reach_around_very_sparse_tickets(ax):
    display = TicketsDisplay.from_estimator(Finder(rounds=10).fit(), ax=ax)
    ticks = ax.get_xticks()
    assert ticks[0] == 0.5
    assert ticks[-1] == pytest.approx(0.0005)
    assert np.all(np.diff(ticks) < 0)
    display.figure_.draw_without_rendering()


def test_tickets_that_were_kept(ax):
    tickets = Finder().fit().tickets_
    display = TicketsDisplay.from_tickets({"a": tickets[:2], "b": tickets[2:]}, ax=ax)
    assert display.curves["a"].mean == pytest.approx([0.9, 0.9])
    assert display.curves["b"].mean == pytest.approx([0.92, 0.92])
    assert display.dense_line_ is None


def test_what_is_no_fitted_finder(ax):
    with pytest.raises(NotFittedError):
        TicketsDisplay.from_estimator(Finder(), ax=ax)
    other = LogisticRegression().fit([[0], [1]], [0, 1])
    with pytest.raises(TypeError, match="LogisticRegression has no tickets_"):
        TicketsDisplay.from_estimator(other)
    with pytest.raises(ValueError, match="at least one ticket finder"):
        TicketsDisplay.from_estimator({})
    with pytest.raises(ValueError, match="connect='seeds'"):
        TicketsDisplay.from_estimator(Finder().fit(), connect="seeds")


def test_pipelines_are_looked_into():
    pipeline = make_pipeline(Finder().fit())
    display = TicketsDisplay.from_estimator(pipeline, plot=False)
    assert list(display.curves) == ["imp"]


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-pb\[plot\]'"):
        TicketsDisplay.from_estimator(Finder().fit())
