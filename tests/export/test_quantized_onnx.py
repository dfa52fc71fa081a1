"""ONNX files with integer weights, read and run beside the networks."""

import os
import sys

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import (
    QuantizedOnnx,
    onnx_session,
    onnx_weight_bytes,
    to_onnx,
    to_quantized_onnx,
)
from sklearn_pb.export._onnx_integers import TYPES, dequantized, runs_int2
from sklearn_pb.quantizers import QuantizedTensor, smol_codes, zero_precision

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

INT2 = "INT2" if runs_int2() else "INT4"


@pytest.fixture(autouse=True)
def seeded():
    """Layers draw their weights from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def quantize(weight, bits, axis=None):
    """Codes of SMOL with at most so many bits; steps along an axis if one is given."""
    magnitudes = weight.detach().abs()
    scale = magnitudes.max()
    if axis is not None:
        others = [i for i in range(weight.ndim) if i != axis]
        scale = magnitudes.amax(others, keepdim=True)
    scale = scale / 2 + 1e-6
    inside = weight.detach() / scale
    each = zero_precision(inside, torch.tensor(bits, dtype=torch.uint8))
    return QuantizedTensor(
        smol_codes(inside, each, bits), scale * 2.0 ** (1 - bits), each
    )


def quantize_module(module, bits=(1, 3, 7), axis=0):
    """Quantize all parameters of two axes or more, with the bits in turn."""
    quantized = {}
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            p = bits[len(quantized) % len(bits)]
            quantized[name] = quantize(parameter, p, axis)
            parameter.data = quantized[name].dequantize()
    return quantized


def largest_error(module, path, *inputs):
    """Largest difference of the outputs on three times the inputs."""
    more = [torch.cat([x, x, x]) for x in inputs]
    with torch.no_grad():
        wanted = module.eval()(*more)
    feed = {f"input_{i}": x.numpy() for i, x in enumerate(more)}
    (got,) = onnx_session(path).run(None, feed)
    return float((torch.from_numpy(got) - wanted).abs().max())


def linear():
    return nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 5)), (3, 40)


def linear_on_sequences():
    return nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 5)), (3, 7, 40)


def convolution():
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, 2)]
    return nn.Sequential(*layers), (2, 3, 9, 9)


def depthwise():
    layers = [nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.Conv2d(8, 12, 1)]
    return nn.Sequential(*layers), (2, 8, 6, 6)


def transposed():
    layers = [nn.ConvTranspose2d(8, 6, 3, 2), nn.ConvTranspose2d(6, 4, 2, groups=2)]
    return nn.Sequential(*layers), (2, 8, 5, 5)


def build(make):
    """A network whose batch norms have seen its inputs."""
    module, size = make()
    inputs = torch.randn(size)
    module(inputs)
    return module.eval(), inputs


MAKERS = [linear, linear_on_sequences, convolution, depthwise, transposed]


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("make", MAKERS)
def test_layers(make, axis, tmp_path):
    module, inputs = build(make)
    quantized = quantize_module(module, axis=axis)
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert written.max_error < 1e-5
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5
    assert list(written.types.values()) == [INT2, "INT4"]


@pytest.mark.parametrize("name", ["lstm", "gru", "transformer", "mobilenet-v2", "unet"])
def test_networks(name, tmp_path):
    module, inputs = ARCHITECTURES[name]()
    quantized = quantize_module(module)
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert largest_error(module, tmp_path / "net.onnx", *inputs) < 1e-5
    assert written.types.keys() == quantized.keys()
    assert set(written.types.values()) == {INT2, "INT4", "INT8"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*ARCHITECTURES} - {"vit"}))
def test_all_architectures(name, tmp_path):
    module, inputs = ARCHITECTURES[name]()
    quantized = quantize_module(module)
    to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert largest_error(module, tmp_path / "net.onnx", *inputs) < 1e-5


@pytest.mark.parametrize(
    "bits, name, opset",
    [(1, INT2, None), (3, "INT4", 21), (7, "INT8", None), (8, "INT16", 21)],
)
def test_the_narrowest_type(bits, name, opset, tmp_path):
    module, inputs = build(linear)
    quantized = quantize_module(module, (bits,))
    path = tmp_path / "net.onnx"
    written = to_quantized_onnx(module, quantized, inputs, path)
    assert set(written.types.values()) == {name}
    assert opset in (None, written.opset)
    kinds = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    for parameter, weight in quantized.items():
        codes = kinds[f"{parameter}_codes"]
        assert codes.data_type == getattr(onnx.TensorProto, name)
        found = onnx.numpy_helper.to_array(codes).astype(np.int32)
        assert np.array_equal(found, weight.codes.numpy())
        step = onnx.numpy_helper.to_array(kinds[f"{parameter}_step"])
        assert np.array_equal(step, weight.step.flatten().numpy())
        assert parameter not in kinds


def test_codes_of_more_than_16_bits_stay_floats(tmp_path):
    module, inputs = build(linear)
    quantized = quantize_module(module, (16, 3))
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert written.types == {"0.weight": "FLOAT", "2.weight": "INT4"}
    assert written.weight_bytes == 4 * 1200 + 75 + 4 * 5
    assert written.weight_bytes == onnx_weight_bytes(quantized)
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5


@pytest.mark.parametrize("kind", TYPES, ids=[kind.name for kind in TYPES])
@pytest.mark.parametrize("size", [1, 3, 4, 7, 64])
def test_packing_is_that_of_onnx(kind, size):
    if not hasattr(onnx.TensorProto, kind.name):
        pytest.skip("this onnx has no such type")
    end = 2 ** (kind.bits - 1)
    generator = torch.Generator().manual_seed(size)
    codes = torch.randint(-end, end, (size,), generator=generator, dtype=torch.int32)
    weight = QuantizedTensor(codes, torch.tensor(0.5), torch.tensor(1).to(torch.uint8))
    tensor, _, _ = dequantized("w", weight, kind)
    assert len(tensor.raw_data) == -(-size * kind.bits // 8)
    assert onnx.numpy_helper.to_array(tensor).astype(int).tolist() == codes.tolist()
    assert kind.holds(-end, end - 1)
    assert not kind.holds(-end - 1, 0) and not kind.holds(0, end)


def test_sizes_are_those_of_the_file(tmp_path):
    module = nn.Linear(300, 200)
    quantized = quantize_module(module, (1,), axis=None)
    path, inputs = tmp_path / "net.onnx", torch.randn(2, 300)
    written = to_quantized_onnx(module, quantized, inputs, path)
    assert written.float_weight_bytes == 4 * 60000
    assert written.weight_bytes == (15000 if INT2 == "INT2" else 30000) + 4
    assert written.weight_bytes == onnx_weight_bytes(quantized)
    assert written.file_bytes == path.stat().st_size
    assert written.compression == written.float_file_bytes / written.file_bytes
    assert written.compression > (14.5 if INT2 == "INT2" else 7.6)
    to_onnx(module, inputs, path)  # what is claimed is no more than what is gained
    assert written.float_file_bytes <= path.stat().st_size + 200


def test_without_int2_there_is_int4(tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_pb.export._onnx_integers.runs_int2", bool)
    module, inputs = build(linear)
    quantized = quantize_module(module, (1,))
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert set(written.types.values()) == {"INT4"} and written.opset == 21
    assert written.weight_bytes == onnx_weight_bytes(quantized)
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5


def test_int2_needs_a_runtime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert runs_int2.__wrapped__() is False


def test_without_onnxruntime_nothing_is_compared(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    module, inputs = build(linear)
    path = tmp_path / "net.onnx"
    written = to_quantized_onnx(module, quantize_module(module), inputs, path)
    assert written.max_error is None and path.exists()
    with pytest.raises(ImportError, match="needs the package onnxruntime"):
        onnx_session(path)


def test_without_onnx_there_is_no_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    module, inputs = build(linear)
    with pytest.raises(ImportError, match="needs the package onnx"):
        to_quantized_onnx(module, {}, inputs, tmp_path / "net.onnx")


def test_products_that_onnxruntime_would_round(tmp_path):
    # Eight bits, a product of a sequence, recent operators: its defaults join these.
    module = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64))
    quantized = quantize_module(module, (7, 3), axis=None)
    inputs = torch.randn(3, 5, 128)
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert written.opset >= 21
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5


class Shared(nn.Module):
    """One weight under two names, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.decoder = nn.Linear(8, 12, bias=False)
        self.decoder.weight = self.embedding.weight
        self.idle = nn.Linear(3, 3)

    def forward(self, x):
        return self.decoder(self.embedding(x))


@pytest.mark.parametrize("name", ["embedding.weight", "decoder.weight"])
def test_a_tied_weight_goes_by_any_name(name, tmp_path):
    module, inputs = Shared(), torch.arange(12).view(2, 6)
    quantized = {name: quantize(module.embedding.weight, 3)}
    quantized["idle.weight"] = quantize(module.idle.weight, 1)
    module.embedding.weight.data = quantized[name].dequantize()
    module.idle.weight.data = quantized["idle.weight"].dequantize()
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert written.types == {name: "INT4"}
    assert (written.weight_bytes, written.float_weight_bytes) == (52, 384)
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5


def test_equal_weights_are_stored_once(tmp_path):
    first = nn.Linear(8, 8, bias=False)
    second = nn.Linear(8, 8, bias=False)
    second.weight.data = first.weight.data.clone()
    module = nn.Sequential(first, nn.ReLU(), second)
    quantized = quantize_module(module, (7,), axis=None)
    inputs = torch.randn(2, 8)
    written = to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert written.types == {"0.weight": "INT8", "2.weight": "INT8"}
    assert written.weight_bytes == 68
    assert largest_error(module, tmp_path / "net.onnx", inputs) < 1e-5


def test_the_network_is_left_as_it_was(tmp_path):
    module, inputs = build(convolution)
    quantized = quantize_module(module.train())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    to_quantized_onnx(module, quantized, inputs, tmp_path / "net.onnx")
    assert module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name])


class Doubles(nn.Module):
    """Its traced length is not that of another batch."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) + torch.arange(len(x))[:, None]


def test_nothing_is_left_of_a_file_that_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    module, path = Doubles(), tmp_path / "net.onnx"
    quantized = quantize_module(module)
    with pytest.raises(ExportError, match="Doubles cannot"):
        to_quantized_onnx(module, quantized, torch.ones(3, 4), path)
    assert os.listdir(tmp_path) == []
    inputs = torch.ones(3, 4)
    assert isinstance(
        to_quantized_onnx(module, quantized, inputs, path, dynamic_batch=False),
        QuantizedOnnx,
    )


def test_errors_name_what_is_wrong(tmp_path):
    module, inputs = build(linear)
    quantized, path = quantize_module(module), tmp_path / "net.onnx"
    with pytest.raises(ValueError, match="'w', which is no parameter"):
        to_quantized_onnx(module, {"w": quantized["0.weight"]}, inputs, path)
    with pytest.raises(FileNotFoundError, match="a folder that does not exist"):
        to_quantized_onnx(module, quantized, inputs, tmp_path / "none" / "net.onnx")
    module[2].weight.data[0, 0] += 1.0
    with pytest.raises(ValueError, match=r"'2\.weight' of module must have the values"):
        to_quantized_onnx(module, quantized, inputs, path)
    both = torch.rand(30, 40) + 0.5
    weight = QuantizedTensor(
        quantized["0.weight"].codes, both, quantized["0.weight"].bits
    )
    module[0].weight.data = weight.dequantize()
    with pytest.raises(ExportError, match=r"steps of '0\.weight'.* several axes"):
        to_quantized_onnx(module, {"0.weight": weight}, inputs, path)
    module.double()
    with pytest.raises(ExportError, match=r"'0\.weight'.* torch\.float64.*float32"):
        to_quantized_onnx(module, quantized, inputs, path)
    assert not path.exists()
