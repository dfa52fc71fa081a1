"""Long runs: killed and resumed, continued by hand, watched, in several processes."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim.lr_scheduler import StepLR

from sklearn_pb import MaskPruner
from sklearn_pb.methods import Continuation, MonteCarlo

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
)


class Dropping(nn.Module):
    """A small network with dropout and running statistics."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden = nn.Linear(4, 12)
        self.norm = nn.BatchNorm1d(12)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(12, n_outputs)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.norm(self.hidden(X)))))


def quick_net(kind=NeuralNetClassifier, module=Dropping, **changes):
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 0.01,
        "lr": 0.05,
        "max_epochs": 5,
        "batch_size": 30,
        "iterator_train__shuffle": True,
    }
    return kind(module, **{**settings, **changes})


def pruner(method="continuous", net=None, **changes):
    settings = {"sparsity": 0.7, "warmup": 0.2, "random_state": 0}
    net = quick_net() if net is None else net
    return MaskPruner(net, method=method, **{**settings, **changes})


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), y


def history(fitted, net=False):
    """The records without the durations."""
    rows = fitted.estimator_.history if net else fitted.history_
    return [{k: v for k, v in row.items() if k != "dur"} for row in rows]


def same(first, second):
    for name, value in first.estimator_.module_.state_dict().items():
        assert torch.equal(value, second.estimator_.module_.state_dict()[name]), name
    for name, mask in first.masks_.items():
        assert torch.equal(mask, second.masks_[name])
    assert history(first) == history(second)
    assert history(first, net=True) == history(second, net=True)


class Killed(Exception):
    """Stands for the end of a process."""


class Kill(Callback):
    """Stop a run after so many batches; nobody behind sees that batch."""

    def __init__(self, after=None):
        self.after = after

    def on_train_begin(self, net, **kwargs):
        self.left = self.after

    def on_batch_end(self, net, **kwargs):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Killed


class Marks(Callback):
    """A user's callback that learns something, and sees the records as they come."""

    def on_train_begin(self, net, **kwargs):
        self.n_batches_ = 0
        self.seen_ = []

    def on_batch_end(self, net, **kwargs):
        self.n_batches_ += 1

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        self.seen_.append([row["phase"], row["sparsity"], row.get("strength")])
        net.history.record("n_seen", self.n_batches_)


SAMPLED = [
    "arms",
    "straight-through",
    MonteCarlo(gradient="rebar", n_samples=2),
    MonteCarlo(gradient="loorf", n_samples=3, evaluation="sliced"),
]


class TestCheckpoint:
    """A run that goes on ends as one that was never stopped, bit for bit."""

    @pytest.mark.parametrize(
        "method",
        ["continuous", Continuation(interval=3), "gmp", "magnitude", "taylor", *SAMPLED],
        ids=repr,
    )
    @pytest.mark.parametrize("every", [0.0, "epoch"])
    def test_a_stopped_run_goes_on(self, iris, tmp_path, method, every):
        path = tmp_path / "run.pt"
        whole = pruner(method, self.net()).fit(*iris)
        n_stops = 0
        for after in (0, 1, 5, 4, 7, 9, 6):
            part = pruner(method, self.net(after), checkpoint=path)
            part.set_params(checkpoint_every=every)
            try:
                part.fit(*iris)
            except Killed:
                n_stops += 1
        rest = pruner(method, self.net(), checkpoint=path, checkpoint_every=every)
        same(rest.fit(*iris), whole)
        assert n_stops >= 3

    @staticmethod
    def net(after=None):
        callbacks = [Marks(), LRScheduler(StepLR, step_size=2)]
        net = quick_net(callbacks=[*callbacks, ("kill", Kill)])
        return net.set_params(callbacks__kill__after=after)
