"""Compact networks compute what the masked ones compute, with fewer parameters."""

import copy
import math
import pickle
from collections import Counter

import pytest
import torch
from architectures import ARCHITECTURES
from torch import nn

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import CompactAttention, compact, trace_channels, trace_heads

# Parameters that are left with half of the channels of each group, by hand.
COUNTS = {
    "lenet-300-100": 1085,
    "small-conv": 517,
    "autoencoder": 252,
    "resnet-20": 4511,
}
WITH_HEADS = ["transformer", "vit", "tied-language-model"]


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def clear_halves(module, groups):
    """Clear half of the channels of each group, and return which."""
    generator = torch.Generator().manual_seed(0)
    cleared = []
    for group in groups:
        order = torch.randperm(group.n_channels, generator=generator)
        cleared.append(order < group.n_channels // 2)
        group.clear_(module, cleared[-1])
    return cleared


def predict_count(module, groups, cleared):
    """Number of parameters without the cleared channels, where made and where read."""
    cut = Counter()
    for group, gone in zip(groups, cleared, strict=True):
        for name, axis, index in (*group.slices, *group.inputs):
            cut[name, axis] += int(gone[index[index >= 0]].sum())
    return sum(
        math.prod(size - cut[name, axis] for axis, size in enumerate(parameter.shape))
        for name, parameter in module.named_parameters()
    )


def largest_difference(first, second, inputs):
    with torch.no_grad():
        return (first(*inputs) - second(*inputs)).abs().max().item()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_compact_equals_masked(name):
    module, inputs = ARCHITECTURES[name]()
    whole = copy.deepcopy(module)
    groups = trace_channels(module, inputs)
    cleared = clear_halves(module, groups)
    masked = copy.deepcopy(module.state_dict())
    smaller = compact(module, inputs)

    assert largest_difference(module, whole, inputs) > 1e-3
    assert largest_difference(module, smaller, inputs) < 1e-5
    assert count(smaller) == predict_count(module, groups, cleared) < count(module)
    assert count(smaller) == COUNTS.get(name, count(smaller))
    assert [type(part) for part in smaller.modules()] == [
        type(part) for part in module.modules()
    ]
    # Nothing is shared with the network itself, which is as before.
    assert all(torch.equal(masked[k], v) for k, v in module.state_dict().items())
    own = {parameter.data_ptr() for parameter in module.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in smaller.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_compact_networks_train_pickle_and_load(name):
    module, inputs = ARCHITECTURES[name]()
    clear_halves(module, trace_channels(module, inputs))
    smaller = compact(module.train(), inputs)
    assert all(part.training for part in smaller.modules())
    other = pickle.loads(pickle.dumps(smaller))
    optimizer = torch.optim.SGD(smaller.parameters(), 0.01, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        smaller(*inputs).square().mean().backward()
        optimizer.step()
    other.load_state_dict(smaller.state_dict())
    assert largest_difference(smaller.eval(), other.eval(), inputs) == 0.0


@pytest.mark.parametrize("name", ["resnet-20", "densenet", "transformer"])
def test_compact_networks_are_traced_and_compacted_again(name):
    module, inputs = ARCHITECTURES[name]()
    sizes = []
    for _ in range(2):
        groups = trace_channels(module, inputs)
        sizes.append([group.n_channels for group in groups])
        clear_halves(module, groups)
        module = compact(module, inputs)
    assert sizes[1] == [size - size // 2 for size in sizes[0]]


@pytest.mark.parametrize("name", ["resnet-20", "gru", "vit"])
def test_networks_without_zeros_come_back_equal(name):
    module, inputs = ARCHITECTURES[name]()
    with torch.no_grad():  # zeros that are no whole channel stay
        next(module.parameters()).view(-1)[::3] = 0.0
    smaller = compact(module, inputs)
    values = smaller.state_dict()
    assert values.keys() == module.state_dict().keys()
    assert all(torch.equal(values[k], v) for k, v in module.state_dict().items())


def test_masks_do_what_zeros_do():
    module, inputs = ARCHITECTURES["mobilenet-v2"]()
    before = copy.deepcopy(module)
    whole = copy.deepcopy(module)
    clear_halves(module, trace_channels(module, inputs))
    masks = {name: parameter != 0 for name, parameter in module.named_parameters()}
    by_masks, by_zeros = compact(whole, inputs, masks), compact(module, inputs)
    values = by_zeros.state_dict()
    assert all(torch.equal(values[k], v) for k, v in by_masks.state_dict().items())
    assert largest_difference(before, whole, inputs) == 0.0


def test_a_mask_of_some_weights_applies_them_and_removes_nothing():
    module, inputs = ARCHITECTURES["lenet-300-100"]()
    kept = torch.arange(30 * 64).view(30, 64) % 3 > 0
    smaller = compact(module, inputs, {"1.weight": kept})
    assert count(smaller) == count(module)
    assert torch.equal(smaller[1].weight, module[1].weight * kept)


@pytest.mark.parametrize(
    ("masks", "error", "match"),
    [
        ({"1.weight": torch.ones(30, 64)}, TypeError, r"'1.weight'.*torch\.bool"),
        ({"1.weight": [True]}, TypeError, r"'1.weight'.*torch\.bool"),
        ({"1.weight": torch.ones(3) > 0}, ValueError, r"\(3,\).*\(30, 64\)"),
        ({"weight": torch.ones(3) > 0}, ValueError, r"'weight'.*missing"),
    ],
)
def test_bad_masks(masks, error, match):
    module, inputs = ARCHITECTURES["lenet-300-100"]()
    with pytest.raises(error, match=match):
        compact(module, inputs, masks)


def test_other_bad_arguments():
    module, inputs = ARCHITECTURES["lenet-300-100"]()
    with pytest.raises(TypeError, match="module="):
        compact(module.forward, inputs)
    with pytest.raises(ValueError, match="tolerance=-1"):
        compact(module, inputs, tolerance=-1)


def test_one_channel_of_a_dead_group_stays():
    module, inputs = ARCHITECTURES["densenet"]()
    groups = trace_channels(module, inputs)
    for group in groups:
        group.clear_(module, torch.ones(group.n_channels, dtype=torch.bool))
    smaller = compact(module, inputs)
    assert largest_difference(module, smaller, inputs) < 1e-6
    assert {
        layer.out_channels
        for layer in smaller.modules()
        if isinstance(layer, nn.Conv2d)
    } == {1}
    assert smaller[-1].weight.shape == (5, 4)  # one of each of the last four groups


def test_a_dead_channel_with_a_live_bias_stays():
    module = nn.Sequential(
        nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1)
    ).eval()
    inputs = torch.ones(1, 2, 4, 4)
    with torch.no_grad():
        for parameter in (*module[0].parameters(), *module[1].parameters()):
            parameter[1:] = 0.0
        module[1].bias[2] = 0.5  # relu(0.5) goes on into the last layer
    smaller = compact(module, inputs)
    assert smaller[0].out_channels == 2
    assert smaller[1].bias.tolist() == [0.0, 0.5]
    assert largest_difference(module, smaller, (inputs,)) < 1e-6


def test_frozen_parameters_stay_frozen():
    module, inputs = ARCHITECTURES["small-conv"]()
    module[0].requires_grad_(False)
    clear_halves(module, trace_channels(module, inputs))
    wanted = [parameter.requires_grad for parameter in module.parameters()]
    smaller = compact(module, inputs)
    assert [parameter.requires_grad for parameter in smaller.parameters()] == wanted


@pytest.mark.parametrize("name", WITH_HEADS)
def test_heads_and_channels(name):
    module, inputs = ARCHITECTURES[name]()
    clear_halves(module, trace_channels(module, inputs))
    without_channels = count(compact(module, inputs))
    heads = trace_heads(module)
    expected = predict_count(module, heads, clear_halves(module, heads))
    smaller = compact(module, inputs)
    assert largest_difference(module, smaller, inputs) < 1e-5
    # Two of four heads, in two layers: 8 of 16 rows of q, k, v and columns.
    saved = 2 * (3 * 8 * 17 + 8 * 16)
    assert without_channels - count(smaller) == count(module) - expected == saved
    assert sum(isinstance(p, CompactAttention) for p in smaller.modules()) == 2
    smaller.train()(*inputs).square().mean().backward()
    assert all(p.grad is not None for p in smaller.parameters())
    assert count(compact(smaller, inputs)) == count(smaller)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("dead", [[0], [1], [0, 1]])
def test_heads_of_an_encoder_that_packs_padded_sentences(dead):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    module = nn.TransformerEncoder(layer, 2, enable_nested_tensor=True).eval()
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    inputs = {
        "src": x,
        "src_key_padding_mask": torch.arange(5) >= torch.tensor([[5], [3], [2]]),
    }
    groups = trace_heads(module)
    for layer in dead:
        groups[layer].clear_(module, torch.tensor([True, False]))
    smaller = compact(module, inputs)
    places = ~inputs["src_key_padding_mask"]
    with torch.no_grad():
        expected = module(**inputs)
        assert (expected[~places] == 0).all()  # it did pack them
        assert torch.allclose(smaller(**inputs)[places], expected[places], atol=1e-5)


def test_a_network_that_is_attention_alone():
    module = nn.MultiheadAttention(8, 4, batch_first=True)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    [group] = trace_heads(module)
    group.clear_(module, torch.ones(4, dtype=torch.bool))
    smaller = compact(_Output(module), (x,)).attention
    assert isinstance(smaller, CompactAttention)
    assert smaller.heads == (0,)


class _Output(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def test_a_network_that_reads_the_weights_of_heads_is_refused():
    class Attended(_Output):
        def forward(self, x):
            return self.attention(x, x, x)[1]

    module = Attended(nn.MultiheadAttention(8, 4, batch_first=True))
    [group] = trace_heads(module)
    group.clear_(module, torch.arange(4) < 2)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ExportError, match=r"tolerance=1e-05.*: attention\."):
        compact(module, x)
    assert count(compact(module, x, tolerance=10.0)) < count(module)
