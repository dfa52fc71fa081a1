"""The three numbers: as papers count, at least, and in the file."""

import pytest
import torch
from torch import nn

from sklearn_pb.export import QuantizedSizes, quantized_sizes, save_quantized
from sklearn_pb.quantizers import QuantizedTensor, coded_bits


def signs(shape, seed=0, share=0.5):
    generator = torch.Generator().manual_seed(seed)
    codes = 1 - 2 * (torch.rand(shape, generator=generator) < share).int()
    return QuantizedTensor(codes, torch.tensor(0.5), torch.tensor(1, dtype=torch.uint8))


def network_of(quantized):
    network = nn.Sequential(
        nn.Conv2d(10, 30, 3), nn.BatchNorm2d(30), nn.Flatten(), nn.Linear(30, 40)
    )
    for name, tensor in quantized.items():
        network.get_parameter(name).data.copy_(tensor.dequantize())
    return network


@pytest.fixture(scope="module")
def quantized():
    return {"0.weight": signs((30, 10, 3, 3)), "3.weight": signs((40, 30), 1, 0.02)}


@pytest.fixture(scope="module")
def network(quantized):
    return network_of(quantized)


@pytest.fixture(scope="module")
def sizes(network, quantized):
    return quantized_sizes(network, quantized)


def test_the_file_has_that_size(network, quantized, sizes, tmp_path):
    save_quantized(tmp_path / "file", network, quantized)
    n_bytes = (tmp_path / "file").stat().st_size
    assert sizes.file_bytes == n_bytes
    assert sizes.file_bits == 8 * n_bytes
    dense = 32 * (2700 + 30 + 4 * 30 + 1200 + 40) + 64
    assert sizes.dense_bits == dense
    assert sizes.compression == pytest.approx(dense / (8 * n_bytes))


def test_numbers_of_layers_by_hand(sizes):
    first, second = sizes.layers
    assert (first.name, first.weights, first.zeros) == ("0.weight", 2700, 0)
    assert first.mean_bits == second.mean_bits == sizes.mean_bits == 1.0
    assert first.entropy_bits == pytest.approx(2700, rel=0.01)  # fair coins
    assert second.entropy_bits == pytest.approx(1200 * 0.14, rel=0.2)  # 2 % of them
    assert sizes.entropy_bits == first.entropy_bits + second.entropy_bits
    assert sizes.weights == 3900
    assert sizes.sparsity == 0.0


def test_parts_add_up(sizes):
    parts = (sizes.codes, sizes.bit_maps, sizes.steps, sizes.norms, sizes.others)
    assert sum(parts) + sizes.header == pytest.approx(sizes.file_bits)
    coded = sizes.codes + sizes.bit_maps + sizes.steps
    assert sum(layer.file_bits for layer in sizes.layers) == pytest.approx(coded)
    assert sizes.bit_maps == 0
    assert sizes.codes <= 1.05 * sizes.entropy_bits
    assert 0 < sizes.others <= 8 * 4 * 70
    assert 0 < sizes.norms <= 8 * (4 * 4 * 30 + 8)


def test_a_map_of_bits_is_counted():
    tensor = signs((30, 30))
    bits = torch.randint(1, 9, (30, 30), dtype=torch.uint8)
    tensor = QuantizedTensor(tensor.codes, tensor.step, bits)
    layer = nn.Linear(30, 30, bias=False)
    layer.weight.data.copy_(tensor.dequantize())
    sizes = quantized_sizes(layer, {"weight": tensor})
    assert sizes.bit_maps == pytest.approx(900 * 3, rel=0.1)
    assert sizes.codes == pytest.approx(900, rel=0.1)
    assert sizes.mean_bits == pytest.approx(bits.float().mean())


def test_coded_bits_agree_with_the_file(quantized, sizes):
    data = sizes.codes + sizes.bit_maps + 32 * len(quantized)
    header = 720 + 160 * len(quantized)
    coded = coded_bits(list(quantized.values()))
    assert coded == pytest.approx(data + header, rel=0.01, abs=32)


def test_layer_norms_are_normalisations_too():
    network = nn.Sequential(nn.LayerNorm(100), nn.Linear(100, 2))
    sizes = quantized_sizes(network, {})
    assert sizes.norms > 0
    assert quantized_sizes(network.state_dict(), {}).norms == 0


def test_table(sizes):
    text = str(sizes)
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "weights", "zeros", "bits", "entropy", "file"]
    assert lines[2].split()[:5] == ["0.weight", "2,700", "0", "%", "1.00"]
    assert lines[5].split()[:2] == ["all", "3,900"]
    assert f"File of {sizes.file_bytes:,} bytes" in text
    assert "bit maps" not in text


def test_sizes_without_quantized_weights():
    sizes = quantized_sizes(nn.Linear(3, 2), {})
    assert isinstance(sizes, QuantizedSizes)
    assert sizes.mean_bits == sizes.sparsity == sizes.entropy_bits == 0.0
    assert sizes.file_bits > 0
    assert "File of" in str(sizes)
