"""Phases of a run, and masks that stay masked."""

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.methods import PRESETS, resolve_method
from sklearn_pb.training import MaskingOptions, Phases, fit_masked
from sklearn_pb.utils import RandomStream

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
)


METHODS = sorted(name for name, make in PRESETS.items() if make().fits_networks)


def options(layout, method="continuous", sparsity=0.8, **changes):
    settings = {
        "method": resolve_method(method),
        "quota": Quota.proportional([layout.n_variables], sparsity),
        "constraint": None,
        "train_weights": True,
        "warmup": 0.0,
        "finetune": 0.4,
        "rescale": False,
    }
    return MaskingOptions(**{**settings, **changes})


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def net(layer=nn.Linear, **changes):
    torch.manual_seed(0)
    settings = {
        "criterion": nn.CrossEntropyLoss,
        "max_epochs": 5,
        "batch_size": 30,
        "lr": 0.1,
        "train_split": None,
        "verbose": 0,
    }
    module = nn.Sequential(layer(6, 20), nn.ReLU(), layer(20, 2))
    return NeuralNetClassifier(module, **{**settings, **changes}).initialize()


def fit(trained, **changes):
    module = trained.module_
    layout = SingleWeights().layout(module, prunable_parameters(module))
    return layout, fit_masked(
        trained, layout, *data(), options(layout, **changes), RandomStream(0)
    )


@pytest.mark.parametrize(
    ("total", "warmup", "finetune", "expected"),
    [
        (100, 0.1, 0.2, (10, 80)),
        (100, 0.0, 0.0, (0, 100)),
        (1, 0.0, 0.2, (0, 1)),
        (3, 0.4, 0.5, (1, 2)),
    ],
)
def test_phases(total, warmup, finetune, expected):
    phases = Phases.from_fractions(total, warmup, finetune)
    assert (phases.search, phases.freeze) == expected


def test_progress_spans_the_search():
    phases = Phases(10, 80, 100)
    assert phases.progress(10) == 0
    assert phases.progress(79) == 1


class Watched(nn.Linear):
    """Keeps the weights that each training step multiplies with."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.seen = []

    def forward(self, X):
        if self.training:
            self.seen.append(self.weight.detach().clone())
        return super().forward(X)


@pytest.mark.parametrize("method", METHODS)
def test_zeros_survive_momentum_and_weight_decay(method):
    trained = net(
        Watched,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        optimizer__weight_decay=0.1,
    )
    layout, result = fit(trained, method=resolve_method(method))
    weights = torch.cat([w.flatten() for w in layout.parameters(trained.module_)])
    mask = torch.cat([m.flatten() for m in result.masks.values()])
    assert weights[~mask].eq(0).all()
    assert int((~mask).sum()) == round(0.8 * layout.n_variables)
    finetuned = [torch.cat([a.flatten(), b.flatten()]) for a, b in watched(trained)]
    assert len(finetuned) == 8  # 0.4 of 5 epochs of 4 batches
    for weights_of_step in finetuned:
        assert weights_of_step[~mask].eq(0).all()
    moved = (finetuned[0] != finetuned[-1])[mask]
    assert moved.float().mean() > 0.9


def watched(trained):
    """The weights of both layers in the last eight training steps."""
    first, _, second = trained.module_
    return list(zip(first.seen[-8:], second.seen[-8:], strict=True))


def test_the_net_is_plain_again():
    trained = net()
    module = trained.module_
    n_callbacks = len(trained.callbacks_)
    fit(trained)
    assert trained.module_ is module
    assert len(trained.callbacks_) == n_callbacks
    assert all(p.requires_grad for p in module.parameters())


def test_supermask_leaves_kept_weights_as_they_were():
    trained = net()
    before = {n: p.detach().clone() for n, p in trained.module_.named_parameters()}
    for method in ("continuous", "arms", "magnitude"):
        trained = net()
        _, result = fit(trained, method=resolve_method(method), train_weights=False)
        for name, parameter in trained.module_.named_parameters():
            mask = result.masks.get(name, torch.ones_like(parameter))
            assert torch.equal(parameter, before[name] * mask), (method, name)


def test_history_tells_the_phases_and_the_sparsity():
    _, result = fit(net(max_epochs=10), warmup=0.2)
    phases = [row["phase"] for row in result.history]
    assert phases == ["warm-up"] * 2 + ["search"] * 4 + ["frozen"] * 4
    assert result.history[0]["sparsity"] == 0
    assert result.history[-1]["sparsity"] == pytest.approx(0.8, abs=0.01)
    assert "strength" in result.history[5]


def test_early_stopping_still_ends_with_the_exact_mask():
    from skorch.callbacks import EarlyStopping

    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10.0, sink=id)
    layout, result = fit(net(max_epochs=50, callbacks=[stop]))
    assert len(result.history) < 50
    zeros = sum(int((~m).sum()) for m in result.masks.values())
    assert zeros == round(0.8 * layout.n_variables)


@pytest.mark.parametrize("method", ["continuous", "gmp", "arms", "edge-popup"])
def test_history_tells_how_sparse_each_layer_is(method):
    layout, result = fit(net(max_epochs=10), method=resolve_method(method), warmup=0.2)
    assert layout.layers == (120, 40)
    rows = [row["layer_sparsity"] for row in result.history]
    assert rows[0] == {"0.weight": 0.0, "2.weight": 0.0}
    for row, layers in zip(result.history, rows, strict=True):
        mean = 0.75 * layers["0.weight"] + 0.25 * layers["2.weight"]
        assert row["sparsity"] == pytest.approx(mean)
    zeros = {
        name: float((~mask).double().mean()) for name, mask in result.masks.items()
    }
    assert rows[-1] == pytest.approx(zeros)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"method": "gmp", "sparsity": 0.999}, "nothing of its 160 variables.*ask for"),
        (
            {"sparsity": None, "constraint": L0Penalty(strength=1e3)},
            "nothing of its 160 variables.*outweighed them all",
        ),
    ],
)
def test_a_mask_that_keeps_nothing_is_said_to(changes, match):
    with pytest.warns(SparsityWarning, match=match):
        _, found = fit(net(), **changes)
    assert not found.variables.any()
