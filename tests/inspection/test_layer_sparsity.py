import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_pb.estimators import MaskPruner
from sklearn_pb.inspection import LayerSparsityDisplay

X = np.random.default_rng(0).normal(size=(24, 4))
y = np.arange(24) % 3


@pytest.fixture(name="pruner", scope="module")
def fit_pruner():
    return MaskPruner(method="magnitude", sparsity=0.8, random_state=0).fit(X, y)


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


def test_bars_are_the_layers_of_the_pruner(pruner, ax):
    display = LayerSparsityDisplay.from_estimator(pruner, ax=ax, color="k")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.layer_sparsity == pytest.approx(pruner.layer_sparsity_)
    widths = [bar.get_width() for bar in display.bars_]
    assert widths == pytest.approx(list(pruner.layer_sparsity_.values()))
    assert display.bars_[0].get_facecolor() == (0, 0, 0, 1)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["hidden.weight", "output.weight"]
    display.figure_.draw_without_rendering()


def test_labels_count_what_is_kept(ax):
    display = LayerSparsityDisplay(
        kept={"a": 5, "b": 2000}, total={"a": 100, "b": 2000}
    )
    texts = {text.get_text() for text in display.plot(ax=ax).ax_.texts}
    assert texts == {"95 %", "5 of 100\nkept", "0 %", "2,000 of 2,000\nkept"}
    assert ax.get_title(loc="left") == "2,005 of 2,100 weights kept: 4.52 % zero"


def test_first_layer_is_on_top(ax):
    LayerSparsityDisplay(kept={"a": 1, "b": 1}, total={"a": 2, "b": 2}).plot(ax=ax)
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_pipelines_and_searches_are_looked_into(ax):
    pipeline = make_pipeline(
        StandardScaler(), MaskPruner(method="magnitude", sparsity=0.5, random_state=0)
    )
    search = GridSearchCV(pipeline, {"maskpruner__warmup": [0.1]}, cv=2).fit(X, y)
    display = LayerSparsityDisplay.from_estimator(search, ax=ax)
    assert sum(display.kept.values()) == sum(display.total.values()) / 2


def test_what_is_no_fitted_pruner(ax):
    with pytest.raises(NotFittedError):
        LayerSparsityDisplay.from_estimator(MaskPruner(), ax=ax)
    with pytest.raises(TypeError, match="LogisticRegression has no masks_"):
        LayerSparsityDisplay.from_estimator(LogisticRegression().fit(X, y), ax=ax)
