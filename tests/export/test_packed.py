"""Packed files hold the same bits, take few bytes, and notice any damage."""

import json
import random
import sys

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import load_packed, packed_metadata, save_packed
from sklearn_pb.export._coding import coded_bytes, decode, encode

safetensors_torch = pytest.importorskip("safetensors.torch")


def random_zeros(shape, sparsity, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator)
    return (weight * (torch.rand(shape, generator=generator) >= sparsity)).to(dtype)


def same_bits(first, second):
    """Whether two tensors are equal to the last bit, but for the sign of zeros."""
    first, second = first + 0.0, second + 0.0  # -0.0 becomes 0.0
    return first.dtype == second.dtype and torch.equal(
        first.contiguous().view(torch.uint8), second.contiguous().view(torch.uint8)
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_network_comes_back(name, tmp_path):
    module, inputs = ARCHITECTURES[name]()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim >= 2:
                parameter.copy_(random_zeros(parameter.shape, 0.9))
    path = tmp_path / "network"
    save_packed(path, module)
    state = load_packed(path)
    assert list(state) == list(module.state_dict())
    for key, value in module.state_dict().items():
        assert state[key].dtype == value.dtype
        assert torch.equal(state[key], value)
    other, _ = ARCHITECTURES[name]()
    load_packed(path, other)
    assert torch.equal(other(*inputs), module(*inputs))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "sparsity, coding", [(0.0, "dense"), (0.5, "bits"), (0.95, "gaps"), (1.0, "gaps")]
)
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_the_shortest_coding_is_chosen(sparsity, coding, dtype):
    weight = random_zeros((97, 103), sparsity, dtype=dtype)
    chosen, parts = encode(weight)
    assert chosen == coding
    assert same_bits(decode(chosen, parts, weight.shape), weight)
    size = sum(part.numel() * part.element_size() for part in parts.values())
    nonzeros, n, width = int(weight.count_nonzero()), weight.numel(), dtype.itemsize
    assert size == coded_bytes(weight)
    assert size <= min(n * width, nonzeros * width + -(-n // 8))
    if coding == "gaps":
        assert size <= nonzeros * (width + 1) + n // 255


def gaps_by_hand(positions):
    """One byte a kept entry: the zeros before it, 255 for 255 of them and go on."""
    written, last = [], -1
    for position in positions:
        zeros = position - last - 1
        written += [255] * (zeros // 255) + [zeros % 255]
        last = position
    return written


@pytest.mark.parametrize("gap", [0, 1, 253, 254, 255, 256, 509, 510, 511, 1020])
def test_gaps_of_any_length(gap):
    positions = [gap, 2 * gap + 1, 2 * gap + 2]
    weight = torch.zeros(4000)
    weight[positions] = torch.tensor([1.0, 2.0, 3.0])
    coding, parts = encode(weight)
    assert coding == "gaps"
    assert parts["gaps"].tolist() == gaps_by_hand(positions)
    assert torch.equal(decode(coding, parts, (4000,)), weight)


def test_bits_are_those_of_the_mask():
    weight = random_zeros((50, 50), 0.5)
    coding, parts = encode(weight)
    assert coding == "bits"
    unpacked = np.unpackbits(parts["bits"].numpy(), count=2500)
    assert unpacked.tolist() == (weight != 0).flatten().int().tolist()
    assert torch.equal(parts["values"], weight[weight != 0])


def test_special_numbers():
    weight = torch.zeros(1000)
    weight[:4] = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    coding, parts = encode(weight)
    assert len(parts["values"]) == 3  # -0.0 is a zero
    decoded = decode(coding, parts, (1000,))
    assert same_bits(decoded, weight)


def test_95_percent_of_zeros_take_far_less_than_an_eighth(tmp_path):
    layer = nn.Linear(300, 300, bias=False)
    layer.weight.data = random_zeros((300, 300), 0.95)
    save_packed(tmp_path / "file", layer)
    dense = layer.weight.numel() * 4
    assert (tmp_path / "file").stat().st_size < dense / 15


def test_tied_weights_are_written_once(tmp_path):
    module, _ = ARCHITECTURES["tied-language-model"]()
    module.embedding.weight.data.zero_()
    save_packed(tmp_path / "file", module)
    entries = packed_metadata(tmp_path / "file")["tensors"]
    assert entries["decoder.weight"] == {"tied": "embedding.weight"}
    state = load_packed(tmp_path / "file")
    assert state["decoder.weight"] is state["embedding.weight"]


def test_empty_tensors_and_buffers_of_any_type(tmp_path):
    module = nn.Module()
    module.register_buffer("empty", torch.zeros(0, 3))
    module.register_buffer("also_empty", torch.zeros(0, 3))
    module.register_buffer("flags", torch.zeros(5000, dtype=torch.bool))
    module.register_buffer("count", torch.tensor(7))
    module.register_buffer("columns", torch.zeros(60, 50).t())
    save_packed(tmp_path / "file", module)
    state = load_packed(tmp_path / "file")
    for name, value in module.state_dict().items():
        assert state[name].dtype == value.dtype
        assert torch.equal(state[name], value)


def test_metadata_come_back(tmp_path):
    metadata = {"sparsity": 0.9, "tags": ["a", {"b": None}]}
    save_packed(tmp_path / "file", nn.Linear(2, 2), metadata=metadata)
    assert packed_metadata(tmp_path / "file")["metadata"] == metadata


@pytest.fixture(name="layer")
def make_layer():
    layer = nn.Linear(60, 50)
    layer.weight.data = random_zeros((50, 60), 0.9)
    return layer


def test_kept_weights_may_be_zero_themselves(layer, tmp_path):
    mask = layer.weight != 0
    mask[0] = True
    save_packed(tmp_path / "file", layer, {"weight": mask})
    state = load_packed(tmp_path / "file")
    assert torch.equal(state["weight"], layer.weight)
    with safetensors_torch.safe_open(tmp_path / "file", "pt") as file:
        assert len(file.get_tensor("weight:values")) == int(mask.sum())


def test_masks_are_held_against_the_weights(layer, tmp_path):
    mask = torch.zeros(50, 60, dtype=torch.bool)
    lost = int(layer.weight.count_nonzero())
    for masks, message in (
        ({"weight": mask}, f"weight has {lost} weights that are not zero"),
        ({"weight": mask[:2]}, r"shape \(2, 60\), but the parameter has \(50, 60\)"),
        ({"other": mask}, "masks has 'other'"),
    ):
        with pytest.raises(ValueError, match=message):
            save_packed(tmp_path / "file", layer, masks)
    assert not list(tmp_path.iterdir())


def test_any_changed_byte_is_noticed(layer, tmp_path):
    path = tmp_path / "file"
    save_packed(path, layer, metadata={"a": 1})
    whole = path.read_bytes()
    places = [*range(500), *random.Random(0).sample(range(len(whole)), 100)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(ExportError, match=r"damaged|altered|not written"):
            load_packed(path)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.3, 0.7, 0.999])
def test_a_truncated_file_is_noticed(layer, tmp_path, fraction):
    path = tmp_path / "file"
    save_packed(path, layer)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    for read in (load_packed, packed_metadata):
        with pytest.raises(ExportError, match=r"file is damaged or no safetensors"):
            read(path)


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "file"
    safetensors_torch.save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ExportError, match="was not written by save_packed"):
        load_packed(path)
    with pytest.raises(FileNotFoundError):
        load_packed(tmp_path / "none")


def test_a_format_of_the_future_is_refused(layer, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_pb.export._packed.FORMAT", 9)
    save_packed(tmp_path / "file", layer)
    monkeypatch.undo()
    with pytest.raises(ExportError, match="has format 9"):
        load_packed(tmp_path / "file")


@pytest.mark.parametrize("shape", [(50, 61), (2, 2), (3000000,)])
def test_parts_that_do_not_fit_are_refused(shape):
    for sparsity in (0.0, 0.5, 0.95):
        coding, parts = encode(random_zeros((50, 60), sparsity))
        parts["values"] = parts["values"][:-1]
        with pytest.raises(ExportError):
            decode(coding, parts, shape)


def test_an_old_file_survives_a_failure(layer, tmp_path):
    path = tmp_path / "file"
    save_packed(path, layer)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="metadata must fit into JSON"):
        save_packed(path, layer, metadata={"a": object()})
    with pytest.raises(TypeError, match="metadata must fit into JSON"):
        save_packed(path, layer, metadata={"a": float("nan")})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_needs_a_pickle_is_refused(tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"anything": 1}

    with pytest.raises(TypeError, match="'_extra_state', a dict"):
        save_packed(tmp_path / "file", Extra(2, 2))


def test_nothing_is_pickled(layer, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickled")

    for function in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(f"pickle.{function}", refuse)
    save_packed(tmp_path / "file", layer)
    load_packed(tmp_path / "file")
    with safetensors_torch.safe_open(tmp_path / "file", "pt") as file:
        header = json.loads(file.metadata()["sklearn_pb"])
    assert header["tensors"]["weight"] == {"coding": "gaps", "shape": [50, 60]}


def test_a_missing_package_is_named(layer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match="pip install 'sklearn-pb\\[export\\]'"):
        save_packed(tmp_path / "file", layer)
