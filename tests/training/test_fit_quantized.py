"""Quantized training through skorch: codes are what predicts, targets, resuming."""

import re

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn

from sklearn_pb.exceptions import NonFiniteLossError
from sklearn_pb.masks import prunable_parameters
from sklearn_pb.quantizers import (
    BSQ,
    METHODS,
    PACT,
    DoReFa,
    PrecisionOptions,
    PrecisionTarget,
    Smol,
    SmolActivations,
    coded_bits,
)
from sklearn_pb.training import Course, QuantizingOptions, RunFile, fit_quantized
from sklearn_pb.utils import Checkpoint, RandomStream


class Conv(nn.Sequential):
    """With batch norm, dropout, and a convolution that has its inputs first."""

    def __init__(self):
        super().__init__(
            nn.Unflatten(1, (1, 2, 3)),
            nn.ConvTranspose2d(1, 6, 2),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 8, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(96, 2),
        )


class Words(nn.Module):
    """Rows of signs are taken for words, whose vectors are tied to an output."""

    def __init__(self, sparse=False):
        super().__init__()
        self.words = nn.Embedding(12, 10, sparse=sparse)
        self.attention = nn.MultiheadAttention(10, 2, batch_first=True)
        self.out = nn.Linear(10, 2)

    def forward(self, X):
        places = 2 * torch.arange(6, device=X.device)
        words = self.words(places + (X > 0))
        seen, _ = self.attention(words, words, words, need_weights=False)
        return self.out(seen.mean(1))


def dense(n_hidden=24):
    return nn.Sequential(nn.Linear(6, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 2))


def data(n=160):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def net(module=dense, kind=NeuralNetClassifier, **changes):
    torch.manual_seed(0)
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "max_epochs": 12,
        "batch_size": 20,
        "lr": 0.01,
        "train_split": None,
        "verbose": 0,
        "iterator_train__shuffle": True,
        "iterator_train__generator": torch.Generator().manual_seed(0),
    }
    return kind(module(), **{**settings, **changes}).initialize()


def fit(trained, method=None, course=None, y=None, **settings):
    X, labels = data()
    options = QuantizingOptions(
        method or Smol(), **{"target": PrecisionTarget(2.0), **settings}
    )
    names = prunable_parameters(trained.module_)
    return fit_quantized(
        trained,
        names,
        X,
        labels if y is None else y,
        options,
        RandomStream(0),
        course=course,
    )


def mean_bits(quantized):
    total = sum(float(q.bits.expand(q.shape).double().sum()) for q in quantized)
    return total / sum(q.codes.numel() for q in quantized)


@pytest.mark.parametrize("module", [dense, Conv, Words])
def test_the_target_is_met_on_three_networks_and_costs_no_accuracy(module):
    reference = net(module, max_epochs=24).partial_fit(*data())
    trained = net(module, max_epochs=24)
    found = fit(trained)
    assert 1.96 <= mean_bits(found.quantized.values()) <= 2.0
    assert trained.score(*data()) >= reference.score(*data()) - 0.05
    searched = [row for row in found.history if row["phase"] == "search"]
    assert searched[-1]["mean_bits"] == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_codes_are_what_the_network_predicts_with(name):
    trained = net(Conv, max_epochs=3)
    found = fit(trained, METHODS[name]())
    for key, tensor in found.quantized.items():
        assert torch.equal(trained.module_.get_parameter(key), tensor.dequantize())
        assert len(torch.unique(tensor.codes)) <= 2**8
    assert len(found.history) == 3
    assert found.error is None


def test_the_net_is_plain_again():
    trained = net(max_epochs=2)
    module, n_callbacks = trained.module_, len(trained.callbacks_)
    fit(trained)
    assert trained.module_ is module
    assert len(trained.callbacks_) == n_callbacks


def test_history_tells_phases_bits_and_price():
    found = fit(net(max_epochs=20))
    phases = [row["phase"] for row in found.history]
    assert phases == ["search"] * 11 + ["frozen"] * 9
    assert found.history[0]["mean_bits"] > 3
    assert found.history[-1]["mean_bits"] == pytest.approx(2, rel=0.02)
    assert all(row["strength"] > 0 for row in found.history)


def test_a_method_that_only_rounds_trains_the_network_as_it_is():
    reference = net(max_epochs=3).partial_fit(*data())
    trained = net(max_epochs=3)
    found = fit(trained, METHODS["post-training"](), target=PrecisionTarget(8))
    assert [row["phase"] for row in found.history] == ["dense"] * 3
    for key, tensor in found.quantized.items():
        weight = reference.module_.get_parameter(key).detach()
        torch.testing.assert_close(tensor.dequantize(), weight, rtol=0, atol=0.01)


def test_validation_runs_on_the_weights_that_the_run_would_end_with():
    seen = []

    class Look(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if not training:
                weights = net.module_.weights.parameters
                (values, *_), written = net.module_.weights._values, weights[0]
                seen.append((values.clone(), written.detach().clone()))

    split = ValidSplit(4, stratified=False)
    trained = net(max_epochs=3, train_split=split, callbacks=[Look()])
    fit(trained, target=PrecisionTarget(1.0), precision=PrecisionOptions(scale=None))
    for values, written in seen:
        assert len(values.unique()) <= 16 < len(written.unique())


def test_pruned_weights_stay_zero():
    trained = net(max_epochs=6)
    weight = trained.module_[0].weight
    alive = torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) > 0.5
    found = fit(trained, alive={"0.weight": alive})
    tensor = found.quantized["0.weight"]
    assert not tensor.codes[~alive].any()
    assert not tensor.bits.expand(tensor.shape)[~alive].any()
    assert tensor.codes[alive].any()
    assert 1.96 <= mean_bits(found.quantized.values()) <= 2.0


def test_bytes_are_met_when_the_run_ends():
    found = fit(net(lambda: dense(64)), target=PrecisionTarget(400.0, "bytes"))
    size = coded_bits(list(found.quantized.values())) / 8
    assert size == pytest.approx(400, rel=0.02)


def test_energy_counts_how_often_weights_are_used():
    """What is used a hundred times as often gets fewer bits."""
    settings = {"target": PrecisionTarget(4.0, "energy"), "granularity": "layer"}
    bits = []
    for uses in ({"0.weight": 1e3}, {"2.weight": 1e3}):
        found = fit(net(max_epochs=20), uses=uses, **settings)
        bits.append([found.quantized[k].mean_bits for k in ("0.weight", "2.weight")])
    assert bits[0][0] < bits[1][0]
    assert bits[1][1] < bits[0][1]


@pytest.mark.parametrize("activations", [PACT(), SmolActivations(target_bits=3.0)])
def test_activations_are_quantized_beside_the_weights(activations):
    trained = net(Conv)
    found = fit(trained, activations=activations)
    wanted = 4 if isinstance(activations, PACT) else pytest.approx(3.0, rel=0.1)
    assert found.history[-1]["activation_bits"] == wanted
    assert trained.score(*data()) > 0.8


def test_regression_with_sample_weights():
    X, _ = data()
    y = X[:, :1] * X[:, 1:2]
    trained = net(
        lambda: nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1)),
        NeuralNetRegressor,
        criterion=nn.MSELoss,
        max_epochs=40,
    )
    options = QuantizingOptions(Smol(), target=PrecisionTarget(3.0))
    names = prunable_parameters(trained.module_)
    found = fit_quantized(
        trained, names, X, y, options, RandomStream(0), np.ones(len(X), np.float32)
    )
    assert mean_bits(found.quantized.values()) == pytest.approx(3.0, rel=0.02)
    assert trained.score(X, y) > 0.5


def test_sparse_gradients_of_embeddings():
    trained = net(
        lambda: Words(sparse=True), optimizer=torch.optim.SGD, lr=0.5, max_epochs=5
    )
    found = fit(trained)
    assert found.error is None
    assert 1.96 <= mean_bits(found.quantized.values()) <= 2.0


def test_frozen_weights_are_rounded_but_not_trained():
    trained = net(max_epochs=6)
    trained.module_[0].weight.requires_grad_(False)
    before = trained.module_[0].weight.clone()
    found = fit(trained, target=PrecisionTarget(6.0))
    after = found.quantized["0.weight"].dequantize()
    assert (after - before).abs().max() <= before.abs().max() / 8
    assert not trained.module_[0].weight.requires_grad


def test_a_loss_that_is_not_finite_leaves_the_last_good_state():
    class Poison(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if len(net.history) == 4:
                batch[0].fill_(float("nan"))

    trained = net(callbacks=[Poison()])
    found = fit(trained)
    assert isinstance(found.error, NonFiniteLossError)
    assert 1.96 <= mean_bits(found.quantized.values()) <= 2.0
    assert all(p.isfinite().all() for p in trained.module_.parameters())


class Kill(Callback):
    """End the process, so to speak, after so many batches."""

    def __init__(self, batches):
        self.batches = batches

    def on_batch_end(self, net, training=False, **kwargs):
        self.batches -= training
        if self.batches == 0:
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("batches", "settings"),
    [
        (11, {}),
        (30, {}),
        (11, {"method": BSQ()}),  # whose rates depend on the number of steps
        (11, {"method": DoReFa(), "activations": PACT()}),
        (11, {"activations": SmolActivations(target_bits=3.0)}),
    ],
)
def test_a_killed_run_ends_with_the_same_bits(tmp_path, batches, settings):
    whole = net(Conv, max_epochs=6)
    expected = fit(whole, **settings)

    def course():
        checkpoint = Checkpoint(tmp_path / "run", "a run", every=0.0)
        return Course(RunFile.open(checkpoint, within_epochs=True, seed=0))

    with pytest.raises(ZeroDivisionError):
        fit(
            net(Conv, max_epochs=6, callbacks=[Kill(batches)]),
            course=course(),
            **settings,
        )
    resumed = net(Conv, max_epochs=6, callbacks=[Kill(10**6)])
    found = fit(resumed, course=course(), **settings)
    state = whole.module_.state_dict()
    for name, value in resumed.module_.state_dict().items():
        assert torch.equal(value, state[name]), name
    for name, tensor in found.quantized.items():
        assert torch.equal(tensor.codes, expected.quantized[name].codes)
        assert torch.equal(tensor.bits, expected.quantized[name].bits)


def test_epoch_by_epoch_is_a_whole_run():
    whole = net()
    expected = fit(whole)
    parts = net()
    paused = None
    for number in range(12):
        epochs = None if number == 11 else 1
        found = fit(parts, course=Course(paused=paused, epochs=epochs))
        assert 1.96 <= mean_bits(found.quantized.values()) <= 2.0
        paused = found.paused
    for name, tensor in found.quantized.items():
        assert torch.equal(tensor.codes, expected.quantized[name].codes)
    further = fit(parts, course=Course(paused=found.paused, epochs=1))
    for name, tensor in further.quantized.items():
        assert torch.equal(tensor.bits, found.quantized[name].bits)


def test_progress_is_told(capsys):
    fit(net(max_epochs=2), course=Course(verbose=1))
    first, last = capsys.readouterr().out.splitlines()
    assert "[MixedPrecisionQuantizer] epoch 1/2, search: train loss" in first
    assert re.search(r"; bits (2|1\.9[89]) towards 2, price .*; .* s$", last)
