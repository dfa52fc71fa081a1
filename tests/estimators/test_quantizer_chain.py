"""A quantizer behind another estimator: what was trained is kept, and every zero."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb import MaskPruner, MixedPrecisionQuantizer
from sklearn_pb.estimators import SparseTicketFinder
from sklearn_pb.exceptions import SparsityWarning
from sklearn_pb.quantizers import METHODS


class Narrow(nn.Module):
    """A classifier with batch norm, for four columns and three classes."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 16)
        self.norm = nn.BatchNorm1d(16)
        self.output = nn.Linear(16, 3)

    def forward(self, X):
        return self.output(torch.relu(self.norm(self.hidden(X))))


def make_net(**settings):
    return NeuralNetClassifier(
        Narrow,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        **{"max_epochs": 6, "batch_size": 32, "lr": 0.02, **settings},
    )


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def pruner(iris):
    pruner = MaskPruner(
        make_net(max_epochs=20), method="gmp", sparsity=0.6, random_state=0
    )
    return pruner.fit(*iris)


def zeros_left_alone(module, masks):
    """Whether every entry that is masked is zero."""
    return all(
        not module.get_parameter(name)[~mask].any() for name, mask in masks.items()
    )


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"pact"}))
def test_every_method_keeps_every_zero(iris, pruner, method):
    quantizer = MixedPrecisionQuantizer(
        FrozenEstimator(pruner), method=method, initial_bits=3, random_state=0
    ).fit(*iris)
    assert zeros_left_alone(quantizer.estimator_.module_, pruner.masks_)
    for name, quantized in quantizer.quantized_.items():
        dead = ~pruner.masks_[name]
        assert not quantized.codes[dead].any()
        assert not quantized.bits.expand(quantized.shape)[dead].any()
    assert quantizer.sparsity_ >= 0.59
    assert quantizer.first_stage_ is pruner


@pytest.mark.parametrize("method", ["smol", "post-training"])
def test_masked_biases_and_norms_stay_zero_too(iris, method):
    chain = MixedPrecisionQuantizer(
        MaskPruner(make_net(), method="gmp", granularity="channel", sparsity=0.5),
        method=method,
        initial_bits=3,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SparsityWarning)
        chain.fit(*iris)
    masks = chain.first_stage_.masks_
    assert "norm.bias" in masks
    assert not masks["norm.bias"].all()
    assert zeros_left_alone(chain.estimator_.module_, masks)
    assert set(chain.masks_) == {*masks, *chain.quantized_}
    compact = chain.export("compact")
    X = torch.from_numpy(iris[0]).float()
    with torch.no_grad():
        expected = chain.estimator_.module_.eval()(X)
        assert torch.allclose(compact(X), expected, atol=1e-6)
    assert compact.hidden.out_features < 16


def test_only_a_chain_has_a_first_stage(iris, pruner):
    chain = MixedPrecisionQuantizer(FrozenEstimator(pruner), method="post-training")
    chain.fit(*iris)
    chain.set_params(estimator=make_net(max_epochs=1)).fit(*iris)
    assert not hasattr(chain, "first_stage_")
    assert chain.sparsity_ < 0.5


def test_a_pruner_is_cloned_and_fitted_with_a_seed_of_its_own(iris):
    given = MaskPruner(make_net(), method="gmp", sparsity=0.5)
    chains = [
        MixedPrecisionQuantizer(given, target_bits=1.5, random_state=seed).fit(*iris)
        for seed in (0, 0, 1)
    ]
    assert not hasattr(given, "estimator_")
    assert given.random_state is None
    first, second, other = (c.first_stage_ for c in chains)
    assert first.random_state == second.random_state != other.random_state
    scores = [chain.predict_proba(iris[0]) for chain in chains]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_what_has_a_seed_keeps_it(iris, pruner):
    chain = MixedPrecisionQuantizer(clone(pruner), method="post-training").fit(*iris)
    for name, mask in pruner.masks_.items():
        assert torch.equal(chain.first_stage_.masks_[name], mask)


def test_rounding_after_training_does_not_train_again(iris, pruner):
    chain = MixedPrecisionQuantizer(
        FrozenEstimator(pruner), method="post-training", initial_bits=8
    ).fit(*iris)
    assert chain.history_ == []
    trained = pruner.estimator_.module_
    for name, quantized in chain.quantized_.items():
        weight = trained.get_parameter(name).detach()
        step = float(quantized.step)
        assert (quantized.dequantize() - weight).abs().max() <= 0.51 * step
    module = chain.estimator_.module_
    assert torch.equal(module.norm.running_mean, trained.norm.running_mean)
    assert torch.equal(module.output.bias, trained.output.bias)
    assert chain.score(*iris) == pytest.approx(pruner.score(*iris), abs=0.05)


def test_a_trained_net_is_rounded(iris):
    net = make_net(max_epochs=15)
    net.initialize()
    net.fit(iris[0].astype(np.float32), iris[1])
    before = {k: v.clone() for k, v in net.module_.state_dict().items()}
    quantizer = MixedPrecisionQuantizer(
        FrozenEstimator(net), method="post-training", initial_bits=8
    ).fit(*iris)
    assert quantizer.first_stage_ is net
    expected = net.predict(iris[0].astype(np.float32))
    assert (quantizer.predict(iris[0]) == expected).mean() > 0.97
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, before[name])


def test_training_goes_on_from_the_weights_of_the_pruner(iris, pruner):
    """Without a step of training there is nothing but what the pruner has left."""
    chain = MixedPrecisionQuantizer(
        FrozenEstimator(pruner), method="lsq", initial_bits=8, random_state=0
    )
    chain.fit(*iris)
    assert chain.history_[0]["train_loss"] < 0.5 * make_first_loss(iris)


def make_first_loss(iris):
    fresh = MixedPrecisionQuantizer(
        make_net(max_epochs=1), method="lsq", initial_bits=8, random_state=0
    )
    return fresh.fit(*iris).history_[0]["train_loss"]


def test_a_ticket_finder_comes_first(iris):
    finder = SparseTicketFinder(make_net(max_epochs=3), search="imp", n_rounds=1)
    chain = MixedPrecisionQuantizer(
        finder, method="lsq", initial_bits=4, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain.fit(*iris)
    masks = chain.first_stage_.masks_
    assert not all(mask.all() for mask in masks.values())
    assert zeros_left_alone(chain.estimator_.module_, masks)


def test_parameters_of_the_whole_chain_can_be_set():
    chain = MixedPrecisionQuantizer(MaskPruner(make_net()))
    chain.set_params(estimator__sparsity=0.7, estimator__estimator__lr=0.5)
    assert chain.estimator.sparsity == 0.7
    assert chain.estimator.estimator.lr == 0.5


class TestErrors:
    def test_frozen_but_not_fitted(self, iris):
        chain = MixedPrecisionQuantizer(FrozenEstimator(MaskPruner(make_net())))
        with pytest.raises(NotFittedError):
            chain.fit(*iris)

    def test_frozen_on_other_data(self, iris, pruner):
        X, y = iris
        chain = MixedPrecisionQuantizer(FrozenEstimator(pruner))
        with pytest.raises(ValueError, match="classes_"):
            chain.fit(X, y + 1)
        with pytest.raises(ValueError, match="n_features_in_=4"):
            chain.fit(X[:, :3], y)
