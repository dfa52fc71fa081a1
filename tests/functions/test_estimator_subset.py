import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_pb.budget import Budget
from sklearn_pb.estimators import PBMinimizer
from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import EstimatorSubset, enumerate_points, tabulate
from sklearn_pb.testing import check_function

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


class Counting(KNeighborsClassifier):
    """Counts its fits in a list that clones share."""

    fits = []

    def fit(self, X, y):
        self.fits.append(X.shape)
        return super().fit(X, y)


def some(d, n=6, seed=0):
    chosen = np.random.default_rng(seed).random((n, d)) < 0.5
    chosen[0] = True
    return torch.from_numpy(chosen).double()


def by_hand(estimator, X, y, splits):
    scores = []
    for train, test in splits:
        model = clone(estimator).fit(X[train], y[train])
        scores.append(model.score(X[test], y[test]))
    return np.mean(scores)


@pytest.mark.parametrize(
    ("estimator", "data", "splitter", "dummy"),
    [
        (GaussianNB(), IRIS, StratifiedKFold(5), DummyClassifier()),
        (LinearRegression(), DIABETES, KFold(5), DummyRegressor()),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            IRIS,
            StratifiedKFold(5),
            DummyClassifier(),
        ),
    ],
)
def test_costs_by_hand(estimator, data, splitter, dummy):
    X, y = data
    J = EstimatorSubset(estimator, price=0.25).bind(X, y)
    Z = some(X.shape[1])
    Z[1] = 0
    splits = list(splitter.split(X, y))
    expected = []
    for z in Z.bool().numpy():
        model, columns = (estimator, X[:, z]) if z.any() else (dummy, X)
        expected.append(-by_hand(model, columns, y, splits) + 0.25 * z.sum())
    np.testing.assert_allclose(J(Z).numpy(), expected, rtol=1e-12)


def test_scoring_is_used():
    X, y = load_breast_cancer(return_X_y=True)
    X, splits = X[:, :4], list(StratifiedKFold(3).split(X, y))
    objective = EstimatorSubset(GaussianNB(), scoring="roc_auc", cv=3)
    none, some_columns = objective.bind(X, y)(np.array([[0, 0, 0, 0], [0, 1, 1, 0]]))
    areas = [
        roc_auc_score(
            y[test],
            GaussianNB().fit(X[train, 1:3], y[train]).predict_proba(X[test, 1:3])[:, 1],
        )
        for train, test in splits
    ]
    assert some_columns.item() == pytest.approx(-np.mean(areas))
    assert none.item() == pytest.approx(-0.5)


def test_contract():
    check_function(EstimatorSubset(GaussianNB(), cv=3, price=0.01).bind(*IRIS))


def test_each_subset_is_scored_once():
    Counting.fits.clear()
    J = EstimatorSubset(Counting(), cv=3).bind(*IRIS)
    Z = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 1, 1, 1]])
    first = J(Z)
    assert len(Counting.fits) == 2 * 3
    assert first[0] == first[2]
    assert torch.equal(J(Z.flip(0)), first.flip(0))
    assert len(Counting.fits) == 2 * 3


def test_memory_is_bounded(monkeypatch):
    Counting.fits.clear()
    J = EstimatorSubset(Counting(), cv=2).bind(*IRIS)
    monkeypatch.setattr("sklearn_pb.functions._remembered.MOST_POINTS", 3)
    points = next(enumerate_points(4))
    assert torch.equal(J(points), torch.stack([J(z[None])[0] for z in points]))
    assert len(J._costs) <= 16
    J(points[:3])
    assert len(J._costs) == 3


def test_contract_of_a_random_estimator():
    forest = make_pipeline(RandomForestClassifier(1, max_depth=2))
    check_function(EstimatorSubset(forest, cv=2).bind(*IRIS))
    assert forest[0].random_state is None  # the user's own is left alone


@pytest.mark.parametrize(
    "backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)]
)
def test_costs_do_not_depend_on_n_jobs(backend):
    forest, Z = RandomForestClassifier(2, max_depth=2), some(4)
    with parallel_config(backend):
        costs = EstimatorSubset(forest, cv=2, n_jobs=2).bind(*IRIS)(Z)
    J = EstimatorSubset(forest, cv=2).bind(*IRIS)
    assert torch.equal(torch.cat([J(z[None]) for z in Z]), costs)


def test_the_function_can_be_pickled():
    J = EstimatorSubset(GaussianNB(), cv=2, price=0.5).bind(*IRIS)
    Z = some(4)
    first = pickle.loads(pickle.dumps(J))(Z)
    assert torch.equal(J(Z), first)


def test_seeds_of_the_user_are_kept():
    def costs(seed, random_state):
        forest = RandomForestClassifier(2, max_depth=2, random_state=seed)
        objective = EstimatorSubset(forest, cv=2, random_state=random_state)
        return objective.bind(*IRIS)(some(4))

    assert torch.equal(costs(3, 0), costs(3, 1))
    assert not torch.equal(costs(None, 0), costs(None, 1))


def test_random_splits_are_made_once():
    J = EstimatorSubset(GaussianNB(), cv=ShuffleSplit(2)).bind(*IRIS)
    Z = some(4)
    first = J(Z)
    J._costs.clear()
    assert torch.equal(J(Z), first)


def test_splits_may_be_given():
    X, y = IRIS
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    J = EstimatorSubset(GaussianNB(), cv=splits).bind(X, y)
    cost = J(torch.tensor([[1, 0, 1, 0]]))
    assert -cost.item() == pytest.approx(by_hand(GaussianNB(), X[:, [0, 2]], y, splits))


def test_a_price_for_each_feature():
    prices = [0.0, 0.5, 0.25, 1.0]
    free = EstimatorSubset(GaussianNB()).bind(*IRIS)
    priced = EstimatorSubset(GaussianNB(), price=prices).bind(*IRIS)
    Z = some(4)
    extra = Z @ torch.tensor(prices, dtype=torch.float64)
    torch.testing.assert_close(priced(Z), free(Z) + extra)


def test_frames_and_lists_cost_the_same():
    X, y = IRIS
    names = np.array(["a", "b", "c"])[y]
    objective, Z = EstimatorSubset(GaussianNB(), cv=3), some(4)
    expected = objective.bind(X, y)(Z)
    frame = pd.DataFrame(X, columns=list("wxyz"))
    assert torch.equal(objective.bind(frame, pd.Series(names))(Z), expected)
    assert torch.equal(objective.bind(X.tolist(), y.tolist())(Z), expected)


@pytest.mark.parametrize("layout", [sparse.csc_array, sparse.coo_matrix])
def test_sparse_columns(layout):
    X, y = IRIS
    model = KNeighborsClassifier(3)
    cost = EstimatorSubset(model).bind(layout(X), y)(torch.tensor([[1, 0, 1, 0]]))
    splits = StratifiedKFold(5).split(X, y)
    columns = sparse.csr_array(X[:, [0, 2]])
    assert -cost.item() == pytest.approx(by_hand(model, columns, y, splits))


def test_the_estimator_sees_the_frame():
    class NeedsNames(GaussianNB):
        def fit(self, X, y):
            assert list(X.columns) == ["x", "z"]
            return super().fit(X, y)

    frame = pd.DataFrame(IRIS[0], columns=list("wxyz"))
    EstimatorSubset(NeedsNames()).bind(frame, IRIS[1])(np.array([[0, 1, 0, 1]]))


def test_wide_data_begin_with_a_feature_for_ten_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 500)), np.arange(40) % 2
    J = EstimatorSubset(GaussianNB()).bind(X, y)
    np.testing.assert_array_equal(J.initial_probabilities, np.full(500, 4 / 500))
    assert EstimatorSubset(GaussianNB()).bind(X[:, :8], y).initial_probabilities is None


def test_an_empty_subset_may_have_a_price_of_its_own():
    none = torch.zeros(1, 4)
    assert EstimatorSubset(GaussianNB(), empty=7).bind(*IRIS)(none).item() == 7
    grouping = KMeans(2, n_init=1)
    J = EstimatorSubset(grouping, empty=0.0, cv=2).bind(*IRIS)
    assert J(torch.cat([none, 1 - none])).tolist()[0] == 0
    with pytest.raises(ValueError, match="empty='dummy' needs a classifier or a reg"):
        EstimatorSubset(grouping).bind(*IRIS)


def test_the_minimizer_finds_the_best_subset():
    X, y = scale(IRIS[0]), IRIS[1]
    objective = EstimatorSubset(LogisticRegression(), cv=3, price=0.01)
    search = PBMinimizer(
        objective, method="loorf", budget=Budget(evaluations=100), random_state=0
    ).fit(X, y)
    values = tabulate(objective.bind(X, y)).values
    assert search.cost_ == pytest.approx(values.min().item())
    assert search.transform(X).shape == (150, search.solution_.sum())
    # The objective's score on the data it is given.
    assert search.score(X, y) == pytest.approx(-search.cost_)


def test_it_is_a_parameter_object():
    objective = EstimatorSubset(LogisticRegression(), price=np.arange(4.0))
    copy = clone(objective.set_params(estimator__C=3.0))
    assert copy.estimator is not objective.estimator
    assert copy.estimator.C == 3.0


def test_errors_of_the_estimator_pass():
    class Failing(BaseEstimator):
        def fit(self, X, y):
            raise ZeroDivisionError("no luck")

        def score(self, X, y):
            return 0.0

    J = EstimatorSubset(Failing(), empty=0.0).bind(*IRIS)
    with pytest.raises(ZeroDivisionError, match="no luck"):
        J(torch.ones(1, 4))


def test_scores_that_are_not_finite_are_named():
    def scorer(estimator, X, y):
        return np.nan if X.shape[1] == 4 else 1.0

    J = EstimatorSubset(GaussianNB(), scoring=scorer).bind(*IRIS)
    with pytest.raises(ObjectiveError, match="row 1"):
        J(torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]]))


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"estimator": GaussianNB}, TypeError, "must be an instance"),
        ({"estimator": "svc"}, TypeError, "estimator.*'svc'"),
        ({"scoring": "acuracy"}, ValueError, "acuracy"),
        ({"price": -1}, ValueError, "price must be finite and at least 0, got -1"),
        ({"price": [0.1, 0.2]}, ValueError, r"price has shape \(2,\)"),
        ({"price": "bic"}, TypeError, "price.*'bic'"),
        ({"empty": "none"}, TypeError, "empty='none'"),
        ({"empty": np.inf}, ValueError, "empty=inf"),
        ({"cv": 1}, ValueError, "n_splits=1"),
    ],
)
def test_bad_parameters_are_named(keywords, error, message):
    with pytest.raises(error, match=message):
        EstimatorSubset(**{"estimator": GaussianNB(), **keywords}).bind(*IRIS)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (IRIS[0], None, "y=None, but GaussianNB.* needs targets"),
        (IRIS[0], IRIS[1][:-1], "inconsistent"),
        (IRIS[1], IRIS[1], "2 dimensions"),
    ],
)
def test_bad_data_is_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        EstimatorSubset(GaussianNB()).bind(X, y)
