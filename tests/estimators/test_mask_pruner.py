"""MaskPruner as a user meets it."""

import copy
import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import (
    load_digits,
    load_iris,
    make_classification,
    make_regression,
)
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import (
    L0Penalty,
    QuadraticPull,
    SparsityProjection,
    VelocityConstraint,
)
from sklearn_pb.exceptions import (
    NonFiniteLossError,
    NothingToPruneError,
    ObjectiveError,
)
from sklearn_pb.methods import PRESETS, Continuation, MonteCarlo

METHODS = sorted(name for name, make in PRESETS.items() if make().fits_networks)

CONSTRAINTS = [L0Penalty(), SparsityProjection(), VelocityConstraint(), QuadraticPull()]

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn_pb.exceptions.SparsityWarning"  # runs here are very short
)


class Regressor(nn.Module):
    """A regressor for any number of columns."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.LazyLinear(30)
        self.output = nn.Linear(30, 1)

    def forward(self, X):
        return self.output(torch.relu(self.hidden(X)))


class Dropping(nn.Module):
    """A classifier with dropout, for four columns and three classes."""

    def __init__(self, n_hidden=10):
        super().__init__()
        self.hidden = nn.Linear(4, n_hidden)
        self.drop = nn.Dropout(0.2)
        self.output = nn.Linear(n_hidden, 3)

    def forward(self, X):
        return self.output(self.drop(torch.relu(self.hidden(X))))


def quick_net(module=Dropping, **settings):
    defaults = {
        "criterion": nn.CrossEntropyLoss,
        "max_epochs": 6,
        "batch_size": 32,
        "lr": 0.05,
        "optimizer": torch.optim.Adam,
        "verbose": 0,
    }
    return NeuralNetClassifier(module, **{**defaults, **settings})


def global_numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002 (that it is not used)


def regression_net():
    return NeuralNetRegressor(
        Regressor,
        optimizer=torch.optim.Adam,
        lr=0.02,
        max_epochs=80,
        train_split=None,
        verbose=0,
    )


def expected_failures(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "mini-batches are drawn by rows, so a doubled weight and a repeated row "
            "give different batches"
        )
    }


@parametrize_with_checks(
    [
        MaskPruner(random_state=0),
        MaskPruner(method="gmp", sparsity=0.5, random_state=0),
        MaskPruner(regression_net(), sparsity=0.5, random_state=0),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        MaskPruner(method=method, sparsity=0.5, random_state=0)
        for method in METHODS
        if method not in ("continuous", "gmp")  # they are above
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks_for_every_method(estimator, check):
    check(estimator)


@pytest.fixture(autouse=True)
def seeded_instances():
    """Modules that a test makes itself have the same weights in every run."""
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("method", [m for m in METHODS if PRESETS[m]().learns])
def test_any_learned_mask_goes_with_any_constraint(iris, method, constraint):
    pruner = MaskPruner(
        quick_net(max_epochs=3),
        method=method,
        constraint=constraint,
        sparsity=0.733,
        random_state=0,
    ).fit(*iris)
    d = sum(mask.numel() for mask in pruner.masks_.values())
    zeros = sum(
        int((pruner.estimator_.module_.get_parameter(name) == 0).sum())
        for name in pruner.masks_
    )
    assert zeros == round(0.733 * d)


@pytest.mark.parametrize("sparsity", [None, 0.733])
@pytest.mark.parametrize("constraint", [SparsityProjection, VelocityConstraint])
@pytest.mark.parametrize("method", ["probmask", "continuous", "concrete", "arms"])
def test_a_constraint_s_own_sparsity_is_met_exactly(iris, method, constraint, sparsity):
    pruner = MaskPruner(
        quick_net(max_epochs=2),
        method=method,
        constraint=constraint(0.733),
        sparsity=sparsity,
        random_state=0,
    ).fit(*iris)
    assert sum(int((~mask).sum()) for mask in pruner.masks_.values()) == 51  # of 70


@pytest.mark.parametrize("scope, spread", [("layer", 0.02), ("erk", 0.2)])
def test_a_constraint_s_own_sparsity_is_shared_by_layers(iris, scope, spread):
    """The two layers have 40 and 30 weights."""
    pruner = MaskPruner(
        quick_net(max_epochs=2),
        method="probmask",
        constraint=SparsityProjection(0.5),
        scope=scope,
        random_state=0,
    ).fit(*iris)
    assert pruner.sparsity_ == 0.5
    hidden, output = pruner.layer_sparsity_.values()
    assert abs(hidden - output) <= spread and (hidden != output) == (scope == "erk")


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("method", METHODS)
def test_sparsity_is_exact(iris, method, scope):
    pruner = MaskPruner(
        quick_net(), method=method, sparsity=0.733, scope=scope, random_state=0
    ).fit(*iris)
    weights = [pruner.estimator_.module_.get_parameter(name) for name in pruner.masks_]
    zeros = sum(int(w.eq(0).sum()) for w in weights)
    d = sum(w.numel() for w in weights)
    assert zeros == round(0.733 * d)
    assert pruner.sparsity_ == pytest.approx(zeros / d)
    assert type(pruner.estimator_.module_) is Dropping
    assert type(pruner.estimator_) is NeuralNetClassifier
    if scope == "layer":
        for share in pruner.layer_sparsity_.values():
            assert share == pytest.approx(0.733, abs=0.05)


def test_without_a_sparsity_the_penalty_decides(iris):
    pruned = [
        MaskPruner(
            quick_net(max_epochs=30),
            constraint=L0Penalty(strength=strength),
            random_state=0,
        )
        .fit(*iris)
        .sparsity_
        for strength in (0.0, 1e-3, 1.0)
    ]
    assert pruned[0] < pruned[1] < pruned[2]


def test_what_is_given_is_not_changed(iris):
    module = Dropping()
    before = copy.deepcopy(module.state_dict())
    MaskPruner(module, sparsity=0.5, random_state=0).fit(*iris)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_module_class_an_instance_and_a_net_are_taken(iris):
    for estimator in (Dropping, Dropping(), quick_net(max_epochs=40)):
        pruner = MaskPruner(estimator, sparsity=0.5, random_state=0).fit(*iris)
        assert pruner.score(*iris) > 0.8


def test_same_seed_same_result_and_global_random_state_untouched(iris):
    X, y = iris
    before = torch.get_rng_state(), global_numpy_state()
    first, second, other = (
        MaskPruner(quick_net(), sparsity=0.5, random_state=s).fit(X, y)
        for s in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(global_numpy_state(), before[1])
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("method", ["continuous", "arms"])
def test_results_do_not_depend_on_n_jobs(iris, method):
    pipe = make_pipeline(
        MinMaxScaler(), MaskPruner(quick_net(), method=method, random_state=0)
    )
    grid = {"maskpruner__sparsity": [0.3, 0.6]}

    def scores(n_jobs):
        search = GridSearchCV(pipe, grid, cv=2, scoring="neg_log_loss", n_jobs=n_jobs)
        return search.fit(*iris).cv_results_["mean_test_score"]

    alone = scores(1)
    assert np.array_equal(alone, scores(2))
    with joblib.parallel_backend("threading"):
        assert np.array_equal(alone, scores(2))
    outer = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert np.array_equal(alone, scores(1))
    finally:
        torch.set_num_threads(outer)


def test_grid_search_over_methods_and_their_hyperparameters(iris):
    grid = [
        {"method": ["gmp", "continuous"], "sparsity": [0.5]},
        {"method": [Continuation()], "method__beta_final": [50, 200]},
        {"method": [MonteCarlo()], "method__n_samples": [2, 4], "sparsity": [0.5]},
    ]
    search = GridSearchCV(MaskPruner(quick_net(), random_state=0), grid, cv=2)
    search.fit(*iris)
    assert len(search.cv_results_["params"]) == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_cross_val_score(iris):
    pruner = MaskPruner(quick_net(max_epochs=80), sparsity=0.5, random_state=0)
    assert cross_val_score(pruner, *iris, cv=3).mean() > 0.9


def test_labels_of_any_kind(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    pruner = MaskPruner(quick_net(max_epochs=30), sparsity=0.5, random_state=0)
    pruner.fit(X, names)
    assert set(pruner.predict(X)) <= set(names)
    assert pruner.score(X, names) > 0.9


def test_binary_net():
    X, y = make_classification(random_state=0)
    net = NeuralNetBinaryClassifier(
        nn.Sequential(nn.Linear(20, 10), nn.ReLU(), nn.Linear(10, 1)),
        max_epochs=40,
        batch_size=20,
        lr=0.02,
        optimizer=torch.optim.Adam,
        train_split=None,
        verbose=0,
    )
    pruner = MaskPruner(net, sparsity=0.5, random_state=0)
    pruner.fit(X, np.where(y, "yes", "no"))
    assert pruner.predict_proba(X).shape == (100, 2)
    assert pruner.score(X, np.where(y, "yes", "no")) > 0.8
    with pytest.raises(ValueError, match="3 classes"):
        pruner.fit(X, np.arange(100) % 3)


def test_regressor():
    X, y = make_regression(n_samples=150, n_features=5, random_state=0)
    y = (y - y.mean()) / y.std()
    pruner = MaskPruner(regression_net(), sparsity=0.5, random_state=0).fit(X, y)
    assert pruner.predict(X).shape == y.shape
    assert pruner.score(X, y) > 0.9
    assert not hasattr(pruner, "predict_proba")


def test_images_and_transform():
    X, y = load_digits(return_X_y=True)
    images = X[:200].reshape(-1, 1, 8, 8) / 16
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 12),
        nn.Linear(12, 10),
    )
    pruner = MaskPruner(module, sparsity=0.5, random_state=0).fit(images, y[:200])
    features = pruner.transform(images)
    assert features.shape == (200, 12)
    assert list(pruner.get_feature_names_out())[:2] == ["maskpruner0", "maskpruner1"]
    with torch.no_grad():
        last = pruner.estimator_.module_[-1](torch.from_numpy(features))
    expected = torch.softmax(last, 1).double()
    np.testing.assert_allclose(pruner.predict_proba(images), expected, atol=1e-6)


def test_pandas_in_and_out(iris):
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    pruner = MaskPruner(quick_net(), sparsity=0.5, random_state=0)
    out = pruner.set_output(transform="pandas").fit(X, iris[1]).transform(X)
    assert isinstance(out, pd.DataFrame)
    assert out.shape == (150, 10)
    assert list(pruner.feature_names_in_) == list("abcd")


def test_tokens_stay_integers():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 20, size=(300, 5))
    y = (X == 3).any(1).astype(int)
    module = nn.Sequential(nn.Embedding(20, 6), nn.Flatten(), nn.Linear(30, 2))
    pruner = MaskPruner(module, sparsity=0.5, random_state=0).fit(X, y)
    assert pruner.score(X, y) > 0.9


def test_copies_predict_alike(iris, tmp_path):
    X, y = iris
    pruner = MaskPruner(quick_net(), sparsity=0.5, random_state=0).fit(X, y)
    joblib.dump(pruner, tmp_path / "pruner.joblib")
    for other in (
        pickle.loads(pickle.dumps(pruner)),
        copy.deepcopy(pruner),
        joblib.load(tmp_path / "pruner.joblib"),
    ):
        assert np.array_equal(other.predict_proba(X), pruner.predict_proba(X))
    with pytest.raises(NotFittedError):
        clone(pruner).predict(X)
    assert "MaskPruner" in pruner._repr_html_()


def test_a_pickle_predicts_in_a_fresh_process(iris, tmp_path):
    X, y = iris
    pruner = MaskPruner(sparsity=0.5, random_state=0).fit(X, y)
    (tmp_path / "pruner.pkl").write_bytes(pickle.dumps(pruner))
    np.save(tmp_path / "X.npy", X)
    code = (
        "import pickle, sys, numpy; folder = sys.argv[1]; "
        "pruner = pickle.load(open(folder + '/pruner.pkl', 'rb')); "
        "print(*pruner.predict(numpy.load(folder + '/X.npy')))"
    )
    seen = subprocess.check_output(
        [sys.executable, "-c", code, str(tmp_path)], text=True
    )
    assert [int(v) for v in seen.split()] == list(pruner.predict(X))


def test_zero_weight_rows_have_no_say():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] > 0).astype(int)
    wrong = np.arange(200) % 2 == 0
    weight = np.where(wrong, 0.0, 1.0)
    pruner = MaskPruner(sparsity=0.5, random_state=0)
    pruner.fit(X, np.where(wrong, 1 - y, y), sample_weight=weight)
    assert pruner.score(X, y) > 0.9


class TestErrors:
    """Each comes before training, and names parameter, value and what is allowed."""

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"method": "magik"}, "method='magik' is unknown.*arms.*continuous"),
            ({"method": 3}, "'method' parameter"),
            ({"sparsity": 1.0}, r"'sparsity' parameter.*\[0.0, 1.0\).*1.0"),
            ({"sparsity": -0.1}, "'sparsity' parameter"),
            ({"method": "magnitude"}, "sparsity=None must be a number"),
            (
                {"method": "gmp", "sparsity": 0.5, "constraint": L0Penalty()},
                "no effect",
            ),
            ({"warmup": 0.5, "finetune": 0.5}, "sum must be less than 1"),
            ({"scope": "everywhere"}, "'scope' parameter.*global"),
            ({"constraint": L0Penalty(strength=-1)}, "L0Penalty.strength=-1"),
            (
                {"sparsity": 0.95, "constraint": SparsityProjection(0.5)},
                r"sparsity=0.95 is not that of constraint=SparsityProj.*, 0.5; one of",
            ),
            (
                {"sparsity": {"*": 0.5}, "constraint": VelocityConstraint(0.5)},
                r"sparsity={'\*': 0.5} is not that of constraint=VelocityConstraint",
            ),
            ({"method": MonteCarlo(n_samples=1)}, "n_samples=1"),
            ({"method": Continuation(beta_final=0)}, "beta_final=0"),
        ],
    )
    def test_parameters(self, iris, params, message):
        with pytest.raises(ValueError, match=message):
            MaskPruner(quick_net(), **params).fit(*iris)

    def test_estimator(self, iris):
        with pytest.raises(TypeError, match="must be a skorch net"):
            MaskPruner(StandardScaler()).fit(*iris)

    def test_nothing_prunable(self, iris):
        with pytest.raises(NothingToPruneError, match=r"hidden\.weight"):
            MaskPruner(quick_net(), include="conv*").fit(*iris)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_input(self, iris, bad):
        X = iris[0].copy()
        X[3, 1] = bad
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            MaskPruner(quick_net()).fit(X, iris[1])

    def test_one_class(self, iris):
        with pytest.raises(ValueError, match="only one class"):
            MaskPruner(quick_net()).fit(iris[0], np.zeros(150))

    def test_too_few_outputs(self, iris):
        with pytest.raises(ValueError, match="one output a class"):
            MaskPruner(nn.Linear(4, 2)).fit(*iris)

    def test_misspelt_skorch_parameter(self, iris):
        net = quick_net(optimizer__momentun=0.9)
        with pytest.raises(TypeError, match="momentun"):
            MaskPruner(net).fit(*iris)
        with pytest.raises(ValueError, match="max_epoch"):
            MaskPruner(quick_net()).set_params(estimator__max_epoch=3)

    def test_zero_sample_weights(self, iris):
        with pytest.raises(ValueError, match="zero for every row"):
            MaskPruner(quick_net()).fit(*iris, sample_weight=np.zeros(150))


class Exploding(nn.Module):
    """Its loss becomes NaN after some training steps."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.steps = 0

    def forward(self, X):
        self.steps += self.training
        return self.layer(X) * (float("nan") if self.steps > 30 else 1.0)


def test_a_loss_that_turns_nan_leaves_the_last_good_state(iris):
    X, y = iris
    net = quick_net(Exploding, max_epochs=20, train_split=None)
    pruner = MaskPruner(net, sparsity=0.5, random_state=0)
    with pytest.raises(NonFiniteLossError, match=r"nan at step 31 \(epoch 7\)"):
        pruner.fit(X, y)
    for parameter in pruner.estimator_.module_.parameters():
        assert torch.isfinite(parameter).all()
    assert sum(int((~m).sum()) for m in pruner.masks_.values()) == 6
    assert len(pruner.history_) >= 6


@pytest.mark.parametrize("method", ["loorf", "arms", "rebar"])
def test_a_loss_that_is_nan_under_a_mask_is_told_as_any_other(iris, method):
    net = quick_net(max_epochs=2, lr=1e30, train_split=None)
    pruner = MaskPruner(net, method=method, sparsity=0.5, random_state=0)
    with pytest.raises(NonFiniteLossError) as raised:
        pruner.fit(*iris)
    message = str(raised.value)
    assert re.match(r"the training loss became nan.* at step \d+ \(epoch 1\)", message)
    assert "a smaller learning rate" in message.lower()
    assert isinstance(raised.value.__cause__, ObjectiveError)
    for parameter in pruner.estimator_.module_.parameters():
        assert torch.isfinite(parameter).all()


@pytest.mark.slow
def test_digits_at_95_percent_lose_at_most_two_points():
    X, y = load_digits(return_X_y=True)
    dense, pruned = [], []
    for seed in range(5):
        parts = train_test_split(X / 16, y, random_state=seed, stratify=y)
        X_train, X_test, y_train, y_test = parts
        for sparsity, scores in ((0.0, dense), (0.95, pruned)):
            pruner = MaskPruner(sparsity=sparsity, random_state=seed)
            scores.append(pruner.fit(X_train, y_train).score(X_test, y_test))
    assert np.mean(dense) - np.mean(pruned) <= 0.02


def test_a_method_that_enumerates_masks_is_refused_for_many_variables():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="'exact' enumerates all masks, so it is for"):
        MaskPruner(method="exact", sparsity=0.5).fit(X, y)
