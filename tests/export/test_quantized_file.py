"""Files of quantized networks hold the same bits, and notice any damage."""

import os
import pickle
import random

import pytest
import torch
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import QuantizedFile, load_quantized, save_quantized
from sklearn_pb.export._sealed import seal, unseal
from sklearn_pb.export._tensor_bytes import pack_tensors, unpack_tensors
from sklearn_pb.quantizers import QuantizedTensor


def codes_of(shape, seed=0, largest=3):
    """Odd codes and zeros, the bits of which they tell, and a step a channel."""
    generator = torch.Generator().manual_seed(seed)
    bits = torch.randint(0, largest + 1, shape, generator=generator)
    draws = torch.rand(shape, generator=generator)
    odd = 2 * (draws * 2**bits).floor().int() + 1 - 2**bits
    codes = torch.where(bits > 0, odd * 2 ** (largest - bits), 0).int()
    step = torch.rand((shape[0], *[1] * (len(shape) - 1)), generator=generator)
    return QuantizedTensor(codes, step, bits.to(torch.uint8))


class Network(nn.Module):
    """Convolution, batch norm, a layer that stays dense, tied weights, a counter."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(2, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.hidden = nn.Linear(6, 5, bias=False)
        self.tied = nn.Linear(6, 5)
        self.tied.weight = self.hidden.weight
        self.out = nn.Linear(5, 3)
        self.register_buffer("seen", torch.tensor([3, 4], dtype=torch.int64))
        self.register_buffer("allowed", torch.tensor([True, False, True]))

    def forward(self, x):
        x = self.norm(self.conv(x)).relu().mean((2, 3))
        return self.out(self.hidden(x) + self.tied(x))


def quantized_network(seed=0):
    network = Network(seed)
    with torch.no_grad():
        network(torch.randn(4, 2, 8, 8))  # statistics
    quantized = {
        "conv.weight": codes_of((6, 2, 3, 3), seed),
        "hidden.weight": codes_of((5, 6), seed + 1),
    }
    for name, tensor in quantized.items():
        network.get_parameter(name).data.copy_(tensor.dequantize())
    return network.eval(), quantized


def assert_same(first, second):
    assert first.dtype == second.dtype
    assert first.shape == second.shape
    first, second = (value.reshape(-1).view(torch.uint8) for value in (first, second))
    assert torch.equal(first, second)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "network"
    network, quantized = quantized_network()
    save_quantized(path, network, quantized, {"labels": ["a", "b"], "bits": 1.5})
    return path, network, quantized


def test_everything_comes_back(saved):
    path, network, quantized = saved
    loaded = load_quantized(path)
    assert isinstance(loaded, QuantizedFile)
    assert list(loaded.state) == list(network.state_dict())
    for name, value in network.state_dict().items():
        assert_same(loaded.state[name] + 0, value + 0)  # -0.0 + 0 is 0.0
    assert list(loaded.quantized) == list(quantized)
    for name, tensor in quantized.items():
        for part in ("codes", "step", "bits"):
            assert_same(getattr(loaded.quantized[name], part), getattr(tensor, part))
    assert loaded.extra == {"labels": ["a", "b"], "bits": 1.5}
    assert os.listdir(path.parent) == [path.name]


def test_predictions_are_the_same_bit_for_bit(saved):
    path, network, _ = saved
    other = Network(seed=1).eval()
    x = torch.randn(7, 2, 8, 8)
    assert not torch.equal(other(x), network(x))
    load_quantized(path, other)
    assert torch.equal(other(x), network(x))


def test_tied_weights_are_one_tensor_and_stored_once(saved):
    path, network, quantized = saved
    state = load_quantized(path).state
    assert state["tied.weight"] is state["hidden.weight"]
    tied = {"conv.weight": quantized["conv.weight"]}
    tied["tied.weight"] = quantized["hidden.weight"]  # by the second of its names
    save_quantized(path.with_name("tied"), network, tied)
    again = load_quantized(path.with_name("tied"))
    path.with_name("tied").unlink()
    assert list(again.quantized) == list(tied)
    assert again.state["tied.weight"] is again.state["hidden.weight"]
    assert torch.equal(again.state["hidden.weight"], network.hidden.weight)


def test_a_state_dict_may_be_saved_instead(saved, tmp_path):
    path, network, quantized = saved
    extra = load_quantized(path).extra
    save_quantized(tmp_path / "state", network.state_dict(), quantized, extra)
    assert (tmp_path / "state").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_parameters_keep_their_type(dtype, tmp_path):
    tensor = codes_of((4, 6))
    network = nn.Linear(6, 4).to(dtype)
    network.weight.data.copy_(tensor.dequantize())
    save_quantized(tmp_path / "linear", network, {"weight": tensor})
    loaded = load_quantized(tmp_path / "linear")
    assert loaded.state["weight"].dtype == dtype
    assert torch.equal(loaded.state["weight"], network.weight)
    assert_same(loaded.state["bias"], network.bias.data)


def test_nothing_has_to_be_quantized(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    save_quantized(tmp_path / "dense", network, {})
    loaded = load_quantized(tmp_path / "dense")
    assert loaded.quantized == {}
    assert torch.equal(loaded.state["1.weight"], network[1].weight)


def test_a_flipped_bit_is_noticed_wherever_it_is(saved, tmp_path):
    contents = saved[0].read_bytes()
    damaged = tmp_path / "damaged"
    generator = random.Random(0)
    places = {*range(40), *generator.sample(range(len(contents)), 200)}
    for place in places:
        altered = bytearray(contents)
        altered[place] ^= 1 << generator.randrange(8)
        damaged.write_bytes(altered)
        with pytest.raises(ExportError, match=r"damaged|altered|format"):
            load_quantized(damaged)


def test_a_missing_end_is_noticed_wherever_it_is(saved, tmp_path):
    contents = saved[0].read_bytes()
    damaged = tmp_path / "damaged"
    for size in {*range(40), *range(0, len(contents), 13), len(contents) - 1}:
        damaged.write_bytes(contents[:size])
        with pytest.raises(ExportError, match=r"damaged|cut off"):
            load_quantized(damaged)
    damaged.write_bytes(contents + b"\0")
    with pytest.raises(ExportError, match="altered"):
        load_quantized(damaged)


def test_a_newer_format_is_refused(saved, tmp_path):
    contents = bytearray(saved[0].read_bytes())
    contents[8] = 2
    (tmp_path / "newer").write_bytes(contents)
    with pytest.raises(ExportError, match="has format 2, and this version reads"):
        load_quantized(tmp_path / "newer")


@pytest.mark.parametrize(
    "key, value",
    [
        ("codes", [[1], []]),
        ("tensors", [[], []]),
        ("tensors", [[["no_type", [1]]], []]),
        ("bytes", 3),
        ("quantized", ["conv.weight"]),
        ("state", [["conv.weight"], ["other"]]),
        ("types", {"conv.weight": "nn"}),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(saved, tmp_path, key, value):
    header, data = unseal(saved[0].read_bytes(), "")
    (tmp_path / "odd").write_bytes(seal(header | {key: value}, data))
    with pytest.raises(ExportError, match="makes no sense"):
        load_quantized(tmp_path / "odd")


def test_reading_runs_no_code(saved, monkeypatch):
    """Neither pickle nor torch's own files, which may hold pickles, are asked."""
    for module, name in ((pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, None)
    assert load_quantized(saved[0]).extra["bits"] == 1.5


def test_a_file_is_replaced_only_when_it_is_complete(saved, tmp_path):
    _, network, quantized = saved
    path = tmp_path / "network"
    save_quantized(path, network, quantized)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="extra must fit into JSON"):
        save_quantized(path, network, quantized, {"odd": object()})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_codes_must_belong_to_the_network(saved, tmp_path):
    _, network, quantized = saved
    tensor = quantized["conv.weight"]
    with pytest.raises(ValueError, match="quantized has 'nowhere'"):
        save_quantized(tmp_path / "file", network, {"nowhere": tensor})
    with pytest.raises(
        ValueError, match=r"has shape \(6, 2, 3, 3\), but the parameter"
    ):
        save_quantized(tmp_path / "file", network, {"hidden.weight": tensor})
    with pytest.raises(
        ValueError, match=r"out\.weight has other values than its codes"
    ):
        save_quantized(tmp_path / "file", network, {"out.weight": codes_of((3, 5))})
    with pytest.raises(TypeError, match="no dense tensor"):
        save_quantized(tmp_path / "file", {"extra_state": 3}, {})
    with pytest.raises(FileNotFoundError):
        load_quantized(tmp_path / "file")


TENSORS = {
    "floats": torch.randn(10, 7, generator=torch.Generator().manual_seed(0)),
    "zeros": torch.eye(20),
    "negative zeros": -torch.eye(20),
    "nan": torch.tensor([float("nan"), float("inf"), -0.0, 0.0] * 10),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(3.5, dtype=torch.float64),
    "bool": torch.tensor([True, False]),
    "half": torch.linspace(-1, 1, 30).to(torch.bfloat16).view(5, 6),
    "counts": torch.arange(5) * 10**12,
    "strided": torch.arange(12.0).view(3, 4).T,
    "complex": torch.tensor([1 + 2j, 3 - 4j]),
}


@pytest.mark.parametrize("name", TENSORS)
def test_other_tensors_come_back_bit_for_bit(name):
    (back,) = unpack_tensors(*pack_tensors([TENSORS[name]]))
    assert_same(back, TENSORS[name].contiguous())


def test_other_tensors_come_back_together():
    back = unpack_tensors(*pack_tensors(TENSORS.values()))
    for before, after in zip(TENSORS.values(), back, strict=True):
        assert_same(after, before.contiguous())


def test_exponents_of_floats_are_packed():
    weights = torch.randn(20000, generator=torch.Generator().manual_seed(0))
    assert len(pack_tensors([weights])[1]) < 0.88 * 4 * 20000
