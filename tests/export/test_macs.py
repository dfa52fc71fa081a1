"""Multiply-adds, held against torch's own counter of floating-point operations."""

import copy

import pytest
import torch
import torch.nn.functional as F
from architectures import ARCHITECTURES
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sklearn_pb.export import count_macs, weight_uses


def torch_macs(module, inputs):
    """Multiply-adds of a batch: in float64 and with gradients little is fused."""
    module.double().eval().requires_grad_(True)
    inputs = [x.double() if x.is_floating_point() else x for x in inputs]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    return counter.get_total_flops() // 2


def total(layers):
    return sum(layer.macs for layer in layers.values())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_agrees_with_the_counter_of_torch(name):
    module, inputs = ARCHITECTURES[name]()
    counted = total(count_macs(module, inputs)) * len(inputs[0])
    assert counted == pytest.approx(torch_macs(module, inputs), rel=1e-12)


class Products(nn.Module):
    """Weights used by functions instead of layers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 5))

    def forward(self, x):
        heads = torch.stack([x @ self.weight, x.matmul(self.weight)])
        y = F.scaled_dot_product_attention(heads, heads, heads)
        y = (
            y
            + torch.einsum("nli,io->nlo", x, self.weight)
            + F.linear(x, self.weight.t())
        )
        y = y + torch.addmm(torch.zeros(5), x[0], self.weight)
        return torch.bmm(y[0], y[1].mT)


ODD_LAYERS = {
    "groups": (nn.Conv2d(4, 6, 3, 2, 1, groups=2), torch.ones(2, 4, 9, 7)),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2), torch.ones(2, 4, 5, 3)),
    "cell": (nn.LSTMCell(3, 4), torch.ones(2, 3)),
    "both ways": (
        nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True),
        torch.ones(2, 7, 3),
    ),
    "projected": (nn.LSTM(3, 4, proj_size=2, batch_first=True), torch.ones(2, 7, 3)),
    "attention": (
        nn.MultiheadAttention(8, 2, kdim=6, vdim=4, batch_first=True),
        (torch.ones(2, 3, 8), torch.ones(2, 5, 6), torch.ones(2, 5, 4)),
    ),
    "attention with extras": (
        nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True),
        (torch.ones(3, 2, 8), torch.ones(5, 2, 8), torch.ones(5, 2, 8)),
    ),
    "decoder": (
        nn.TransformerDecoderLayer(8, 2, 16, batch_first=True),
        (torch.ones(2, 3, 8), torch.ones(2, 5, 8)),
    ),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # torch's own
@pytest.mark.parametrize("name", ODD_LAYERS)
def test_agrees_on_odd_layers(name):
    module, inputs = ODD_LAYERS[name]
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    counted = total(count_macs(module, inputs, n_samples=1))
    assert counted == torch_macs(copy.deepcopy(module), inputs)


def test_products_without_layers_by_hand():
    (counted,) = count_macs(Products(), torch.ones(2, 4, 3)).values()
    # Four products with all positions of both samples, one with those of the first.
    assert counted.positions == {"weight": 4 * 4 + 4 / 2}
    attention = 2 * 2 * (4 * 4 * 5)  # two copies, scores and their use
    assert counted.activation_macs == attention + 4 * 4 * 5
    assert counted.macs == 18 * 15 + counted.activation_macs


def test_uses_of_weights_by_hand():
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 4)
    )
    uses = weight_uses(network, torch.zeros(7, 1, 5, 5))
    assert uses.pop("0.weight") == 9.0
    assert uses.pop("3.weight") == 1.0
    assert set(uses) == {"0.bias", "1.weight", "1.bias", "3.bias"}
    assert set(uses.values()) == {0.0}


def test_uses_do_not_depend_on_the_batch():
    module, (x,) = ARCHITECTURES["unet"]()
    assert weight_uses(module, x) == weight_uses(module, x[:1])


def test_uses_of_recurrent_weights_count_steps():
    layer = nn.GRU(3, 4, 2)
    uses = weight_uses(layer, torch.zeros(6, 5, 3), n_samples=5)
    assert {uses[name] for name in uses if "weight" in name} == {6.0}
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(6, 2, 3), [6, 2])

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, lengths):
            return self.layer(packed)[1]

    uses = weight_uses(Packed(), torch.tensor([6, 2]))
    assert uses["layer.weight_hh_l1"] == 4.0  # eight steps of two samples


def test_a_layer_that_runs_twice_is_counted_twice():
    layer = nn.Linear(4, 4)
    network = nn.Sequential(layer, nn.ReLU(), layer)
    assert weight_uses(network, torch.zeros(3, 4))["0.weight"] == 2.0


def test_uses_of_tied_weights_add_up_under_their_first_name():
    module, inputs = ARCHITECTURES["tied-language-model"]()
    uses = weight_uses(module, inputs)
    assert uses["embedding.weight"] == 7.0  # seven tokens; looking up is free
    assert "decoder.weight" not in uses
    assert count_macs(module, inputs)["decoder"].positions == {"embedding.weight": 7.0}


def test_uses_tell_what_a_mask_leaves():
    """Removing rows of the weights is the same as masking them."""
    wide, narrow = nn.Conv1d(3, 8, 3), nn.Conv1d(3, 2, 3)
    x = torch.zeros(2, 3, 10)
    kept = 2 * 9 * weight_uses(wide, x)["weight"]
    assert kept == total(count_macs(narrow, x))


def test_attention_between_activations_has_no_weights():
    layer = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(2, 3, 8)
    (counted,) = count_macs(layer, (x, x, x)).values()
    assert counted.activation_macs == 2 * 3 * 3 * 8
    weights = sum(
        layer.get_parameter(name).numel() * uses
        for name, uses in counted.positions.items()
    )
    assert counted.macs == weights + counted.activation_macs


def test_the_network_is_left_as_it_was():
    module, inputs = ARCHITECTURES["small-conv"]()
    module.train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    count_macs(module, inputs)
    assert module.training and not module[1].training
    assert not any(part._forward_hooks for part in module.modules())
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


def test_inputs_may_be_named():
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.zeros(2, 3, 8)
    named = count_macs(module, {"query": x, "key": x, "value": x})
    assert named == count_macs(module, (x, x, x))


@pytest.mark.parametrize(
    "inputs, n_samples, error, message",
    [
        ("text", None, TypeError, "example_inputs of type str"),
        ((1, 2), None, TypeError, "at least one tensor"),
        (torch.zeros(1, 4), 0, ValueError, "n_samples=0"),
        (torch.zeros(1, 4), 1.5, TypeError, "n_samples=1.5"),
    ],
)
def test_bad_parameters(inputs, n_samples, error, message):
    with pytest.raises(error, match=message):
        count_macs(nn.Linear(4, 4), inputs, n_samples=n_samples)
