"""What is saved predicts bit for bit when it is loaded, and reading it runs no code."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.exceptions import ExportError, PrecisionWarning
from sklearn_pb.export import load_quantized, save_quantized
from sklearn_pb.quantizers import estimate_energy


class Normed(nn.Module):
    """A classifier with statistics of its own, for four columns, three classes."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden = nn.Linear(4, 10)
        self.norm = nn.BatchNorm1d(10)
        self.output = nn.Linear(10, n_outputs)

    def forward(self, X):
        return self.output(torch.relu(self.norm(self.hidden(X))))


class Lazy(nn.Module):
    """A regressor whose first layer is sized by its first input."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.LazyLinear(8)
        self.output = nn.Linear(8, 1)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


def make_net(kind=NeuralNetClassifier, module=Normed, **settings):
    if kind is NeuralNetClassifier:
        settings["criterion"] = nn.CrossEntropyLoss
    return kind(module, max_epochs=3, train_split=None, verbose=0, **settings)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(name="path")
def make_path(tmp_path):
    return tmp_path / "network.skpb"


@pytest.fixture(scope="module")
def quantizer(iris):
    return MixedPrecisionQuantizer(
        make_net(), method="smol", target_bits=3, random_state=0
    ).fit(*iris)


def assert_same(loaded, saved, X):
    assert np.array_equal(loaded.predict(X), saved.predict(X))
    assert loaded.predict(X).dtype == saved.predict(X).dtype
    assert np.array_equal(loaded.transform(X), saved.transform(X))
    if hasattr(saved, "classes_"):
        assert np.array_equal(loaded.predict_proba(X), saved.predict_proba(X))
    for name, quantized in saved.quantized_.items():
        assert torch.equal(loaded.quantized_[name].codes, quantized.codes)
        assert torch.equal(loaded.quantized_[name].step, quantized.step)
    for name in ("mean_bits_", "layer_bits_", "sparsity_", "energy_"):
        assert getattr(loaded, name) == getattr(saved, name)


@pytest.mark.parametrize("kind", ["int64", "uint8", "float64", "<U7", "object", "bool"])
def test_labels_of_every_kind(iris, path, kind):
    X, y = iris
    labels = np.array(["a", "é", "1"])[y] if kind in ("<U7", "object") else y + 5
    labels = (labels > 5 if kind == "bool" else labels).astype(kind)
    saved = MixedPrecisionQuantizer(method="dorefa", initial_bits=2, random_state=0)
    saved.set_params(estimator=None).fit(X[::5], labels[::5])
    saved.save(path)
    loaded = MixedPrecisionQuantizer.load(path)
    assert loaded.classes_.dtype == saved.classes_.dtype
    assert_same(loaded, saved, X)


@pytest.mark.parametrize("as_what", ["net", "class", "instance", "chain"])
def test_a_network_of_ones_own_is_given_again(quantizer, iris, path, as_what):
    quantizer.save(path)
    network = {
        "net": make_net(),
        "class": Normed,
        "instance": Normed(),
        "chain": MaskPruner(make_net()),
    }[as_what]
    loaded = MixedPrecisionQuantizer.load(path, estimator=network)
    assert_same(loaded, quantizer, iris[0])
    assert loaded.score(*iris) == quantizer.score(*iris)
    assert loaded.target_bits == 3
    assert loaded.history_ == []


def test_columns_keep_their_names(path, iris):
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    saved = MixedPrecisionQuantizer(make_net(), method="lsq", random_state=0)
    saved.fit(X, iris[1]).save(path)
    loaded = MixedPrecisionQuantizer.load(path, make_net())
    assert_same(loaded, saved, X)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X.rename(columns={"a": "z"}))


def test_regressor(path, iris):
    X, y = iris
    net = make_net(NeuralNetRegressor, Lazy)
    saved = MixedPrecisionQuantizer(net, method="lsq", random_state=0).fit(X, y * 1.5)
    saved.save(path)
    loaded = MixedPrecisionQuantizer.load(path, net)
    assert_same(loaded, saved, X)
    assert not hasattr(loaded, "predict_proba")
    with pytest.raises(ValueError, match="must be a regressor"):
        MixedPrecisionQuantizer.load(path, make_net())


def test_binary_net(path, iris):
    X, y = iris
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
    net = make_net(NeuralNetBinaryClassifier, module)
    saved = MixedPrecisionQuantizer(net, method="dorefa", random_state=0)
    saved.fit(X, np.where(y == 1, "yes", "no")).save(path)
    assert_same(MixedPrecisionQuantizer.load(path, net), saved, X)


@pytest.mark.parametrize("activations", ["pact", "smol"])
def test_activations(path, iris, activations):
    saved = MixedPrecisionQuantizer(
        method="lsq", activations=activations, random_state=0
    ).fit(*iris)
    saved.save(path)
    loaded = MixedPrecisionQuantizer.load(path)
    assert_same(loaded, saved, iris[0])
    assert loaded.activation_bits_ == saved.activation_bits_ != {}


def test_tokens(path):
    X = np.random.default_rng(0).integers(0, 20, size=(60, 5))
    y = (X == 3).any(1).astype(int)
    module = nn.Sequential(nn.Embedding(20, 6), nn.Flatten(), nn.Linear(30, 2))
    net = make_net(module=module)
    saved = MixedPrecisionQuantizer(net, method="lsq", random_state=0).fit(X, y)
    saved.save(path)
    assert_same(MixedPrecisionQuantizer.load(path, net), saved, X)


def test_a_default_network_needs_nothing_in_a_fresh_process(path, iris, tmp_path):
    X, y = iris
    saved = MixedPrecisionQuantizer(
        MaskPruner(sparsity=0.5), method="lsq", initial_bits=2, random_state=0
    ).fit(X, y)
    saved.save(path)
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy; from sklearn_pb import MixedPrecisionQuantizer as M; "
        "import pickle; pickle.loads = pickle.load = None; "
        "X = numpy.load(sys.argv[2]); "
        "numpy.save(sys.argv[2], M.load(sys.argv[1]).predict_proba(X))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(path), str(tmp_path / "X.npy")], check=True
    )
    assert np.array_equal(np.load(tmp_path / "X.npy"), saved.predict_proba(X))


def test_sizes_are_those_of_the_file(path, iris, quantizer):
    quantizer.save(path)
    sizes = quantizer.sizes_
    assert quantizer.sizes_ is sizes
    assert sizes.file_bytes == os.path.getsize(path)
    assert sizes.mean_bits == pytest.approx(quantizer.mean_bits_)
    assert sizes.sparsity == pytest.approx(quantizer.sparsity_)
    loaded = MixedPrecisionQuantizer.load(path, make_net())
    assert loaded.sizes_.file_bytes == sizes.file_bytes


def test_sizes_are_not_made_by_looking(iris):
    quantizer = MixedPrecisionQuantizer(make_net(), method="lsq").fit(*iris)
    assert "sizes_" not in dir(quantizer)
    quantizer.sizes_  # noqa: B018 (it is made now)
    assert "sizes_" in dir(quantizer)


def test_how_a_run_was_watched_is_not_in_it(path, iris, capsys):
    """Else a target of bytes would depend on it, and a run with it."""

    def saved(**watching):
        quantizer = MixedPrecisionQuantizer(
            make_net(), target_bytes=700, random_state=0, **watching
        ).fit(*iris)
        quantizer.save(path)
        return path.read_bytes()

    assert saved(verbose=1, checkpoint_every=7.5) == saved()
    assert MixedPrecisionQuantizer.load(path, make_net()).verbose == 0


def test_the_sign_that_bsq_does_not_count_takes_energy(path, iris):
    quantizer = MixedPrecisionQuantizer(
        make_net(), method="bsq", target_energy=12, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)  # two layers are few
        quantizer.fit(*iris)
    tensors = quantizer.quantized_.values()
    signed = [tensor.bits + (tensor.bits > 0) for tensor in tensors]
    weights = [float(tensor.codes.numel()) for tensor in tensors]
    expected = estimate_energy(signed, weights).energy
    assert quantizer.energy_.energy == pytest.approx(expected)
    assert 1 < expected <= 12
    quantizer.save(path)
    loaded = MixedPrecisionQuantizer.load(path, make_net())
    assert loaded.energy_.energy == pytest.approx(quantizer.energy_.energy)


def test_what_only_a_pickle_could_hold_is_left_at_its_default(path, iris):
    from sklearn_pb.quantizers import LSQ

    saved = MixedPrecisionQuantizer(
        make_net(), method=LSQ(bits=3), widths=np.array([2, 3]), random_state=0
    ).fit(*iris)
    saved.save(path)
    loaded = MixedPrecisionQuantizer.load(path, make_net())
    assert loaded.method == "smol"
    assert loaded.widths == [2, 3]
    assert_same(loaded, saved, iris[0])


class TestErrors:
    def test_not_fitted(self, path):
        with pytest.raises(NotFittedError):
            MixedPrecisionQuantizer().save(path)
        assert not path.exists()

    def test_no_network(self, quantizer, path):
        quantizer.save(path)
        with pytest.raises(ValueError, match=r"estimator=None.*a Normed"):
            MixedPrecisionQuantizer.load(path)

    def test_another_network(self, quantizer, path):
        quantizer.save(path)
        with pytest.raises(ValueError, match="do not fit Normed"):
            MixedPrecisionQuantizer.load(path, make_net(module__n_outputs=5))
        with pytest.raises(TypeError, match="skorch net"):
            MixedPrecisionQuantizer.load(path, 3)

    def test_a_network_without_an_estimator(self, quantizer, path):
        module = quantizer.estimator_.module_
        save_quantized(path, module, quantizer.quantized_)
        assert load_quantized(path).extra == {}
        with pytest.raises(ExportError, match="no MixedPrecisionQuantizer"):
            MixedPrecisionQuantizer.load(path, make_net())

    @pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
    def test_damage(self, quantizer, path, damage):
        quantizer.save(path)
        contents = bytearray(path.read_bytes())
        if damage == "bit":
            contents[len(contents) // 2] ^= 4
        path.write_bytes({"cut": contents[:-7], "bit": contents, "empty": b""}[damage])
        with pytest.raises(ExportError):
            MixedPrecisionQuantizer.load(path, make_net())

    def test_no_file(self, path):
        with pytest.raises(FileNotFoundError):
            MixedPrecisionQuantizer.load(path)

    def test_labels_that_would_need_a_pickle(self, quantizer, path, iris):
        import copy

        odd = copy.deepcopy(quantizer)
        odd.classes_ = np.array([0, "a", None], dtype=object)
        with pytest.raises(TypeError, match="labels"):
            odd.save(path)
        assert not path.exists()


class TestExport:
    def test_onnx_runs_to_the_same(self, quantizer, iris, tmp_path):
        pytest.importorskip("onnxruntime")
        from sklearn_pb.export import onnx_session

        path = tmp_path / "network.onnx"
        assert quantizer.export("onnx", path) == path
        session = onnx_session(path)
        X = iris[0].astype(np.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: X})
        with torch.no_grad():
            expected = quantizer.estimator_.module_.eval()(torch.from_numpy(X))
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_onnx_of_what_was_loaded(self, quantizer, iris, path, tmp_path):
        pytest.importorskip("onnxruntime")
        quantizer.save(path)
        loaded = MixedPrecisionQuantizer.load(path, make_net())
        files = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
        for each, file in zip((quantizer, loaded), files, strict=True):
            each.export("onnx", file)
        assert files[0].read_bytes() == files[1].read_bytes()

    def test_other_formats_and_the_report(self, quantizer, tmp_path):
        pytest.importorskip("safetensors")
        quantizer.export("safetensors", tmp_path / "network")
        assert quantizer.export("sparse") is not None
        assert quantizer.report_.total.weights > 0
        with pytest.raises(ValueError, match="format"):
            quantizer.export("zip")
