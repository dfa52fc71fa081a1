import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_pb.functions import ExponentialTabularLoss
from sklearn_pb.gradients import loorf
from sklearn_pb.inspection import (
    VarianceDisplay,
    gradient_variance,
    true_gradient_trajectory,
)

J = ExponentialTabularLoss(3, random_state=0)


@pytest.fixture(name="path", scope="module")
def make_path():
    return true_gradient_trajectory(J, 200, 1.0)


def test_numbers(path):
    display = VarianceDisplay.from_trajectory(J, path, n_samples=4, plot=False)
    assert display.steps[0] == 0
    assert display.steps[-1] == 200
    assert list(display.variances) == ["reinforce", "loorf", "arms", "beta-star"]
    for name, values in display.variances.items():
        last = gradient_variance(name, J, path.logits[200], 4).total
        assert values[-1] == pytest.approx(last)
        assert values.shape == display.steps.shape == display.entropy.shape
    assert (display.variances["beta-star"] < display.variances["reinforce"]).all()
    assert not hasattr(display, "ax_")


def test_sampled_with_a_callable(path):
    display = VarianceDisplay.from_trajectory(
        J,
        path,
        {"mine": loorf},
        n_points=3,
        method="sampled",
        n_repetitions=10,
        random_state=0,
        plot=False,
    )
    again = gradient_variance(
        loorf, J, path.logits[0], method="sampled", n_repetitions=10, random_state=0
    )
    assert display.variances["mine"][0] == pytest.approx(again.total)


def test_plot(path):
    ax = Figure().subplots()
    display = VarianceDisplay.from_trajectory(J, path, n_points=5, ax=ax, linewidth=3)
    assert display.ax_ is ax
    assert display.figure_.axes == [ax, display.entropy_ax_]
    assert ax.get_yscale() == "log"
    assert display.lines_["arms"].get_linewidth() == 3
    np.testing.assert_array_equal(display.lines_["arms"].get_xdata(), display.steps)
    drawn = display.entropy_ax_.lines[0].get_ydata()
    np.testing.assert_array_equal(drawn, path.entropy[display.steps])
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == list(display.variances)
    display.figure_.draw_without_rendering()


def test_no_variance_at_all_is_drawn_without_a_log_axis(path):
    ax = Figure().subplots()
    VarianceDisplay.from_trajectory(J, path, ["exact"], n_points=3, ax=ax)
    assert ax.get_yscale() == "linear"


def test_bad_input(path):
    with pytest.raises(ValueError, match="n_points=1"):
        VarianceDisplay.from_trajectory(J, path, n_points=1)
    with pytest.raises(ValueError, match="estimator='x' is unknown"):
        VarianceDisplay.from_trajectory(J, path, ["x"])


def test_without_matplotlib_the_message_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-pb\[plot\]'"):
        VarianceDisplay.from_trajectory(J, path, n_points=2)
