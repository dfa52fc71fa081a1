"""A pruner that starts from weights that were trained before."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.methods import OneShot

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
)


class Network(nn.Module):
    """With a batch norm, whose statistics belong to what was learned."""

    def __init__(self, n_hidden=10):
        super().__init__()
        self.hidden = nn.LazyLinear(n_hidden)
        self.norm = nn.BatchNorm1d(n_hidden)
        self.output = nn.Linear(n_hidden, 3)

    def forward(self, X):
        return self.output(torch.relu(self.norm(self.hidden(X))))


def make_net(module=Network, kind=NeuralNetClassifier, **settings):
    defaults = {
        "optimizer": torch.optim.Adam,
        "lr": 0.03,
        "max_epochs": 20,
        "batch_size": 32,
        "iterator_train__shuffle": True,
        "train_split": None,
        "verbose": 0,
    }
    if kind is NeuralNetClassifier:
        defaults["criterion"] = nn.CrossEntropyLoss
    return kind(module, **{**defaults, **settings})


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32), y


@pytest.fixture(scope="module")
def net(iris):
    torch.manual_seed(0)
    trained = make_net().fit(*iris)
    assert trained.score(*iris) > 0.95
    return trained.set_params(lr=1e-9, max_epochs=2)


@pytest.fixture(scope="module")
def pruner(iris, net):
    return MaskPruner(FrozenEstimator(net), sparsity=0.3, random_state=0).fit(*iris)


def starts_from(module, fitted):
    """Every parameter is what it was, or zero where it is masked; steps were tiny."""
    for name, parameter in fitted.estimator_.module_.named_parameters():
        kept = fitted.masks_.get(name, torch.tensor(True))
        expected = module.get_parameter(name) * kept
        torch.testing.assert_close(parameter, expected, rtol=0, atol=1e-6)


def test_a_frozen_net_gives_its_weights(iris, net):
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    pruner = MaskPruner(
        FrozenEstimator(net), method=OneShot(at=0), sparsity=0.1, random_state=0
    ).fit(*iris)
    starts_from(net.module_, pruner)
    assert pruner.sparsity_ == pytest.approx(0.1)
    assert pruner.score(*iris) > 0.9  # what the net has without being trained again
    assert pruner.estimator_ is not net
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_statistics_come_along(iris, net):
    pruner = MaskPruner(
        FrozenEstimator(net), sparsity=0.1, train_weights=False, random_state=0
    ).fit(*iris)
    fresh = MaskPruner(
        clone(net), sparsity=0.1, train_weights=False, random_state=0
    ).fit(*iris)
    moved = [
        other.estimator_.module_.norm.num_batches_tracked - start
        for other, start in ((pruner, net.module_.norm.num_batches_tracked), (fresh, 0))
    ]
    assert moved[0] == moved[1] > 0


def test_a_frozen_pruner_gives_its_weights(iris, pruner):
    again = MaskPruner(FrozenEstimator(pruner), sparsity=0.6, method="magnitude")
    again.fit(*iris)
    starts_from(pruner.estimator_.module_, again)
    for name, mask in again.masks_.items():
        assert not (mask & ~pruner.masks_[name]).any()  # zeros are the first to go


def test_so_does_the_default_network(iris):
    first = MaskPruner(method="magnitude", sparsity=0.0, random_state=0).fit(*iris)
    again = MaskPruner(
        FrozenEstimator(first), sparsity=0.5, train_weights=False, random_state=1
    ).fit(*iris)
    starts_from(first.estimator_.module_, again)


def test_partial_fit_starts_from_them_once(iris, net):
    pruner = MaskPruner(
        FrozenEstimator(net), method="magnitude", sparsity=0.5, random_state=0
    )
    for _ in range(3):
        pruner.partial_fit(*iris)
        starts_from(net.module_, pruner)
    assert pruner.sparsity_ == 0.5


def test_a_run_in_a_file_goes_on(iris, net, tmp_path):
    def make():
        return MaskPruner(
            FrozenEstimator(net),
            sparsity=0.5,
            random_state=0,
            checkpoint=tmp_path / "run.pt",
        )

    first, again = make().fit(*iris), make().fit(*iris)
    assert np.array_equal(first.predict_proba(iris[0]), again.predict_proba(iris[0]))
    assert len(again.history_) == 2


def test_copies_in_a_grid_keep_the_weights(iris, net):
    pruner = MaskPruner(FrozenEstimator(net), method=OneShot(at=0), random_state=0)
    search = GridSearchCV(pruner, {"sparsity": [0.0, 0.1, 0.99]}, cv=2).fit(*iris)
    starts_from(net.module_, search.best_estimator_)
    assert search.best_score_ > 0.9 > search.cv_results_["mean_test_score"][2]


def test_a_frozen_regressor_makes_a_regressor(iris):
    X, y = iris[0], iris[0] @ np.float32([[1, 2], [0, 1], [3, 0], [0, 1]])
    net = make_net(nn.Linear, NeuralNetRegressor, lr=0.1)
    net.set_params(module__in_features=4, module__out_features=2).fit(X, y)
    pruner = MaskPruner(FrozenEstimator(net), method=OneShot(at=0), sparsity=0.0)
    assert is_regressor(pruner) and not hasattr(pruner, "predict_proba")
    net.set_params(lr=1e-9)
    starts_from(net.module_, pruner.fit(X, y))


def test_a_bare_net_forgets_its_weights_and_says_so(iris, net):
    with pytest.warns(UserWarning, match="NeuralNetClassifier given as estimator are"):
        pruner = MaskPruner(net, sparsity=0.1, random_state=0).fit(*iris)
    assert pruner.score(*iris) < 0.9
    fresh = MaskPruner(clone(net), sparsity=0.1, random_state=0).fit(*iris)
    assert np.array_equal(pruner.predict_proba(iris[0]), fresh.predict_proba(iris[0]))


def test_a_net_around_an_instance_remembers_them(iris, net):
    around = make_net(net.module_, lr=1e-9, max_epochs=1).initialize()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pruner = MaskPruner(around, method=OneShot(at=0), sparsity=0.1, random_state=0)
        pruner.fit(*iris)
    starts_from(net.module_, pruner)


class TestErrors:
    """Each comes before training."""

    @pytest.mark.parametrize(
        ("held", "error", "message"),
        [
            (make_net(), NotFittedError, "not fitted"),
            (MaskPruner(), NotFittedError, "not fitted"),
            (nn.Linear(4, 3), TypeError, "a module is given as it is"),
            (LogisticRegression(), TypeError, "must be a skorch net"),
        ],
    )
    def test_what_is_no_fitted_network(self, iris, held, error, message):
        with pytest.raises(error, match=message):
            MaskPruner(FrozenEstimator(held), sparsity=0.5).fit(*iris)

    def test_not_frozen(self, iris, pruner):
        with pytest.raises(TypeError, match="must be a skorch net"):
            MaskPruner(pruner, sparsity=0.5).fit(*iris)

    def test_another_task(self, iris, net, pruner):
        X, y = iris
        with pytest.raises(ValueError, match="fitted with classes_=array"):
            MaskPruner(FrozenEstimator(net), sparsity=0.5).fit(X, y + 1)
        with pytest.raises(ValueError, match="n_features_in_=4"):
            MaskPruner(FrozenEstimator(pruner), sparsity=0.5).fit(X[:, :3], y)
        with pytest.raises(ValueError, match="do not fit the network that these data"):
            MaskPruner(FrozenEstimator(net), sparsity=0.5).fit(X[:, :3], y)
