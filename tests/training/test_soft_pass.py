"""Soft masks computed and stepped with the weights: the same run, in one pass."""

import pickle
from copy import deepcopy
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner, kernels
from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.methods import Continuation
from sklearn_pb.training import _soft_pass

pytestmark = [
    pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed"),
    pytest.mark.filterwarnings(
        "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
    ),
]
X = np.random.default_rng(0).standard_normal((200, 12)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int64)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 2))


class Words(nn.Module):
    """Its first layer has sparse gradients."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8, sparse=True)
        self.output = nn.Linear(8, 2)

    def forward(self, X):
        return self.output(self.embedding(X).mean(1))


def fitted(module=Net, data=X, optimizer=torch.optim.Adam, **settings):
    net = NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=optimizer,
        lr=0.01,
        max_epochs=8,
        batch_size=32,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(
        net, **{"method": "continuous", "random_state": 0, "sparsity": 0.7, **settings}
    )
    return pruner.fit(data, Y)


@pytest.fixture
def passes(monkeypatch):
    """How many training steps the pass has made."""
    made, collect = [], _soft_pass.SoftPass.collect

    def counted(self):
        done = collect(self)
        made.append(done)
        return done

    monkeypatch.setattr(_soft_pass.SoftPass, "collect", counted)
    return made


def without_kernels(monkeypatch, make):
    kernels._numba_module.cache_clear()
    monkeypatch.setattr(kernels, "_has_numba", lambda: False)
    try:
        return make()
    finally:
        monkeypatch.undo()
        kernels._numba_module.cache_clear()


SETTINGS = {
    "target": {},
    "price alone": {"sparsity": None},
    "no saturation": {"method": Continuation(saturation=None)},
    "supermask": {"train_weights": False},
    "warm-up": {"warmup": 0.3},
    "interval": {"method": Continuation(interval=3)},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_is_the_same_run(settings, passes, monkeypatch):
    ours = fitted(**settings)
    assert any(passes)
    plain = without_kernels(monkeypatch, lambda: fitted(**settings))
    for name, mask in plain.masks_.items():
        assert (np.asarray(ours.masks_[name]) == np.asarray(mask)).mean() > 0.98, name
    theirs = [row["train_loss"] for row in plain.history_]
    losses = [row["train_loss"] for row in ours.history_]
    np.testing.assert_allclose(losses, theirs, rtol=1e-3)


OTHERS = {
    "rescaled": {"rescale": True},
    "blocks": {"granularity": "channel", "sparsity": 0.5},
    "by layer": {"scope": "layer"},
    "another step": {"method": Continuation(soft_step="erf")},
    "sgd": {"method": Continuation(optimizer="sgd")},
    "two temperatures": {"method": "two-temperature"},
}


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS)
def test_what_is_not_usual_is_left_to_the_search(settings, passes):
    fitted(**settings)
    assert passes and not any(passes)


def test_sparse_gradients_are_left_to_the_search(passes):
    data = np.random.default_rng(1).integers(0, 30, (200, 6))
    pruner = fitted(Words, data, torch.optim.SGD, include=["embedding.weight"])
    assert passes and not any(passes)
    assert pruner.sparsity_ == pytest.approx(0.7, abs=0.01)


def test_weights_may_be_put_elsewhere_between_steps():
    """As a user's callback may do; views of the old memory must not be used."""
    module = Net()
    layout = SingleWeights().layout(module, prunable_parameters(module))
    masked = _soft_pass.MaskedModule(module, layout)
    mask = torch.full((layout.n_variables,), 0.5)
    for _ in range(2):
        masked.mask = mask
        masked.lend()
        expected = [w / 2 for w in masked.weights.weights]
        lent = [p.data.clone() for p in masked.weights.parameters]
        masked.weights.take_back()
        for got, want in zip(lent, expected, strict=True):
            assert torch.equal(got, want)
        for parameter in masked.weights.parameters:
            parameter.data = parameter.data.clone() + 1


def test_copies_have_views_of_their_own():
    module = Net()
    layout = SingleWeights().layout(module, prunable_parameters(module))
    masked = _soft_pass.MaskedModule(module, layout)
    masked.mask = torch.full((layout.n_variables,), 0.5)
    masked.lend()
    masked.weights.take_back()
    for copy in (deepcopy(masked), pickle.loads(pickle.dumps(masked))):
        with torch.no_grad():
            for parameter in copy.weights.parameters:
                parameter.fill_(3.0)
        copy.lend()
        assert all((p == 1.5).all() for p in copy.weights.parameters)
        copy.weights.take_back()


@pytest.mark.parametrize(
    "gradient",
    [
        torch.zeros(4, dtype=torch.float64),
        torch.zeros(4, dtype=torch.bfloat16),
        torch.zeros(8)[::2],
        torch.zeros(4).to_sparse(),
    ],
    ids=["double", "half", "strided", "sparse"],
)
def test_gradients_of_another_kind_are_left_to_the_search(gradient):
    """The kernels would take what lies at their address for something else."""
    assert not _soft_pass._fits(gradient)
