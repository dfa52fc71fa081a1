"""Pictures of quantized networks: what they count, and what they draw."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_pb.inspection import (
    BitsTradeoffDisplay,
    CodeHistogramDisplay,
    LayerBitsDisplay,
)
from sklearn_pb.quantizers import QuantizedTensor


def quantized(codes, bits):
    return QuantizedTensor(
        torch.tensor(codes, dtype=torch.int32),
        torch.tensor(0.5),
        torch.tensor(bits, dtype=torch.uint8),
    )


class Quantizer(BaseEstimator):
    """What the pictures ask of a fitted quantizer, with a score that is its bits."""

    def __init__(self, mean_bits=1.5, file_bits=2.5):
        self.mean_bits = mean_bits
        self.file_bits = file_bits

    def fit(self, X, y):
        self.mean_bits_ = self.mean_bits
        self.sizes_ = SimpleNamespace(file_bits=10 * self.file_bits, weights=10)
        self.quantized_ = {
            # four weights of one channel each: 0, 1, 2 and 2 bits
            "a.weight": quantized([[0], [-2], [3], [-1]], [[0], [1], [2], [2]]),
            # one number of bits for the layer as a whole
            "b.weight": quantized([[1, -1, 3], [3, 3, 1]], 2),
        }
        return self

    def score(self, X, y):
        return self.mean_bits / 10


@pytest.fixture(name="fitted")
def fit_quantizer():
    return Quantizer().fit(None, None)


@pytest.fixture(name="ax")
def make_axes():
    return Figure().subplots()


@pytest.fixture(autouse=True)
def without_windows():
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all") if hasattr(matplotlib, "pyplot") else None


class TestLayerBits:
    def test_bars_are_the_shares_of_each_number_of_bits(self, fitted, ax):
        display = LayerBitsDisplay.from_estimator(fitted, ax=ax)
        assert display.ax_ is ax
        assert list(display.bars_) == [0, 1, 2]
        shares = {p: [bar.get_width() for bar in b] for p, b in display.bars_.items()}
        assert shares == {0: [0.25, 0.0], 1: [0.25, 0.0], 2: [0.5, 1.0]}
        starts = [bar.get_x() for bar in display.bars_[2]]
        assert starts == [0.5, 0.0]
        assert display.mean_bits == {"": {"a.weight": 1.25, "b.weight": 2.0}}
        texts = [text.get_text() for text in ax.texts]
        assert "1.25 bits a weight\n4 weights" in texts
        assert ax.get_title(loc="left") == "1.70 bits a weight, 10 weights"
        display.figure_.draw_without_rendering()

    def test_several_networks_are_lines(self, fitted, ax):
        display = LayerBitsDisplay.from_estimators(
            {"large": fitted, "small": fitted}, ax=ax, linewidth=3
        )
        assert list(display.lines_) == ["large", "small"]
        line = display.lines_["small"][0]
        assert line.get_ydata().tolist() == [1.25, 2.0]
        assert line.get_linewidth() == 3
        names = [label.get_text() for label in ax.get_xticklabels()]
        assert names == ["a.weight", "b.weight"]
        display.figure_.draw_without_rendering()

    def test_the_last_step_of_a_pipeline_is_shown(self, ax):
        X, y = np.eye(3), np.arange(3)
        pipeline = make_pipeline(StandardScaler(), Quantizer()).fit(X, y)
        display = LayerBitsDisplay.from_estimator(pipeline, ax=ax)
        assert display.mean_bits[""]["b.weight"] == 2.0

    def test_what_is_no_fitted_quantizer(self, ax):
        with pytest.raises(NotFittedError):
            LayerBitsDisplay.from_estimator(Quantizer(), ax=ax)
        other = LogisticRegression().fit([[0], [1]], [0, 1])
        with pytest.raises(TypeError, match=r"MixedPrecisionQuantizer.*no quantized_"):
            LayerBitsDisplay.from_estimator(other, ax=ax)


class TestCodes:
    def test_bars_stand_on_each_other_by_bits(self, ax):
        display = CodeHistogramDisplay(counts={0: {0: 2}, 1: {0: 1, 2: 5}}).plot(ax=ax)
        heights = {p: [b.get_height() for b in bar] for p, bar in display.bars_.items()}
        assert heights == {0: [2], 1: [1, 5]}
        assert display.bars_[1][0].get_y() == 2
        assert ax.get_title(loc="left") == "8 weights, 3 of them zero"
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["0 bits", "1 bit"]

    def test_the_largest_layer_or_the_one_that_is_named(self, fitted, ax):
        display = CodeHistogramDisplay.from_estimator(fitted, ax=ax)
        assert display.name == "b.weight"
        assert display.counts == {2: {-1: 1, 1: 2, 3: 3}}
        other = CodeHistogramDisplay.from_estimator(fitted, layer="a.weight", ax=ax)
        assert other.counts == {0: {0: 1}, 1: {-2: 1}, 2: {-1: 1, 3: 1}}
        with pytest.raises(ValueError, match=r"layer='c'.*a.weight, b.weight"):
            CodeHistogramDisplay.from_estimator(fitted, layer="c", ax=ax)

    def test_new_figure_without_axes(self, fitted):
        display = CodeHistogramDisplay.from_estimator(fitted)
        assert display.figure_.axes == [display.ax_]


MASKED = np.ma.masked


class TestTradeoff:
    @pytest.fixture(name="results")
    def make_results(self):
        return {
            "param_q__method": np.array(["smol", "smol", "smol", "dorefa"]),
            "param_q__target_bits": np.ma.array(
                [3.0, 2.0, 2.0, 0], mask=[0, 0, 0, 1], dtype=object
            ),
            "param_q__initial_bits": np.ma.array(
                [0, 0, 0, 4], mask=[1, 1, 1, 0], dtype=object
            ),
            "mean_test_score": np.array([0.97, 0.90, 0.95, 0.96]),
            "std_test_score": np.full(4, 0.01),
            "mean_fit_time": np.ones(4),
        }

    def test_bits_are_those_that_a_candidate_has(self, results, ax):
        display = BitsTradeoffDisplay.from_cv_results(results, ax=ax, float_score=0.98)
        assert display.curves["smol"].bits == [2.0, 3.0]
        assert display.curves["smol"].mean == [0.95, 0.97]
        assert display.curves["dorefa"].bits == [4.0]
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert sorted(names) == ["32 bits (98 %)", "dorefa", "smol"]
        assert list(display.float_line_.get_ydata()) == [0.98, 0.98]
        display.figure_.draw_without_rendering()

    def test_one_parameter_alone(self, results):
        display = BitsTradeoffDisplay.from_cv_results(
            results, param_bits="initial_bits", plot=False
        )
        assert list(display.curves) == ["dorefa"]
        assert not hasattr(display, "ax_")

    def test_no_such_parameter(self, results):
        with pytest.raises(ValueError, match=r"none is among .*param_q__method"):
            BitsTradeoffDisplay.from_cv_results(results, param_bits="bits")

    @pytest.mark.parametrize(
        ("unit", "bits", "name"),
        [
            ("mean", [1.0, 2.0], "Mean bits a weight"),
            ("file", [5.0, 3.0], "Bits of the file a weight"),
        ],
    )
    def test_fitted_quantizers(self, ax, unit, bits, name):
        fitted = [Quantizer(2.0, 3.0), Quantizer(1.0, 5.0)]
        fitted = [each.fit(None, None) for each in fitted]
        display = BitsTradeoffDisplay.from_estimators(
            {"smol": fitted}, None, None, unit=unit, ax=ax
        )
        assert display.curves["smol"].bits == sorted(bits)
        expected = [s for _, s in sorted(zip(bits, [0.1, 0.2], strict=True))]
        assert display.curves["smol"].mean == expected
        assert ax.get_xlabel() == name

    def test_no_such_unit(self):
        with pytest.raises(ValueError, match=r"unit='bytes'.*file, mean"):
            BitsTradeoffDisplay.from_estimators({}, None, None, unit="bytes")
