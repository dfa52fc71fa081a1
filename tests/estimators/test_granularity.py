"""Exact sparsity for every granularity, scope and unit, and zeros that stay."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.export import compact
from sklearn_pb.masks import Blocks, NofM
from sklearn_pb.methods import PRESETS

METHODS = ["continuous", "gmp", "magnitude", "straight-through", "random"]
ALL_METHODS = sorted(name for name, make in PRESETS.items() if make().fits_networks)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 12, 3)
        self.fc1 = nn.Linear(12 * 9, 20)
        self.fc2 = nn.Linear(20, 10)

    def forward(self, X):
        X = X.view(-1, 1, 8, 8)
        X = torch.relu(self.norm1(self.conv1(X)))
        X = nn.functional.max_pool2d(torch.relu(self.conv2(X)), 2)
        return self.fc2(torch.relu(self.fc1(X.flatten(1))))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 4, batch_first=True)
        self.output = nn.Linear(64, 10)

    def forward(self, X):
        X = X.view(-1, 8, 8)
        return self.output(self.attention(X, X, X, need_weights=False)[0].flatten(1))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X[:200] / 16).astype(np.float32), y[:200]


def fit(digits, module=ConvNet, **settings):
    net = NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        optimizer__weight_decay=0.01,
        lr=0.05,
        max_epochs=3,
        batch_size=50,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(net, finetune=0.4, random_state=0, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SparsityWarning)  # runs here are very short
        return pruner.fit(*digits)


def check_zeros(pruner):
    for name, mask in pruner.masks_.items():
        parameter = pruner.estimator_.module_.get_parameter(name)
        assert not parameter[~mask].any()


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
@pytest.mark.parametrize("granularity", ["weight", Blocks(2, 3)])
@pytest.mark.parametrize("method", METHODS)
def test_weights_and_blocks(digits, method, granularity, scope):
    pruner = fit(
        digits, method=method, granularity=granularity, scope=scope, sparsity=0.8
    )
    check_zeros(pruner)
    d = 72 + 864 + 2160 + 200
    if granularity != "weight":
        d = 4 * 3 + 6 * 24 + 10 * 36 + 5 * 7
    assert pruner.sparsity_ == pytest.approx(round(0.8 * d) / d, abs=1e-12)
    if scope == "layer":
        for share in pruner.layer_sparsity_.values():
            assert share == pytest.approx(0.8, abs=1 / 12)


@pytest.mark.parametrize("method", METHODS)
def test_patterns(digits, method):
    pruner = fit(digits, method=method, granularity=NofM(2, 4))
    check_zeros(pruner)
    mask = pruner.masks_["fc1.weight"]
    assert (mask.view(20, 27, 4).sum(2) == 2).all()
    assert (pruner.masks_["conv2.weight"].view(12, 2, 4, 9).sum(2) == 2).all()


@pytest.mark.parametrize("method", ALL_METHODS)
def test_channels(digits, method):
    pruner = fit(digits, method=method, granularity="channel", sparsity=0.5)
    check_zeros(pruner)
    assert pruner.sparsity_ == 0.5  # 20 of 8 + 12 + 20
    assert set(pruner.layer_sparsity_) == {"conv1", "conv2", "fc1"}
    module = pruner.estimator_.module_.eval()
    X = torch.as_tensor(digits[0])
    smaller = compact(module, X[:2])
    n_kept = 40 - 20
    assert (
        len(smaller.conv1.bias) + len(smaller.conv2.bias) + len(smaller.fc1.bias)
    ) == n_kept
    torch.testing.assert_close(smaller.eval()(X), module(X), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_heads(digits, method):
    pruner = fit(digits, Attention, method=method, granularity="head", sparsity=0.5)
    check_zeros(pruner)
    assert pruner.sparsity_ == 0.5
    assert pruner.layer_sparsity_ == {"attention": 0.5}


@pytest.mark.parametrize("granularity", ["weight", "channel"])
@pytest.mark.parametrize("count", ["parameters", "macs"])
def test_measured_counts(digits, count, granularity):
    pruner = fit(
        digits, method="gmp", granularity=granularity, count=count, sparsity=0.6
    )
    check_zeros(pruner)
    assert 0.6 <= pruner.sparsity_ < 0.7
    if (count, granularity) == ("parameters", "channel"):
        module = pruner.estimator_.module_
        smaller = compact(module, torch.as_tensor(digits[0][:2]))
        full, left = (sum(p.numel() for p in m.parameters()) for m in (module, smaller))
        assert pruner.sparsity_ == pytest.approx(1 - left / full, abs=1e-12)


def test_a_mapping_of_layers(digits):
    pruner = fit(digits, method="gmp", sparsity={"conv*": 0.5, "fc1.weight": 0.9})
    assert pruner.layer_sparsity_ == pytest.approx(
        {"conv1.weight": 0.5, "conv2.weight": 0.5, "fc1.weight": 0.9, "fc2.weight": 0}
    )


@pytest.mark.parametrize("method", ["continuous", "magnitude"])
def test_every_kind_of_layer_can_be_pruned(digits, method):
    class Everything(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(17, 6)
            self.conv1 = nn.Conv1d(6, 8, 3, padding=1)
            self.up = nn.ConvTranspose1d(8, 6, 2, stride=2)
            self.volume = nn.Conv3d(1, 2, 3, padding=1)
            self.rnn = nn.RNN(6, 5, batch_first=True)
            self.lstm = nn.LSTM(5, 4, batch_first=True, bidirectional=True)
            self.gru = nn.GRU(8, 6, batch_first=True)
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.output = nn.Linear(6, 17, bias=False)
            self.output.weight = self.embedding.weight  # tied
            self.last = nn.Linear(17, 10)

        def forward(self, X):
            X = self.embedding((X[:, :8] * 16).long())
            X = self.up(torch.relu(self.conv1(X.transpose(1, 2)))).transpose(1, 2)
            X = self.volume(X[:, None, None]).mean((1, 2))
            X = self.gru(self.lstm(self.rnn(X)[0])[0])[0]
            X = self.attention(X, X, X)[0].mean(1)
            return self.last(self.output(X))

    pruner = fit(digits, Everything, method=method, sparsity=0.7)
    check_zeros(pruner)
    names = dict(pruner.estimator_.module_.named_parameters())
    prunable = {n for n, p in names.items() if p.ndim >= 2}
    assert set(pruner.masks_) == prunable and "output.weight" not in prunable
    d = sum(names[name].numel() for name in prunable)
    assert pruner.sparsity_ == pytest.approx(round(0.7 * d) / d, abs=1e-12)
    assert torch.equal(
        pruner.estimator_.module_.output.weight,
        pruner.estimator_.module_.embedding.weight,
    )


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_every_layer_keeps_a_channel(digits, scope):
    pruner = fit(digits, method="gmp", granularity="channel", sparsity=0.9, scope=scope)
    assert pruner.sparsity_ == 0.9  # 4 of 8 + 12 + 20
    assert max(pruner.layer_sparsity_.values()) < 1
    priced = fit(
        digits,
        method="continuous",
        granularity="channel",
        constraint=L0Penalty(100.0),
    )
    assert max(priced.layer_sparsity_.values()) < 1


def test_a_sparsity_that_leaves_a_layer_empty_is_refused(digits):
    with pytest.raises(ValueError, match="each of the 3 layers must keep one"):
        fit(digits, method="gmp", granularity="channel", sparsity=0.95)


@pytest.mark.parametrize("method", ["continuous", "rebar", "taylor", "loorf"])
@pytest.mark.parametrize("train_weights", [True, False])
def test_frozen_layers_are_masked_and_not_trained(digits, method, train_weights):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    module[0].weight.requires_grad_(False)
    before = module[0].weight.clone()
    pruner = fit(
        digits, module, method=method, sparsity=0.5, train_weights=train_weights
    )
    after = pruner.estimator_.module_[0].weight
    mask = pruner.masks_["0.weight"]
    assert torch.equal(after[mask], before[mask]) and not after[~mask].any()
    assert not after.requires_grad and module[0].weight.equal(before)


def test_the_mask_of_a_frozen_layer_is_learned(digits):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    masks = []
    for frozen in (False, True):
        module[0].weight.requires_grad_(not frozen)
        pruner = fit(digits, module, sparsity=0.5, train_weights=False)
        masks.append(pruner.masks_["0.weight"])
    assert torch.equal(*masks)


@pytest.mark.parametrize("method", ["continuous", "gmp", "snip"])
def test_embeddings_with_sparse_gradients(digits, method):
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(17, 6, sparse=True)
            self.output = nn.Linear(6, 10)

        def forward(self, X):
            return self.output(self.embedding((X * 16).long()).mean(1))

    net = NeuralNetClassifier(
        Bag,
        criterion=nn.CrossEntropyLoss,
        lr=0.05,
        max_epochs=2,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(net, method=method, sparsity=0.5, random_state=0)
    pruner.fit(*digits)
    check_zeros(pruner)
    assert pruner.sparsity_ == pytest.approx(81 / 162)


def test_granularities_have_parameters():
    pruner = MaskPruner(granularity=Blocks(2, 2))
    pruner.set_params(granularity__rows=8)
    assert pruner.granularity == Blocks(8, 2)
