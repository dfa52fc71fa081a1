"""Smaller forms of a pruned network, straight from the estimator."""

import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.export import load_packed
from sklearn_pb.inspection import ReportDisplay


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:300] / 16).astype(np.float32), y[:300]


@pytest.fixture(scope="module")
def weights(digits):
    return MaskPruner(method="gmp", sparsity=0.9, random_state=0).fit(*digits)


@pytest.fixture(scope="module")
def channels(digits):
    pruner = MaskPruner(
        method="gmp", granularity="channel", sparsity=0.7, random_state=0
    )
    return pruner.fit(*digits)


def outputs(module, X):
    with torch.no_grad():
        return module.eval()(torch.as_tensor(X))


@pytest.mark.parametrize("form", ["sparse", "compact"])
@pytest.mark.parametrize("kind", ["weights", "channels"])
def test_modules_compute_the_same(kind, form, digits, request):
    pruner = request.getfixturevalue(kind)
    exported = pruner.export(form)
    torch.testing.assert_close(
        outputs(exported, digits[0]),
        outputs(pruner.estimator_.module_, digits[0]),
        atol=1e-5,
        rtol=1e-4,
    )
    if (kind, form) == ("channels", "compact"):
        assert exported.hidden.weight.shape == (30, 64)
        assert pruner.estimator_.module_.hidden.weight.shape == (100, 64)


def test_a_packed_file_holds_the_weights(weights, tmp_path):
    path = weights.export("safetensors", tmp_path / "net")
    state = load_packed(path)
    for name, value in weights.estimator_.module_.state_dict().items():
        assert torch.equal(state[name], value)
    assert path.stat().st_size < 7400 * 4 / 4


@pytest.mark.parametrize("kind", ["weights", "channels"])
def test_an_onnx_file_predicts_the_same(kind, digits, tmp_path, request):
    runtime = pytest.importorskip("onnxruntime")
    pruner = request.getfixturevalue(kind)
    path = pruner.export("onnx", tmp_path / "net.onnx")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    (found,) = session.run(None, {name: digits[0][:10]})
    expected = outputs(pruner.estimator_.module_, digits[0][:10])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_report_counts_and_times(channels, weights):
    report = weights.report_
    assert report is weights.report_
    kept = sum(int(mask.sum()) for mask in weights.masks_.values())
    assert report.total.nonzeros == kept + 110  # biases
    assert set(report.networks) == {"dense", "sparse"}
    assert "hidden" in str(report)
    assert channels.report_.networks["compact"].latency is not None
    assert ReportDisplay.from_report(report).bars_ is not None


def test_who_lists_attributes_need_not_wait_for_it(digits):
    pruner = MaskPruner(method="magnitude", sparsity=0.5, random_state=0).fit(*digits)
    assert "fit" in dir(pruner) and "report_" not in dir(pruner)
    pruner._repr_html_()  # scikit-learn shows all fitted attributes
    assert pruner._report is None
    assert pruner.report_.total.weights == 7510
    assert "report_" in dir(pruner)


def test_a_new_fit_makes_a_new_report(digits):
    pruner = MaskPruner(method="magnitude", sparsity=0.5, random_state=0)
    first = pruner.fit(*digits).report_
    second = pruner.set_params(sparsity=0.8).fit(*digits).report_
    assert second.total.nonzeros < first.total.nonzeros


def test_nothing_to_export_before_fit(weights):
    fresh = clone(weights)
    assert not hasattr(fresh, "report_")
    with pytest.raises(NotFittedError):
        fresh.export()


@pytest.mark.parametrize(
    "form, path, message",
    [
        ("zip", None, "format='zip' is unknown; it must be one of compact"),
        ("onnx", None, "path=None must be the name of a file with format='onnx'"),
        ("compact", "here", "path='here' must be None with format='compact'"),
    ],
)
def test_senseless_requests_are_refused(weights, form, path, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        weights.export(form, path)


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_a_folder_that_does_not_exist(weights, form, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_exported_module", None)  # no work is begun
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "none"))):
        weights.export(form, tmp_path / "none" / "net")
    assert not list(tmp_path.iterdir())


def test_the_network_is_left_alone(channels):
    before = {k: v.clone() for k, v in channels.estimator_.module_.state_dict().items()}
    channels.export("compact")
    channels.export("sparse")
    after = channels.estimator_.module_.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert isinstance(channels.estimator_.module_, nn.Module)
