"""What variables stand for: strings, patterns, channels and heads."""

import re

import pytest
import torch
from torch import nn

from sklearn_pb.exceptions import NothingToPruneError
from sklearn_pb.masks import (
    Blocks,
    Channels,
    Heads,
    NofM,
    SingleWeights,
    prunable_parameters,
    resolve_granularity,
)


def conv_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 6, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 16, 4),
    )


def lay_out(granularity, module, example=None):
    return granularity.layout(module, prunable_parameters(module), example)


@pytest.mark.parametrize(
    "given, expected",
    [
        ("weight", SingleWeights()),
        ("block", Blocks(4, 4)),
        ("2:4", NofM(2, 4)),
        ("1:16", NofM(1, 16)),
        ("channel", Channels()),
        ("head", Heads()),
        (Blocks(2, 8), Blocks(2, 8)),
    ],
)
def test_strings_are_shorthands(given, expected):
    assert resolve_granularity(given) == expected


@pytest.mark.parametrize(
    "given, error, message",
    [
        ("filter", ValueError, "granularity='filter' is unknown; it must be one of"),
        ("5:4", ValueError, "NofM.n=5 must be an integer in [1, 4]"),
        (Blocks(0, 4), ValueError, "Blocks.rows=0 must be an integer in [1, inf)"),
        (NofM(2, 4.0), TypeError, "NofM.m=4.0"),
        (4, TypeError, "granularity=4 must be a string or an object of sklearn_pb.mas"),
    ],
)
def test_senseless_ones_are_refused(given, error, message):
    with pytest.raises(error, match=re.escape(message)):
        resolve_granularity(given)


def test_blocks_count_every_weight_once():
    module = conv_net()
    layout = lay_out(Blocks(4, 4), module)
    weights = sum(module.get_parameter(n).numel() for n in layout.names)
    assert layout.counts().sum() == weights
    assert layout.layers == (2 * 7, 2 * 18, 1 * 24)
    assert layout.counts().max() == 16


def test_a_pattern_keeps_n_of_m_inputs_of_every_output():
    module = nn.Sequential(nn.Conv2d(6, 3, 2), nn.Flatten(), nn.Linear(27, 5))
    layout = lay_out(NofM(2, 4), module)
    quota = NofM(2, 4).cells(layout)
    scores = torch.rand(layout.n_variables, generator=torch.Generator().manual_seed(0))
    masks = layout.masks(quota.select(scores))
    conv, linear = masks["0.weight"], masks["2.weight"]
    for cell in (conv[:, 0:4], conv[:, 4:6]):  # along input channels, place by place
        assert (cell.sum(1) == 2).all()
    assert (linear[:, :24].view(5, 6, 4).sum(2) == 2).all()
    assert (linear[:, 24:].sum(1) == 2).all()
    best = scores[: conv.numel()].view(conv.shape)[:, :4].topk(2, dim=1).indices
    assert conv[:, :4].gather(1, best).all()


def test_a_channel_takes_bias_and_norm_with_it():
    module = conv_net()
    layout = lay_out(Channels(), module, torch.randn(2, 3, 6, 6))
    assert layout.layer_names == ("0", "3")
    assert layout.layers == (8, 6)
    assert set(layout.names) == {
        "0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"
    }  # fmt: skip
    variables = torch.ones(14)
    variables[2] = 0
    masks = layout.masks(variables)
    for name in ("0.weight", "0.bias", "1.weight", "1.bias"):
        assert not masks[name][2].any() and masks[name][[0, 1, *range(3, 8)]].all()
    assert masks["3.weight"].all() and masks["3.bias"].all()
    assert torch.equal(layout.variables(masks), variables.bool())


def test_a_masked_channel_is_zero_behind_its_norm():
    module = conv_net()
    X = torch.randn(16, 3, 6, 6)
    with torch.no_grad():
        module(X)  # statistics other than 0 and 1
    layout = lay_out(Channels(), module, X)
    variables = torch.ones(14)
    variables[2] = 0
    with torch.no_grad():
        for name, mask in layout.masks(variables).items():
            module.get_parameter(name).mul_(mask)
    hidden = module.eval()[:3](X)
    assert not hidden[:, 2].any() and hidden[:, 3].any()


def test_an_excluded_layer_keeps_its_channels():
    module = conv_net()
    names = prunable_parameters(module, exclude="0")
    layout = Channels().layout(module, names, torch.randn(2, 3, 6, 6))
    assert layout.layer_names == ("3",)
    with pytest.raises(NothingToPruneError, match="no group of channels"):
        Channels().layout(module, ["6.weight"], torch.randn(2, 3, 6, 6))


def test_limits_are_named_where_nothing_is_left():
    normed = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    with pytest.raises(NothingToPruneError, match=r"norms over.* with proj_size"):
        lay_out(Channels(), normed, torch.randn(2, 3))
    with pytest.raises(NothingToPruneError, match=r"those of nn\.MultiheadAttention"):
        lay_out(Heads(), conv_net())


def test_a_masked_unit_of_a_recurrent_layer_is_zero_at_every_step():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
            self.read = nn.Linear(8, 2)

        def forward(self, x):
            return self.read(self.rnn(x)[0].sum(0))

    torch.manual_seed(0)
    module, X = Net(), torch.randn(5, 2, 3)
    layout = lay_out(Channels(), module, X)
    assert (layout.layers, layout.layer_names) == ((4,), ("rnn",))
    assert len(layout.names) == 16  # four a layer and direction
    with torch.no_grad():
        for name, mask in layout.masks(torch.tensor([1, 0, 1, 1])).items():
            assert (~mask).view(16, -1).all(1).tolist() == [
                False,
                True,
                False,
                False,
            ] * 4
            module.get_parameter(name).mul_(mask)
        outputs, (states, cells) = module.rnn(X)
    for values in (outputs[..., :4], outputs[..., 4:], states, cells):
        assert not values[..., 1].any()
        assert values[..., [0, 2, 3]].all()


def test_a_masked_head_adds_nothing():
    torch.manual_seed(0)
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        module.in_proj_bias.uniform_(-1, 1)
    layout = lay_out(Heads(), module)
    assert layout.layers == (2,)
    X = torch.randn(3, 5, 8)
    with torch.no_grad():
        for name, mask in layout.masks(torch.tensor([1.0, 0.0])).items():
            module.get_parameter(name).mul_(mask)
        before, _ = module(X, X, X)
        module.out_proj.weight[:, 4:] = torch.randn(8, 4)  # what reads the second head
        after, _ = module(X, X, X)
    torch.testing.assert_close(before, after)
