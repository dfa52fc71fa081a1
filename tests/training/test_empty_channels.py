"""Channels that have lost all their weights, before batch norm."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.training._empty_channels import (
    normalized_layers,
    settle_empty_channels,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(160, 1, 6, 6)).astype(np.float32)
Y = (X[:, 0, :3].mean((1, 2)) > X[:, 0, 3:].mean((1, 2))).astype(np.int64)


class Walking(nn.Conv2d):
    """Biases of empty channels move, as Adam moves them: their gradient is rounding."""

    def forward(self, x):
        if self.training:
            self.bias.data += 0.05 * (self.weight == 0).flatten(1).all(1)
        return super().forward(x)


class Net(nn.Sequential):
    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__(
            nn.Conv2d(1, 8, 3),
            norm(8),
            nn.ReLU(),
            Walking(8, 8, 3),
            norm(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32, 2),
        )


def net(**settings):
    return NeuralNetClassifier(
        Net,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.03,
        batch_size=32,
        verbose=0,
        **{"train_split": None, "max_epochs": 12, **settings},
    )


def pruner(estimator, method="random", **settings):
    """A mask that leaves some channels of the second convolution empty."""
    return MaskPruner(
        estimator,
        method=method,
        sparsity=0.97,
        include=["0.weight", "3.weight"],
        **{"random_state": 0, **settings},
    )


def assert_settled(module):
    weight, bias = module[3].weight.detach(), module[3].bias.detach()
    empty = (weight == 0).all(-1).all(-1).all(-1)
    assert 0 < empty.sum() < 8
    torch.testing.assert_close(module[4].running_mean[empty], bias[empty])
    assert not torch.equal(module[4].running_mean[~empty], bias[~empty])


def in_training_mode(module):
    """What the network computes with the statistics of the batch."""
    module.train()
    with torch.no_grad():
        out = module(torch.as_tensor(X)).softmax(1).numpy()
    module.eval()
    return out


@pytest.mark.parametrize("seed", [0, 1])
def test_evaluation_computes_what_was_trained(seed):
    fitted = pruner(net(), random_state=seed).fit(X, Y)
    module = fitted.estimator_.module_
    assert_settled(module)
    ours = fitted.predict_proba(X)
    assert np.abs(ours - in_training_mode(module)).mean() < 0.15


def test_validation_sees_it_too():
    """It comes after the steps of an epoch, and before anything else looks."""
    held_out = net(train_split=lambda dataset, y: (dataset, dataset))
    fitted = pruner(held_out).fit(X, Y)
    assert_settled(fitted.estimator_.module_)
    loss = log_loss(Y, fitted.predict_proba(X))
    assert fitted.history_[-1]["valid_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("method", ["magnitude", "continuous"])
def test_a_mask_that_is_hardened_after_the_last_step(method):
    """Its channels become empty only then."""
    channels = {"granularity": "channel", "sparsity": 0.5, "finetune": 0.0}
    fitted = pruner(net(), method).set_params(**channels).fit(X, Y)
    assert_settled(fitted.estimator_.module_)


def test_quantized_networks_are_settled():
    chain = MixedPrecisionQuantizer(pruner(net()), method="lsq", target_bits=4)
    assert_settled(chain.set_params(random_state=0).fit(X, Y).estimator_.module_)


def buffers(fitted):
    return [b.clone() for b in fitted.estimator_.module_.buffers()]


@pytest.mark.parametrize("finetune", [0.0, 0.3])
def test_part_by_part_and_from_a_file_it_is_the_same(finetune, tmp_path):
    settings = {"finetune": finetune, "granularity": "channel", "sparsity": 0.5}
    whole = pruner(net(), "continuous").set_params(**settings).fit(X, Y)
    parts = pruner(net(), "continuous").set_params(**settings)
    for _ in range(12):
        parts.partial_fit(X, Y)
    kept = pruner(net(), "continuous", checkpoint=tmp_path / "run")
    kept.set_params(**settings).fit(X, Y)
    again = kept.fit(X, Y)  # from the finished file
    for other in (parts, again):
        for ours, theirs in zip(buffers(other), buffers(whole), strict=True):
            assert torch.equal(ours, theirs)


class TestWhichLayers:
    def found(self, module, X=None):
        rows = torch.randn(4, 1, 6, 6) if X is None else X
        layers = normalized_layers(module, rows)
        return [
            (name, other)
            for pair in layers
            for name, layer in module.named_modules()
            for other, norm in module.named_modules()
            if layer is pair.layer and norm is pair.norm
        ]

    def test_those_that_go_straight_into_a_norm(self):
        module = Net()
        before = [b.clone() for b in module.buffers()]
        module[0].eval()
        assert self.found(module) == [("0", "1"), ("3", "4")]
        assert all(map(torch.equal, module.buffers(), before))
        assert module.training and not module[0].training

    def test_linear_ones_where_outputs_are_channels(self):
        rows = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))
        assert self.found(rows, torch.randn(4, 5)) == [("0", "1")]
        steps = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3))
        assert self.found(steps, torch.randn(4, 3, 5)) == []

    def test_named_inputs(self):
        class Named(nn.Sequential):
            def forward(self, x):
                return self[1](input=self[0](x))

        module = Named(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8))
        assert self.found(module) == [("0", "1")]

    def test_not_those_with_something_between(self):
        module = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.BatchNorm2d(8))
        assert self.found(module) == []

    def test_not_those_without_a_bias(self):
        module = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8))
        assert self.found(module) == []

    def test_not_norms_that_are_shared(self):
        norm = nn.BatchNorm2d(8)
        module = nn.Sequential(nn.Conv2d(1, 8, 1), norm, nn.Conv2d(8, 8, 1), norm)
        assert self.found(module) == []

    @pytest.mark.parametrize("how", ["momentum", "mode", "no statistics"])
    def test_not_norms_that_do_not_follow_their_inputs(self, how):
        class Frozen(nn.BatchNorm2d):
            def train(self, mode=True):
                return super().train(False)

        norm = {
            "momentum": nn.BatchNorm2d(8, momentum=0),
            "mode": Frozen(8),
            "no statistics": nn.BatchNorm2d(8, track_running_stats=False),
        }[how]
        assert self.found(nn.Sequential(nn.Conv2d(1, 8, 3), norm)) == []

    def test_only_empty_channels_are_settled(self):
        module = Net()
        with torch.no_grad():
            module[0].weight[2] = 0
        settle_empty_channels(normalized_layers(module, torch.randn(4, 1, 6, 6)))
        expected = torch.zeros(8)
        expected[2] = module[0].bias[2].detach()
        torch.testing.assert_close(module[1].running_mean, expected)
