"""MixedPrecisionQuantizer as a user meets it."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.exceptions import (
    NonFiniteLossError,
    NothingToPruneError,
    PrecisionWarning,
)
from sklearn_pb.inspection import LayerBitsDisplay
from sklearn_pb.quantizers import (
    LSQ,
    METHODS,
    PACT,
    Smol,
    SmolActivations,
    estimate_energy,
)

FIXED = ("dorefa", "lsq", "post-training")


class Regressor(nn.Module):
    """A regressor for any number of columns."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.LazyLinear(30)
        self.output = nn.Linear(30, 1)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


class Dropping(nn.Module):
    """A classifier with batch norm and dropout, for four columns, three classes."""

    def __init__(self, n_hidden=12):
        super().__init__()
        self.hidden = nn.Linear(4, n_hidden)
        self.norm = nn.BatchNorm1d(n_hidden)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(n_hidden, 3)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


def quick_net(module=Dropping, **settings):
    defaults = {
        "criterion": nn.CrossEntropyLoss,
        "max_epochs": 8,
        "batch_size": 32,
        "iterator_train__shuffle": True,
        "lr": 0.02,
        "optimizer": torch.optim.Adam,
        "train_split": None,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **{**defaults, **settings})


def regression_net():
    return NeuralNetRegressor(
        Regressor,
        optimizer=torch.optim.Adam,
        lr=0.02,
        max_epochs=80,
        train_split=None,
        verbose=0,
    )


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "mini-batches are drawn by rows, so a doubled weight and a repeated row "
            "give different batches"
        )
    }


@parametrize_with_checks(
    [MixedPrecisionQuantizer(random_state=0)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        MixedPrecisionQuantizer(
            MaskPruner(method="magnitude", sparsity=0.5), random_state=0
        ),
        MixedPrecisionQuantizer(regression_net(), target_bits=4, random_state=0),
        *(
            MixedPrecisionQuantizer(method=method, initial_bits=3, random_state=0)
            for method in FIXED
        ),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks_of_other_methods(estimator, check):
    check(estimator)


@pytest.fixture(autouse=True)
def seeded_instances():
    """Modules that a test makes itself have the same weights in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def fitted(iris):
    return MixedPrecisionQuantizer(
        quick_net(max_epochs=40), target_bits=2.5, random_state=0
    ).fit(*iris)


def weights_of(quantizer):
    module = quantizer.estimator_.module_
    return {name: module.get_parameter(name) for name in quantizer.quantized_}


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"pact"}))
def test_every_method_leaves_codes_times_steps(iris, method):
    quantizer = MixedPrecisionQuantizer(
        quick_net(), method=method, initial_bits=3, random_state=0
    ).fit(*iris)
    assert list(quantizer.quantized_) == ["hidden.weight", "output.weight"]
    for name, weight in weights_of(quantizer).items():
        assert torch.equal(weight, quantizer.quantized_[name].dequantize())
    if method in FIXED:
        assert quantizer.mean_bits_ == 3
    assert type(quantizer.estimator_.module_) is Dropping
    assert type(quantizer.estimator_) is NeuralNetClassifier
    assert quantizer.predict(iris[0]).shape == (150,)


@pytest.mark.parametrize("granularity", ["parameter", "block", "channel", "layer"])
def test_a_target_of_bits_is_met(iris, granularity):
    # 84 weights: a layer is most of them, and two whole numbers of bits can miss.
    target = 3.0 if granularity == "layer" else 2.5
    quantizer = MixedPrecisionQuantizer(
        quick_net(max_epochs=30),
        granularity=granularity,
        target_bits=target,
        random_state=0,
    ).fit(*iris)
    bits = [q.bits.expand(q.shape).flatten() for q in quantizer.quantized_.values()]
    measured = float(torch.cat(bits).double().mean())
    assert quantizer.mean_bits_ == pytest.approx(measured)
    close = 0.2 if granularity in ("layer", "channel") else 0.02
    assert measured == pytest.approx(target, rel=close)
    assert measured <= target * 1.02


def test_a_target_of_bytes_is_that_of_the_file(tmp_path):
    X, y = load_digits(return_X_y=True)
    quantizer = MixedPrecisionQuantizer(target_bytes=2500, random_state=0)
    quantizer.fit(X[:400] / 16, y[:400]).save(tmp_path / "net.skpb")
    size = (tmp_path / "net.skpb").stat().st_size
    assert size == quantizer.sizes_.file_bytes
    assert size == pytest.approx(2500, rel=0.02)
    assert quantizer.score(X[400:] / 16, y[400:]) > 0.85


def test_a_target_of_bytes_counts_statistics_and_no_earlier_fit(iris):
    """Those of batch norm are all the same at first, and take many bytes later."""
    quantizer = MixedPrecisionQuantizer(
        quick_net(module__n_hidden=64), target_bytes=1900, random_state=0
    )
    first = quantizer.fit(*iris).quantized_
    assert quantizer.sizes_.file_bytes == pytest.approx(1900, rel=0.03)
    again = quantizer.fit(*iris).quantized_
    for name, tensor in first.items():
        assert torch.equal(again[name].codes, tensor.codes)


def test_a_target_that_is_missed_is_told_of(iris):
    pruner = MaskPruner(quick_net(), method="magnitude", sparsity=0.9)
    quantizer = MixedPrecisionQuantizer(pruner, target_bits=3, random_state=0)
    with pytest.warns(PrecisionWarning, match=r"target_bits=3 was missed: it is 1\.5"):
        quantizer.fit(*iris)
    assert max(int(codes.bits.max()) for codes in quantizer.quantized_.values()) == 16


def test_what_is_told_of_the_codes(fitted):
    zeros = total = spent = 0
    for name, quantized in fitted.quantized_.items():
        bits = quantized.bits.expand(quantized.shape).double()
        assert fitted.layer_bits_[name] == pytest.approx(float(bits.mean()))
        zeros += int((quantized.codes == 0).sum())
        spent += float(bits.sum())
        total += quantized.codes.numel()
        assert torch.equal(fitted.masks_[name], quantized.codes != 0)
    assert fitted.sparsity_ == pytest.approx(zeros / total)
    assert fitted.mean_bits_ == pytest.approx(spent / total)
    bits = [q.bits.expand(q.shape) for q in fitted.quantized_.values()]
    assert fitted.energy_ == estimate_energy(bits, [1.0, 1.0])
    assert [row["epoch"] for row in fitted.history_] == list(range(1, 41))
    assert fitted.history_[0]["phase"] == "search"
    assert fitted.history_[-1]["phase"] == "frozen"
    assert fitted.history_[-1]["mean_bits"] == pytest.approx(fitted.mean_bits_)
    assert isinstance(fitted.method_, Smol)


def test_it_learns(fitted, iris):
    assert fitted.score(*iris) > 0.9
    features = fitted.transform(iris[0])
    assert features.shape == (150, 12)
    names = fitted.get_feature_names_out()
    assert names[0] == "mixedprecisionquantizer0"


def test_layers_of_a_convolutional_network_are_counted_by_their_uses():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1, 8, 8)).astype(np.float32)
    y = (X.mean((1, 2, 3)) > 0).astype(int)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)
    )
    quantizer = MixedPrecisionQuantizer(
        quick_net(module, max_epochs=2), method="dorefa", initial_bits=2, random_state=0
    ).fit(X, y)
    # One number of bits everywhere: whatever the uses, power and latency are its own.
    assert quantizer.energy_.power == pytest.approx(2.41)
    assert quantizer.energy_.latency == pytest.approx(1.91)
    assert quantizer._uses == {"0.weight": 36.0, "3.weight": 1.0}


class Rectified(nn.Sequential):
    """A classifier whose activation functions are children of it."""

    def __init__(self):
        super().__init__(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 3))


@pytest.mark.parametrize(
    ("params", "bits"),
    [
        ({"method": "lsq", "activations": "pact"}, 4),
        ({"method": "pact"}, 4),
        ({"method": "smol", "activations": PACT(bits=3)}, 3),
        ({"activations": SmolActivations(target_bits=5, granularity="layer")}, 5),
    ],
)
def test_activations(iris, params, bits):
    quantizer = MixedPrecisionQuantizer(
        quick_net(Rectified, max_epochs=20), random_state=0, **params
    ).fit(*iris)
    assert quantizer.activation_bits_ == {"1": bits}
    seen = []
    layer = quantizer.estimator_.module_[1]
    handle = layer.register_forward_hook(lambda *parts: seen.append(parts[2]))
    quantizer.predict(iris[0])
    handle.remove()
    assert len(torch.cat(seen).unique()) <= 2**bits
    assert quantizer.score(*iris) > 0.8


def test_without_activations_there_are_no_bits_of_them(fitted):
    assert fitted.activation_bits_ == {}


def test_what_is_given_is_not_changed(iris):
    module = Dropping()
    before = copy.deepcopy(module.state_dict())
    MixedPrecisionQuantizer(module, method="lsq", random_state=0).fit(*iris)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_same_seed_same_result_and_global_random_state_untouched(iris):
    X, y = iris
    before = torch.get_rng_state()
    first, second, other = (
        MixedPrecisionQuantizer(quick_net(), target_bits=3, random_state=s).fit(X, y)
        for s in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


def test_grid_search_does_not_depend_on_n_jobs(iris):
    pipe = make_pipeline(
        MinMaxScaler(), MixedPrecisionQuantizer(quick_net(max_epochs=2), random_state=0)
    )
    grid = {
        "mixedprecisionquantizer__method": ["smol", "dorefa"],
        "mixedprecisionquantizer__granularity": ["channel", "layer"],
        "mixedprecisionquantizer__target_bits": [2, 3],
    }

    def scores(n_jobs):
        search = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss", n_jobs=n_jobs)
        return search.fit(*iris).cv_results_["mean_test_score"]

    alone = scores(1)
    assert np.isfinite(alone).all()
    assert np.array_equal(alone, scores(2))


def test_hyperparameters_of_a_method_are_reached(iris):
    search = GridSearchCV(
        MixedPrecisionQuantizer(quick_net(max_epochs=2), method=LSQ(), random_state=0),
        {"method__bits": [2, 4]},
        cv=2,
    ).fit(*iris)
    assert search.best_estimator_.mean_bits_ == search.best_params_["method__bits"]


def test_regressor():
    X, y = make_regression(n_samples=150, n_features=5, random_state=0)
    y = (y - y.mean()) / y.std()
    quantizer = MixedPrecisionQuantizer(regression_net(), target_bits=4, random_state=0)
    quantizer.fit(X, y)
    assert quantizer.predict(X).shape == y.shape
    assert quantizer.score(X, y) > 0.9
    assert not hasattr(quantizer, "predict_proba")


def test_a_target_in_memory_that_is_read_only():
    X, y = make_regression(40, 3, random_state=0)
    column = pd.Series(y.astype(np.float32))  # its array may not be written to
    net = regression_net().set_params(max_epochs=1)
    quantizer = MixedPrecisionQuantizer(net, method="lsq", random_state=0)
    quantizer.fit(X, column)
    assert np.array_equal(column, y.astype(np.float32))


def test_labels_and_frames(iris):
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    y = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
    quantizer = MixedPrecisionQuantizer(
        quick_net(max_epochs=20), method="lsq", initial_bits=4, random_state=0
    )
    out = quantizer.set_output(transform="pandas").fit(X, y).transform(X)
    assert isinstance(out, pd.DataFrame)
    assert quantizer.score(X, y) > 0.9
    assert list(quantizer.feature_names_in_) == list("abcd")


def test_copies_predict_alike(fitted, iris):
    X = iris[0]
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert np.array_equal(other.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)
    assert "MixedPrecisionQuantizer" in fitted._repr_html_()


def test_zero_weight_rows_have_no_say():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] > 0).astype(int)
    wrong = np.arange(200) % 2 == 0
    quantizer = MixedPrecisionQuantizer(method="lsq", initial_bits=4, random_state=0)
    quantizer.fit(X, np.where(wrong, 1 - y, y), sample_weight=np.where(wrong, 0.0, 1.0))
    assert quantizer.score(X, y) > 0.9


def test_only_what_is_included_is_quantized(iris):
    quantizer = MixedPrecisionQuantizer(
        quick_net(), method="lsq", initial_bits=2, exclude="output", random_state=0
    ).fit(*iris)
    assert list(quantizer.quantized_) == ["hidden.weight"]
    output = quantizer.estimator_.module_.output.weight
    assert len(output.unique()) == output.numel()
    with pytest.raises(NothingToPruneError):
        MixedPrecisionQuantizer(quick_net(), include="nothing").fit(*iris)


@pytest.mark.parametrize("kind", [tuple, np.array])
def test_widths_of_hardware(iris, kind):
    quantizer = MixedPrecisionQuantizer(
        quick_net(), target_bits=3, widths=kind([1, 2, 4, 8]), random_state=0
    ).fit(*iris)
    for quantized in quantizer.quantized_.values():
        assert set(quantized.bits.unique().tolist()) <= {0, 1, 2, 4, 8}


def test_an_interrupted_run_goes_on_bit_for_bit(iris, tmp_path):
    def quantizer(**changes):
        return MixedPrecisionQuantizer(
            quick_net(), target_bits=3, random_state=0, **changes
        )

    class Killed(Exception):
        pass

    def kill(record):
        if record["epoch"] == 5:
            raise Killed

    whole = quantizer().fit(*iris)
    file = {"checkpoint": tmp_path / "run", "checkpoint_every": 0}
    with pytest.raises(Killed):
        quantizer(callback=kill, **file).fit(*iris)
    again = quantizer(**file).fit(*iris)
    assert np.array_equal(again.predict_proba(iris[0]), whole.predict_proba(iris[0]))
    assert again.mean_bits_ == whole.mean_bits_
    with pytest.raises(ValueError, match="target_bits"):
        quantizer(**file).set_params(target_bits=2).fit(*iris)


def test_progress_and_a_wish_to_stop(iris, capsys):
    def stop(record):
        if record["epoch"] == 3:
            raise StopIteration

    quantizer = MixedPrecisionQuantizer(
        quick_net(), target_bits=3, callback=stop, verbose=1, random_state=0
    ).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("[MixedPrecisionQuantizer] epoch 1/8, search: ")
    assert "towards 3" in lines[0]
    assert len(quantizer.history_) == 3
    for name, weight in weights_of(quantizer).items():
        assert torch.equal(weight, quantizer.quantized_[name].dequantize())


def test_a_loss_that_is_not_finite(iris):
    X, y = iris
    quantizer = MixedPrecisionQuantizer(quick_net(lr=1e30), random_state=0)
    with pytest.raises(NonFiniteLossError):
        quantizer.fit(np.where(np.arange(150)[:, None] == 7, 1e38, X), y)
    assert quantizer.predict(X).shape == (150,)


def test_it_can_be_drawn(fitted):
    from matplotlib.figure import Figure

    display = LayerBitsDisplay.from_estimator(fitted, ax=Figure().subplots())
    assert display.mean_bits[""] == pytest.approx(fitted.layer_bits_)


class TestErrors:
    """Each comes before training, and names parameter, value and what is allowed."""

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"method": "magik"}, r"method='magik' is unknown.*dorefa.*smol"),
            ({"method": 3}, r"'method' parameter"),
            ({"granularity": "row"}, r"'granularity' parameter.*channel"),
            ({"target_bits": 2, "target_bytes": 500}, r"target_bits=2 and target_byt"),
            ({"target_bits": -1}, r"'target_bits' parameter"),
            ({"target_bytes": 99}, r"target_bytes=99 is too little.*\d+ bytes"),
            ({"target_bits": 40}, r"target_bits=40 .*between 0 and 16"),
            (
                {"target_bits": 0.5, "zero_precision": False},
                r"target_bits=0.5 .*between 1 and 16",
            ),
            ({"target_bits": 5, "widths": [1, 2, 4]}, r"between 0 and 4"),
            ({"widths": [4, 2]}, r"widths=\[4, 2\] must be"),
            ({"widths": [0, 2]}, r"widths=0"),
            ({"widths": []}, r"widths=\[\] must be"),
            ({"initial_bits": 1}, r"initial_bits=1 must be a number in \(1"),
            ({"rounding": "up"}, r"'rounding' parameter.*ceil"),
            ({"scale": "row"}, r"'scale' parameter.*channel"),
            ({"finetune": 1.0}, r"'finetune' parameter"),
            ({"penalty": -1}, r"'penalty' parameter"),
            ({"method": "lsq", "target_bits": 2.5}, r"target_bits=2.5 must be a whole"),
            ({"method": "lsq", "initial_bits": 2.5}, r"initial_bits=2.5 must be"),
            ({"method": "lsq", "target_bytes": 99}, r"target in bytes needs a method"),
            ({"method": "dorefa", "penalty": 0.1}, r"penalty=0.1 has no effect"),
            ({"method": "lsq", "widths": [1, 2, 4]}, r"bits=8.*widths"),
            (
                {"target_energy": 3, "widths": [4, 8], "zero_precision": False},
                r"target of 3 energy cannot be met: with 4 bits",
            ),
            ({"activations": "gelu"}, r"activations='gelu' is unknown.*pact"),
            ({"activations": "pact"}, r"functions such as torch.relu cannot"),
            ({"device": "gpu"}, r"device='gpu' is unknown"),
            ({"checkpoint_every": "day"}, r"'checkpoint_every' parameter"),
        ],
    )
    def test_settings(self, iris, params, message):
        quantizer = MixedPrecisionQuantizer(quick_net(), **params)
        with pytest.raises(ValueError, match=message):
            quantizer.fit(*iris)
        assert not hasattr(quantizer, "estimator_")

    def test_an_estimator_that_is_none(self, iris):
        with pytest.raises(TypeError, match="skorch net"):
            MixedPrecisionQuantizer(3).fit(*iris)

    def test_a_width_that_is_no_integer(self, iris):
        with pytest.raises(TypeError, match=r"widths=2.5 must be an integer"):
            MixedPrecisionQuantizer(widths=[1, 2.5]).fit(*iris)

    def test_data(self, iris):
        X, y = iris
        with pytest.raises(ValueError, match="only one class"):
            MixedPrecisionQuantizer().fit(X, np.zeros(150))
        with pytest.raises(ValueError, match="NaN"):
            MixedPrecisionQuantizer().fit(np.full_like(X, np.nan), y)
