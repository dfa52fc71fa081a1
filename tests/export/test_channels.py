"""Groups of channels: what they govern, and what must not be one."""

import copy
import sys

import pytest
import torch
import torch.nn.functional as F
from architectures import ARCHITECTURES
from network_parts import conv_bn_relu
from torch import nn
from torch.nn.utils import parametrizations

from sklearn_pb.exceptions import ExportError
from sklearn_pb.export import trace_channels, trace_heads

# Sizes of the groups that there are, by hand.
SIZES = {
    "lenet-300-100": [30, 10],
    "lenet-5": [6, 16, 24],
    "small-conv": [8, 12, 16],
    "vgg-bn": [8, 8, 12, 12, 16, 16, 20, 20],
    "vgg-plain": [8, 8, 12, 12, 16, 16, 20, 20],
    # A stream of channels in each of three stages, and one group in each block.
    "resnet-20": [4, 4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16],
    # The padded zeros have a fixed number, so that only the first stream may shrink.
    "resnet-padded": [4, 4, 8, 8, 16],
    "resnet-bottleneck": [8, 8, 8, 16, 8, 8, 12, 12, 24, 12, 12],
    "mobilenet-v2": [8, 24, 24, 12, 36, 36, 16, 48, 24],
    "densenet": [8, 8, 4, 8, 4, 8, 4, 10, 8, 4, 8, 4, 8, 4],
    "unet": [6, 8, 12, 8, 6, 10, 6],
    "inception-like": [8, 4, 3, 6, 2, 4, 2, 4, 3, 6, 2, 4, 2],
    "conv-1d": [8, 12],
    "conv-3d": [6, 8],
    "depthwise-separable": [8, 12, 16],
    "squeeze-excite": [8, 4, 12, 4],
    "autoencoder": [6, 10, 6],
    "lstm": [8, 12, 10],
    "gru": [8, 12, 10],
    "lstm-both-ways": [8, 12, 10],
    "transformer": [32, 32],
    "vit": [32, 32],
    "mlp-mixer": [8, 24, 8, 24],
    "tied-language-model": [32, 32],
}


def describe_slices(slices):
    return [(name, axis, index.tolist()) for name, axis, index in slices]


def describe(groups):
    return [(g.name, g.n_channels, describe_slices(g.slices)) for g in groups]


def sizes(module, inputs):
    return [group.n_channels for group in trace_channels(module, inputs)]


def perceptron(*middle, width=6):
    return nn.Sequential(nn.Linear(3, width), *middle, nn.Linear(width, 2))


def convolutions(*middle, width=6):
    return nn.Sequential(
        nn.Conv2d(3, width, 3), *middle, nn.Conv2d(width, 2, 3), nn.Flatten()
    )


VECTORS = torch.linspace(-1, 1, 12).view(4, 3)
IMAGES = torch.linspace(-1, 1, 4 * 3 * 36).view(4, 3, 6, 6)


def test_every_architecture_is_listed():
    assert set(SIZES) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", SIZES)
def test_groups_of_an_architecture(name):
    module, inputs = ARCHITECTURES[name]()
    groups = trace_channels(module, inputs)
    assert [group.n_channels for group in groups] == SIZES[name]
    assert len({group.name for group in groups}) == len(groups)
    owner = {}
    for number, group in enumerate(groups):
        for parameter, axis, index in group.slices:
            assert index.dtype == torch.long
            assert index.shape == (module.get_parameter(parameter).shape[axis],)
            assert set(index.tolist()) - {-1} == set(range(group.n_channels))
            for row in (index >= 0).nonzero().flatten().tolist():
                assert owner.setdefault((parameter, axis, row), number) == number
    assert describe(groups) == describe(trace_channels(module, inputs))


@pytest.mark.parametrize("name", ["resnet-20", "densenet", "lstm", "vit"])
def test_the_network_is_left_as_it_was(name):
    module, inputs = ARCHITECTURES[name]()
    module.train()
    module[0].eval() if isinstance(module, nn.Sequential) else None
    modes = [part.training for part in module.modules()]
    values = copy.deepcopy(module.state_dict())
    parameters = list(module.parameters())
    parameters[0].requires_grad_(False)
    state = torch.random.get_rng_state()
    trace_channels(module, inputs)
    trace_heads(module)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(values[k], v) for k, v in module.state_dict().items())
    assert not parameters[0].requires_grad
    assert all(parameter.requires_grad for parameter in parameters[1:])
    for part in module.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
    for ours, theirs in zip(parameters, module.parameters(), strict=True):
        assert ours is theirs
        assert ours.grad is None


def test_inputs_are_what_reads_a_channel():
    module = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.ConvTranspose2d(2, 4, 1), nn.Flatten(), nn.Linear(144, 2)
    )
    first, second = trace_channels(module, IMAGES)
    assert describe_slices(first.inputs) == [("1.weight", 0, [0, 1])]
    pixels = [channel for channel in range(4) for _ in range(36)]
    assert describe_slices(second.inputs) == [("3.weight", 1, pixels)]
    [heads] = trace_heads(nn.MultiheadAttention(4, 2))
    assert describe_slices(heads.inputs) == [("out_proj.weight", 1, [0, 0, 1, 1])]


def test_slices_of_a_convolution_with_norm():
    module = nn.Sequential(*conv_bn_relu(3, 4), nn.ConvTranspose2d(4, 5, 2), nn.ReLU())
    module += nn.Sequential(nn.Conv2d(5, 5, 3, groups=5), nn.Conv2d(5, 2, 1))
    rows = {4: [0, 1, 2, 3], 5: [0, 1, 2, 3, 4]}
    assert describe(trace_channels(module, IMAGES)) == [
        (
            "0",
            4,
            [
                ("0.weight", 0, rows[4]),
                ("1.weight", 0, rows[4]),
                ("1.bias", 0, rows[4]),
            ],
        ),
        (
            "3",
            5,
            [
                ("3.weight", 1, rows[5]),
                ("3.bias", 0, rows[5]),
                ("5.weight", 0, rows[5]),
                ("5.bias", 0, rows[5]),
            ],
        ),
    ]


class Concatenated(nn.Module):
    """``norm(cat(a(x), b(x)))`` read by one layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 3, 1)
        self.norm, self.read = nn.BatchNorm2d(5), nn.Conv2d(5, 2, 1)

    def forward(self, x):
        return self.read(F.relu(self.norm(torch.cat([self.a(x), self.b(x)], 1))))


def test_concatenation_offsets_the_rows_of_the_norm():
    a, b = trace_channels(Concatenated(), IMAGES)
    assert [(n, i.tolist()) for n, _, i in a.slices[-2:]] == [
        ("norm.weight", [0, 1, -1, -1, -1]),
        ("norm.bias", [0, 1, -1, -1, -1]),
    ]
    assert b.slices[-1][2].tolist() == [-1, -1, 0, 1, 2]


class Gated(nn.Module):
    """``tanh(first half) * sigmoid(second half)`` of the channels of one layer."""

    def __init__(self):
        super().__init__()
        self.both, self.read = nn.Conv2d(3, 8, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        a, b = self.both(x).chunk(2, 1)
        return self.read(a.tanh() * b.sigmoid())


def test_both_halves_of_a_gated_layer_are_one_channel():
    [group] = trace_channels(Gated(), IMAGES)
    assert group.n_channels == 4
    assert group.slices[0][2].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


class Embedded(nn.Module):
    """Words, averaged, in a perceptron."""

    def __init__(self):
        super().__init__()
        self.words, self.layers = nn.Embedding(9, 3), perceptron(nn.ReLU())

    def forward(self, words):
        return self.layers(self.words(words).mean(1))


def test_columns_of_an_embedding_are_channels():
    embedding, _ = trace_channels(Embedded(), torch.arange(8).view(2, 4))
    assert describe([embedding]) == [("words", 3, [("words.weight", 1, [0, 1, 2])])]


@pytest.mark.parametrize(
    "middle",
    [nn.ReLU(), nn.PReLU(), nn.PReLU(6), nn.GELU(), nn.Dropout(), nn.Tanh()],
    ids=repr,
)
def test_functions_that_keep_zero(middle):
    assert sizes(perceptron(middle), VECTORS) == [6]


@pytest.mark.parametrize(
    "middle",
    [
        nn.Sigmoid(),
        nn.Softplus(),
        nn.Softmax(-1),
        nn.LayerNorm(6),
        nn.LayerNorm(6, elementwise_affine=False),
        nn.BatchNorm1d(6, affine=False),
    ],
    ids=repr,
)
def test_functions_that_do_not_keep_zero_or_mix_channels(middle):
    assert sizes(perceptron(middle), VECTORS) == []


@pytest.mark.parametrize(
    ("middle", "found"),
    [
        (nn.InstanceNorm2d(6, affine=True), [6]),
        # torch-pruning leaves its statistics as they are.
        (nn.InstanceNorm2d(6, affine=True, track_running_stats=True), []),
        (nn.BatchNorm2d(6), [6]),
        (nn.Dropout2d(), [6]),
        (nn.MaxPool2d(2, 1), [6]),
        (nn.Upsample(scale_factor=2), [6]),
        (nn.GroupNorm(2, 6), []),
        (nn.GroupNorm(1, 6), []),
        (nn.Conv2d(6, 6, 1, groups=2), []),
        (nn.Conv2d(6, 6, 1, groups=6), [6]),
        (nn.ConvTranspose2d(6, 6, 2, groups=6), [6]),
        (nn.Sequential(nn.Conv2d(6, 12, 1, groups=6), nn.Conv2d(12, 6, 1)), [6]),
        (nn.Sequential(nn.PixelShuffle(1), nn.ReLU()), [6]),
        (nn.Sequential(nn.ChannelShuffle(2), nn.ReLU()), []),
        (nn.LocalResponseNorm(3), []),
    ],
    ids=repr,
)
def test_layers_between_convolutions(middle, found):
    assert sizes(convolutions(middle), IMAGES) == found


@pytest.mark.parametrize("zero", ["weight", "bias"])
def test_zeros_do_not_hide_what_a_sigmoid_does(zero):
    module = perceptron(nn.Sigmoid())
    nn.init.zeros_(getattr(module[-1], zero))
    assert trace_channels(module, VECTORS) == []


def test_channels_added_to_the_input_stay():
    class AddedToInput(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.read = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 2, 1)

        def forward(self, x):
            return self.read(x + self.layers(x))

    assert sizes(AddedToInput(), IMAGES) == []


def test_outputs_in_a_dict_and_early_outputs_stay():
    class TwoOutputs(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 5)
            self.third = nn.Linear(5, 2)

        def forward(self, x):
            early = self.first(x).relu()
            return {"early": early, "late": [self.third(self.second(early).relu())]}

    assert sizes(TwoOutputs(), VECTORS) == [5]


def test_tied_and_parametrized_layers_stay():
    tied = nn.Sequential(*(nn.Linear(3, 3) for _ in range(3)))
    tied[1].weight = tied[0].weight
    assert sizes(tied, VECTORS) == []
    normed = perceptron(nn.ReLU())
    parametrizations.weight_norm(normed[0])
    assert sizes(normed, VECTORS) == []


def test_a_layer_that_is_called_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.again = nn.Linear(3, 4), nn.Linear(4, 4)
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            return self.last(self.again(self.again(self.first(x).relu()).relu()).relu())

    [group] = trace_channels(Twice(), VECTORS)
    assert [name for name, _, _ in group.slices] == [
        "first.weight",
        "first.bias",
        "again.weight",
        "again.bias",
    ]


def test_what_the_network_says_in_code_stays():
    class FixedShape(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(3, 6), nn.Linear(3, 2)

        def forward(self, x):
            return self.last(self.first(x).view(-1, 2, 3).sum(1))

    assert sizes(FixedShape(), VECTORS) == []


@pytest.mark.parametrize(
    "inputs", [VECTORS, (VECTORS,), [VECTORS], {"input": VECTORS}, VECTORS[:1]]
)
def test_forms_of_example_inputs(inputs):
    assert sizes(perceptron(nn.ReLU()), inputs) == [6]


def test_frozen_networks_and_half_precision():
    module = perceptron(nn.ReLU()).requires_grad_(False).bfloat16()
    assert sizes(module, VECTORS.bfloat16()) == [6]


def test_networks_that_fix_a_type_are_compared_in_it():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = perceptron(nn.ReLU())

        def forward(self, x):
            return self.layers(x.float())

    assert sizes(Single(), VECTORS) == [6]


def test_errors_of_the_network_are_its_own():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        trace_channels(perceptron(nn.ReLU()), torch.ones(2, 5))
    with pytest.raises(TypeError, match="example_inputs"):
        trace_channels(perceptron(nn.ReLU()), "images")


def test_outputs_without_tensors_are_refused():
    class Listed(nn.Linear):
        def forward(self, x):
            return super().forward(x).tolist()

    with pytest.raises(ExportError, match="Listed returns list"):
        trace_channels(Listed(3, 2), VECTORS)


def test_failure_of_torch_pruning_is_an_export_error(monkeypatch):
    torch_pruning = pytest.importorskip("torch_pruning")

    def fail(*args):
        raise KeyError("node")

    monkeypatch.setattr(torch_pruning.DependencyGraph, "_build_dependency", fail)
    with pytest.raises(ExportError, match=r"cannot trace Sequential.*node"):
        trace_channels(perceptron(nn.ReLU()), VECTORS)


def test_missing_torch_pruning_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-pb\[export\]"):
        trace_channels(perceptron(nn.ReLU()), VECTORS)


def test_live_and_clear():
    module, inputs = ARCHITECTURES["mobilenet-v2"]()
    group = trace_channels(module, inputs)[1]
    assert group.live(module).all()
    gone = torch.arange(group.n_channels) % 3 == 0
    before = copy.deepcopy(module.state_dict())
    group.clear_(module, gone)
    assert torch.equal(group.live(module), ~gone)
    for name, axis, index in group.slices:
        kept = (index < 0) | ~gone[index]
        now, then = module.get_parameter(name), before.pop(name)
        assert torch.equal(now.movedim(axis, 0)[kept], then.movedim(axis, 0)[kept])
        assert (now.movedim(axis, 0)[~kept] == 0).all()
    values = module.state_dict()
    assert all(torch.equal(values[name], value) for name, value in before.items())
    with torch.no_grad():  # one weight is enough
        module.get_parameter(group.slices[-1][0])[0] = 1e-30
    assert group.live(module)[0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kdim", [None, 5])
def test_heads(bias, kdim):
    layer = nn.MultiheadAttention(6, 3, bias=bias, kdim=kdim, add_bias_kv=bias)
    layer2 = nn.MultiheadAttention(6, 1)
    [group] = trace_heads(nn.ModuleDict({"many": layer, "one": layer2}))
    assert (group.name, group.n_channels) == ("many", 3)
    heads = [0, 0, 1, 1, 2, 2]
    weights = (
        [("in_proj_weight", 0, heads * 3)]
        if kdim is None
        else [(f"{part}_proj_weight", 0, heads) for part in "qkv"]
    )
    biases = [
        ("in_proj_bias", 0, heads * 3),
        ("bias_k", 2, heads),
        ("bias_v", 2, heads),
    ]
    expected = weights + (biases if bias else [])
    assert describe_slices(group.slices) == [
        (f"many.{name}", axis, index) for name, axis, index in expected
    ]


def test_heads_of_an_encoder_and_of_tied_attention():
    module, _ = ARCHITECTURES["transformer"]()
    names = [group.name for group in trace_heads(module)]
    assert names == ["encoder.layers.0.self_attn", "encoder.layers.1.self_attn"]
    first, second = (layer.self_attn for layer in module.encoder.layers)
    first.in_proj_weight = second.in_proj_weight
    assert trace_heads(module) == []
