"""What a mask leaves is what the report counts and what the compact network has."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.export import compact, count_macs, report
from sklearn_pb.masks import network_measure, prunable_parameters, resolve_granularity


class Encoder(nn.Module):
    """16 tokens of one number each through two layers of attention with 4 heads."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 4, 12, batch_first=True)
        self.embed = nn.Linear(1, 8)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.output = nn.Linear(8, 3)

    def forward(self, x):
        return self.output(self.encoder(self.embed(x[..., None])).mean(1))


class ConvNetWithAttention(nn.Module):
    """Pixels behind two convolutions attend to each other."""

    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1)
        )
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.output = nn.Linear(4, 3)

    def forward(self, x):
        x = self.convolutions(x.view(-1, 1, 4, 4)).flatten(2).transpose(1, 2)
        return self.output(self.attention(x, x, x)[0].mean(1))


class RecurrentNet(nn.Module):
    """Two layers of LSTM in both directions over 4 steps of 4 numbers each."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 5)
        self.recurrent = nn.LSTM(
            5, 6, num_layers=2, bidirectional=True, batch_first=True
        )
        self.output = nn.Linear(12, 3)

    def forward(self, x):
        return self.output(self.recurrent(self.embed(x.view(-1, 4, 4)))[0][:, -1])


X = np.random.default_rng(0).normal(size=(24, 16)).astype(np.float32)
Y = np.arange(24) % 3


def total_macs(module, inputs):
    return sum(layer.macs for layer in count_macs(module, inputs).values())


@pytest.mark.parametrize(
    ("network", "granularity"),
    [
        *product(
            [Encoder, ConvNetWithAttention], ["weight", "block", "channel", "head"]
        ),
        *product([RecurrentNet], ["weight", "channel"]),
    ],
)
@pytest.mark.parametrize("unit", ["macs", "parameters"])
def test_any_mask_counts_as_the_report_and_the_compact_network_do(
    network, granularity, unit
):
    torch.manual_seed(0)
    module, inputs = network().eval(), torch.from_numpy(X[:2])
    layout = resolve_granularity(granularity).layout(
        module, prunable_parameters(module), inputs
    )
    measure = network_measure(unit, module, layout, inputs)
    whole = copy.deepcopy(module)
    mask = torch.rand(layout.n_variables) < 0.5
    for part in mask.split(layout.layers):
        part[-1], part[0] = False, True  # no layer is whole or empty
    masks = layout.masks(mask)
    with torch.no_grad():
        for name, kept in masks.items():
            module.get_parameter(name).mul_(kept)
    if granularity in ("channel", "head"):
        smaller = compact(module, inputs)
        count = sum(p.numel() for p in smaller.parameters())
        if unit == "macs":
            count = total_macs(smaller, inputs)
    else:
        total = report(module, masks, inputs, latency=False).total
        count = total.effective_macs if unit == "macs" else total.nonzeros
    assert measure(mask) == pytest.approx(count)
    if unit == "macs":
        assert measure.full == pytest.approx(total_macs(whole, inputs))


def test_costs_hold_what_a_head_multiplies():
    module, inputs = Encoder().eval(), torch.from_numpy(X[:2])
    layout = resolve_granularity("head").layout(
        module, prunable_parameters(module), None
    )
    measure = network_measure("macs", module, layout, inputs)
    alone = torch.ones(8)
    alone[3] = 0
    # Rows of q, k, v, columns of the output, and two products of 16 x 16 tokens.
    assert measure.full - measure(alone) == 16 * (3 * 2 * 8 + 8 * 2) + 2 * 256 * 2
    assert measure.costs().tolist() == pytest.approx([1.0] * 8)


@pytest.mark.parametrize(
    ("network", "granularity", "sparsity", "against"),
    [
        (Encoder, "weight", 0.4, "sparse"),
        (Encoder, "channel", 0.1, "compact"),
        (Encoder, "head", 0.2, "compact"),
        (RecurrentNet, "channel", 0.5, "compact"),
    ],
)
def test_a_fitted_pruner_says_what_its_report_says(
    network, granularity, sparsity, against
):
    net = NeuralNetClassifier(
        network,
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(
        net,
        method="gmp",
        granularity=granularity,
        count="macs",
        sparsity=sparsity,
        random_state=0,
    ).fit(X, Y)
    networks = pruner.report_.networks
    gone = 1 - networks[against].macs / networks["dense"].macs
    assert pruner.sparsity_ == pytest.approx(gone)
    assert sparsity <= pruner.sparsity_ < sparsity + 0.15


def mlp():
    return nn.Sequential(
        nn.Linear(16, 40), nn.ReLU(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 3)
    )


def fit_learned(**settings):
    """Fit a mask that is learned in 300 steps; far from its target is a warning."""
    net = NeuralNetClassifier(
        mlp,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.01,
        max_epochs=75,
        batch_size=6,
        train_split=None,
        verbose=0,
    )
    labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    return MaskPruner(net, count="macs", random_state=0, **settings).fit(X, labels)


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_a_learned_mask_meets_a_budget_of_multiply_adds(scope):
    pruner = fit_learned(sparsity=0.75, scope=scope)
    assert 0.75 <= pruner.sparsity_ < 0.752
    shares = list(pruner.layer_sparsity_.values())
    if scope == "layer":
        assert shares == pytest.approx([0.75] * 3, abs=0.02)
    if scope == "erk":
        densities = [1 - share for share in shares[:2]]
        assert densities[1] / densities[0] == pytest.approx(
            (60 / 800) / (56 / 640), rel=0.05
        )
        assert shares[2] == 0.0


def test_a_learned_mask_knows_what_the_others_cannot_give():
    pruner = fit_learned(sparsity=0.3, include="0")
    wanted = 0.3 * (640 + 800 + 60) / 640
    assert pruner.layer_sparsity_ == pytest.approx({"0.weight": wanted}, abs=2e-3)
    learned = [r["sparsity"] for r in pruner.history_ if r["phase"] == "search"][-1]
    assert learned == pytest.approx(wanted, abs=0.15)


def test_a_mapping_of_multiply_adds():
    pruner = fit_learned(sparsity={"0.*": 0.8, "4.*": 0.5})
    assert pruner.layer_sparsity_ == pytest.approx(
        {"0.weight": 0.8, "2.weight": 0.0, "4.weight": 0.5}
    )
    assert pruner.sparsity_ == pytest.approx((0.8 * 640 + 0.5 * 60) / 1500)
