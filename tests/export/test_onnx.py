"""ONNX files, run by onnxruntime beside the networks."""

import logging
import sys

import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import sparsify, to_onnx

onnxruntime = pytest.importorskip("onnxruntime")

QUICK = ["lenet-300-100", "small-conv", "mobilenet-v2", "unet", "lstm", "transformer"]


def run_file(path, *inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    feed = {name: x.numpy() for name, x in zip(names, inputs, strict=True)}
    return [torch.from_numpy(output) for output in session.run(None, feed)]


@pytest.mark.parametrize("name", QUICK)
def test_outputs_agree_for_any_batch(name, tmp_path):
    module, inputs = ARCHITECTURES[name]()
    assert to_onnx(module, inputs, tmp_path / "net.onnx") < 1e-5
    more = [torch.cat([x, x, x]) for x in inputs]
    with torch.no_grad():
        wanted = module(*more)
    (output,) = run_file(tmp_path / "net.onnx", *more)
    torch.testing.assert_close(output, wanted, atol=1e-5, rtol=0)


class TwoInputs(nn.Module):
    """A network of two inputs and nested outputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, y):
        return {"sum": self.layer(x) + y, "rest": (x * y,)}


def test_several_inputs_and_outputs(tmp_path):
    module, inputs = TwoInputs(), (torch.ones(2, 4), torch.full((2, 4), 2.0))
    assert to_onnx(module, inputs, tmp_path / "net.onnx") < 1e-6
    first, second = run_file(tmp_path / "net.onnx", *inputs)
    torch.testing.assert_close(first, module(*inputs)["sum"].detach())
    assert second.tolist() == [[2.0] * 4] * 2


def test_a_fixed_batch_and_an_opset(tmp_path):
    path = tmp_path / "net.onnx"
    to_onnx(nn.Linear(4, 2), torch.ones(3, 4), path, dynamic_batch=False, opset=17)
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    assert model.opset_import[0].version == 17
    (given,) = model.graph.input
    sizes = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
    assert sizes == [3, 4]


def test_the_network_is_left_as_it_was(tmp_path):
    module = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    module[0].weight.requires_grad_(False)
    level = logging.root.manager.disable
    to_onnx(module, torch.ones(3, 4), tmp_path / "net.onnx")
    assert module.training and not module[0].weight.requires_grad
    assert logging.root.manager.disable == level


class Doubles(nn.Module):
    """Its traced length is not that of another batch."""

    def forward(self, x):
        return x + torch.arange(len(x))[:, None]


def test_a_file_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / "net.onnx"
    with pytest.raises(ExportError, match=r"Doubles cannot .*dynamic_batch=False"):
        to_onnx(Doubles(), torch.ones(3, 4), path)
    assert to_onnx(Doubles(), torch.ones(3, 4), path, dynamic_batch=False) == 0.0


class Transposes(nn.Module):
    """The tracing exporter does not know this property."""

    def forward(self, x):
        return x.mT


def test_failures_are_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ExportError, match=r"trace: .*'aten::mT'.*; capture: onnxscript"
    ):
        to_onnx(Transposes(), torch.ones(2, 3, 4), tmp_path / "net.onnx")


def test_sparse_layers_are_refused(tmp_path):
    x = torch.ones(3, 4)
    sparse = sparsify(nn.Linear(4, 2), x, layout="csr")
    with pytest.raises(ExportError, match="has sparse layers"):
        to_onnx(sparse, x, tmp_path / "net.onnx")


def test_without_onnxruntime_nothing_is_compared(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path = tmp_path / "net.onnx"
    assert to_onnx(nn.Linear(4, 2), torch.ones(3, 4), path) is None
    assert path.exists()


@pytest.mark.parametrize(
    "inputs, options, error, message",
    [
        ({"x": torch.ones(3, 4)}, {}, TypeError, "a tuple of tensors"),
        ((torch.ones(3, 4), 1), {}, TypeError, "a tuple of tensors"),
        (torch.ones(3, 4), {"opset": 0}, ValueError, "opset=0"),
    ],
)
def test_bad_parameters(inputs, options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        to_onnx(nn.Linear(4, 2), inputs, tmp_path / "net.onnx", **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ARCHITECTURES} - {*QUICK, "vit"}))
def test_all_architectures(name, tmp_path):
    module, inputs = ARCHITECTURES[name]()
    assert to_onnx(module, inputs, tmp_path / "net.onnx") < 1e-5


def test_a_batch_that_the_code_fixes(tmp_path):
    """This transformer writes the length of the batch into its graph."""
    module, inputs = ARCHITECTURES["vit"]()
    path = tmp_path / "net.onnx"
    assert to_onnx(module, inputs, path, dynamic_batch=False) < 1e-5
