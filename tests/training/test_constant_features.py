"""Channels that have lost all their weights, before batch norm."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.training._constant_features import settle_constant_features

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


def random_pruner(estimator, **settings):
    """A mask that leaves some channels of the second convolution empty."""
    return MaskPruner(
        estimator,
        method="random",
        sparsity=0.97,
        include=["0.weight", "3.weight"],
        **{"random_state": 0, **settings},
    )


def assert_settled(module):
    weight, bias = module[3].weight.detach(), module[3].bias.detach()
    empty = (weight == 0).all(-1).all(-1).all(-1)
    assert 0 < empty.sum() < 8
    torch.testing.assert_close(module[4].running_mean[empty], bias[empty])


def in_training_mode(module):
    """What the network computes with the statistics of the batch."""
    module.train()
    with torch.no_grad():
        out = module(torch.as_tensor(X)).softmax(1).numpy()
    module.eval()
    return out


@pytest.mark.parametrize("seed", [0, 1])
def test_evaluation_computes_what_was_trained(seed):
    pruner = random_pruner(net(), random_state=seed).fit(X, Y)
    module = pruner.estimator_.module_
    assert_settled(module)
    ours = pruner.predict_proba(X)
    assert np.abs(ours - in_training_mode(module)).mean() < 0.15


def test_validation_sees_it_too():
    """It comes after the steps of an epoch, and before anything else looks."""
    held_out = net(train_split=lambda dataset, y: (dataset, dataset))
    pruner = random_pruner(held_out).fit(X, Y)
    loss = log_loss(Y, pruner.predict_proba(X))
    assert pruner.history_[-1]["valid_loss"] == pytest.approx(loss, rel=1e-5)


def test_a_search_that_is_cut_short_ends_settled():
    """The hard mask comes after the last step then."""
    assert_settled(random_pruner(net(), finetune=0.0).fit(X, Y).estimator_.module_)


def test_quantized_networks_are_settled():
    chain = MixedPrecisionQuantizer(random_pruner(net()), method="lsq", target_bits=4)
    assert_settled(chain.set_params(random_state=0).fit(X, Y).estimator_.module_)


class TestWhatIsLeftAlone:
    @pytest.fixture
    def trained(self):
        return net(max_epochs=1).fit(X, Y)

    def test_features_that_vary(self, trained):
        norm = trained.module_[1]
        before = norm.running_mean.clone(), norm.running_var.clone()
        settle_constant_features(trained, (torch.as_tensor(X), torch.as_tensor(Y)))
        assert torch.equal(norm.running_mean, before[0])
        assert torch.equal(norm.running_var, before[1])

    def test_means_that_the_user_has_fixed(self, trained):
        norm = trained.module_[1]
        norm.momentum = 0
        with torch.no_grad():
            trained.module_[0].weight[0] = 0
        before = norm.running_mean.clone()
        settle_constant_features(trained, (torch.as_tensor(X), torch.as_tensor(Y)))
        assert torch.equal(norm.running_mean, before)

    def test_few_rows_that_agree_by_chance(self):
        module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
        trained = NeuralNetClassifier(module).initialize()
        rows = torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)
        module[1].running_mean.fill_(5.0)
        settle_constant_features(trained, rows)
        assert (module[1].running_mean == 5).all()
        module[1].running_var.zero_()  # constant for long
        settle_constant_features(trained, rows)
        torch.testing.assert_close(module[1].running_mean, module[0].bias.detach())
