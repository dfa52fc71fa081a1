import copy
import itertools
import math
import pickle
import re
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_pb.budget import Budget
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.estimators import PBMinimizer
from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import (
    BlackBoxFunction,
    EstimatorSubset,
    QuadraticFunction,
    SubsetSelection,
    tabulate,
)
from sklearn_pb.methods import PRESETS, MonteCarlo

METHODS = sorted(
    name
    for name, make in PRESETS.items()
    if not (make().needs_weights or make().needs_sparsity)
)
SAMPLING = [n for n in METHODS if not PRESETS[n]().needs_relaxable]
SHORT = Budget(evaluations=300)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def quadratic(d=6):
    rng = np.random.default_rng(0)
    return QuadraticFunction(rng.normal(size=(d, d)), rng.normal(size=d))


@parametrize_with_checks([PBMinimizer()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# What it finds


def gap(selector, X, y):
    """How far the solution is from the best of all subsets."""
    return selector.cost_ - tabulate(SubsetSelection().bind(X, y)).values.min().item()


# Thresholded scores follow the slope at one corner, and stay where it points to it.
@pytest.mark.parametrize("method", [name for name in METHODS if name != "piggyback"])
def test_the_best_subset_of_diabetes_is_found(method, diabetes):
    budget = Budget(evaluations=1500)
    selector = PBMinimizer(method=method, budget=budget, random_state=0).fit(*diabetes)
    assert gap(selector, *diabetes) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", SAMPLING)
def test_the_best_subset_of_iris_is_found(method, iris):
    # The relaxation has its minimum at all features: only samples lead away from it.
    selector = PBMinimizer(method=method, random_state=0).fit(*iris)
    assert gap(selector, *iris) == pytest.approx(0, abs=2e-5)


def test_a_sixth_of_the_features_of_breast_cancer_predicts_as_well_as_that_of_rfe():
    # BIC keeps 5 of 30 features. That costs about 2 points of accuracy, whoever
    # chooses them.
    X, y = load_breast_cancer(return_X_y=True)

    def accuracy(*selector):
        model = make_pipeline(StandardScaler(), *selector, LogisticRegression())
        return cross_val_score(model, X, y, cv=5).mean()

    selector = PBMinimizer(random_state=0)
    chosen = accuracy(selector)
    assert chosen >= accuracy() - 0.03
    rfe = RFE(LogisticRegression(), n_features_to_select=5)
    assert chosen >= accuracy(rfe) - 0.01
    assert selector.fit(X, y).solution_.sum() == 5


def test_fewer_features_of_diabetes_keep_the_score(diabetes):
    X, y = diabetes
    selecting = make_pipeline(PBMinimizer(random_state=0), LinearRegression())
    everything = cross_val_score(LinearRegression(), X, y, cv=5).mean()
    assert cross_val_score(selecting, X, y, cv=5).mean() >= everything - 0.02
    assert selecting.fit(X, y)[0].solution_.sum() <= 7


def test_fitted_attributes(iris):
    X, y = iris
    selector = PBMinimizer(method="loorf", budget=SHORT, random_state=0)
    assert selector.fit(X, y) is selector
    assert selector.solution_.dtype == bool and selector.solution_.shape == (4,)
    assert isinstance(selector.cost_, float)
    assert selector.probabilities_.shape == (4,)
    assert selector.n_evaluations_ == 300 and selector.stop_reason_ == "evaluations"
    assert pd.DataFrame(selector.history_)["step"].iloc[-1] == selector.n_iter_
    assert selector.n_features_in_ == 4
    assert list(selector.feature_names_in_) == list(X.columns)


def test_the_default_budget_ends_without_improvement(iris):
    selector = PBMinimizer(method="loorf", random_state=0).fit(*iris)
    assert selector.stop_reason_ == "no_improvement"
    assert 500 <= selector.n_evaluations_ <= 2000


def test_labels_may_be_strings_and_data_lists(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    by_number = PBMinimizer(budget=SHORT, random_state=0).fit(X, y)
    by_name = PBMinimizer(budget=SHORT, random_state=0).fit(X.values.tolist(), names)
    assert by_number.cost_ == pytest.approx(by_name.cost_, rel=1e-12)  # other dtypes
    assert not hasattr(by_name, "feature_names_in_")


def test_constraint_is_a_price_of_features(diabetes):
    X, y = diabetes
    cheap = PBMinimizer(random_state=0).fit(X, y)
    dear = PBMinimizer(constraint=L0Penalty(0.05), random_state=0).fit(X, y)
    assert dear.solution_.sum() < cheap.solution_.sum()
    assert dear.score(X, y) == pytest.approx(-dear.cost_, abs=1e-5)


class Recording:
    """An objective of a user's own; it counts the rows that it is asked for."""

    def __init__(self):
        self.points = []

    def bind(self, X, y):
        def cost(Z):
            self.points += [tuple(z) for z in Z.tolist()]
            return (Z.sum(1) - 2) ** 2

        return BlackBoxFunction(cost, X.shape[1])


@pytest.mark.parametrize("bound", [3, None, len], ids=repr)
def test_an_objective_that_binds_to_no_function(iris, bound):
    objective = Recording()
    objective.bind = lambda X, y: bound
    message = re.escape(f"bind(X, y) returned {bound!r}, a {type(bound).__name__}; it")
    with pytest.raises(
        TypeError, match=f"objective=.*Recording.*{message} must return"
    ):
        PBMinimizer(objective).fit(*iris)


def test_a_bound_objective_computes_a_point_once(iris):
    objective = Recording()
    selector = PBMinimizer(objective, method="loorf", budget=SHORT, random_state=0).fit(
        *iris
    )
    assert selector.cost_ == 0 and selector.solution_.sum() == 2
    assert selector.n_evaluations_ == 300
    doubles = [tuple(map(float, point)) for point in objective.points]
    assert len(doubles) <= 2 * 16  # once more at the end, in double precision


# A function instead of an objective


@pytest.mark.parametrize("method", METHODS)
def test_a_function_needs_no_data(method):
    J = quadratic()
    budget = Budget(evaluations=1000)
    minimizer = PBMinimizer(J, method=method, budget=budget, random_state=0).fit()
    assert minimizer.cost_ == pytest.approx(tabulate(J).values.min().item())
    assert minimizer.score() == minimizer.score(np.ones((3, 2))) == -minimizer.cost_
    assert not hasattr(minimizer, "n_features_in_")
    assert minimizer.get_support().tolist() == minimizer.solution_.tolist()


@pytest.mark.parametrize(
    "name", ["transform", "fit_transform", "inverse_transform", "get_feature_names_out"]
)
def test_a_function_has_no_features_to_transform(name):
    minimizer = PBMinimizer(quadratic(), budget=SHORT).fit()
    assert not hasattr(minimizer, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as caught:
        getattr(minimizer, name)
    assert "its objective is a QuadraticFunction" in str(caught.value.__cause__)


def test_methods_are_compared_on_a_function_by_grid_search():
    search = GridSearchCV(
        PBMinimizer(quadratic(), budget=SHORT, random_state=0),
        {"method": ["loorf", "arms", MonteCarlo(n_samples=5)]},
        cv=2,
    ).fit(np.zeros((4, 1)))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_tags():
    assert get_tags(PBMinimizer()).target_tags.required
    assert not get_tags(PBMinimizer(quadratic())).target_tags.required
    assert not is_classifier(PBMinimizer()) and not is_regressor(PBMinimizer())


# scikit-learn's ways


IRIS_X, IRIS_Y = load_iris(return_X_y=True)
MISSING = IRIS_X.copy()
MISSING[::7, 1] = np.nan
WORDS = pd.DataFrame(np.where(IRIS_X.mean(axis=0) < IRIS_X, "long", "short"))
WORDS.columns = list("abcd")
RAW_DATA = {
    "missing": (HistGradientBoostingClassifier(max_iter=3), MISSING, IRIS_Y),
    "sparse": (LogisticRegression(max_iter=1000), sparse.csr_matrix(IRIS_X), IRIS_Y),
    "outputs": (Ridge(), IRIS_X, np.stack([IRIS_Y, 2.0 * IRIS_Y], axis=1)),
    "words": (make_pipeline(OneHotEncoder(), LogisticRegression()), WORDS, IRIS_Y),
    "no targets": (GaussianMixture(random_state=0), IRIS_X, None),
}


@pytest.mark.parametrize("name", RAW_DATA)
def test_the_estimator_of_an_objective_is_given_the_data_as_they_are(name):
    estimator, X, y = RAW_DATA[name]
    objective = EstimatorSubset(estimator, cv=2, empty=5.0)
    minimizer = PBMinimizer(
        objective, method="exhaustive", budget=Budget(evaluations=16), random_state=0
    ).fit(X, y)
    assert minimizer.n_features_in_ == 4
    chosen = minimizer.solution_
    rows = X.iloc[:, chosen] if name == "words" else X[:, chosen]
    score = cross_val_score(clone(estimator), rows, y, cv=2).mean()
    assert minimizer.cost_ == pytest.approx(-score)
    assert minimizer.score(X, y) == pytest.approx(score)
    assert minimizer.transform(X).shape == rows.shape
    tags = get_tags(minimizer)
    assert tags.input_tags.allow_nan and tags.input_tags.sparse
    assert tags.target_tags.required == (y is not None)


def test_the_data_of_other_objectives_are_checked():
    with pytest.raises(ValueError, match="NaN"):
        PBMinimizer().fit(MISSING, IRIS_Y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        PBMinimizer(EstimatorSubset(Ridge())).fit(IRIS_X)
    with pytest.raises(ValueError, match="3 features, but PBMinimizer is expecting 4"):
        raw = PBMinimizer(
            EstimatorSubset(Ridge()), budget=Budget(evaluations=3), random_state=0
        )
        raw.fit(IRIS_X, IRIS_Y).transform(MISSING[:, :3])


def test_score_binds_the_objective_to_the_data_given(diabetes):
    X, y = diabetes
    selector = PBMinimizer(budget=SHORT, random_state=0).fit(X[:300], y[:300])
    point = torch.from_numpy(selector.solution_).double()[None]
    expected = -SubsetSelection().bind(X[300:], y[300:])(point).item()
    assert selector.score(X[300:], y[300:]) == pytest.approx(expected, abs=1e-12)
    assert selector.score() == -selector.cost_


def test_names_and_frames_come_through(diabetes):
    X, y = diabetes
    selector = PBMinimizer(budget=SHORT, random_state=0).set_output(transform="pandas")
    chosen = selector.fit_transform(X, y)
    assert isinstance(chosen, pd.DataFrame)
    names = list(selector.get_feature_names_out())
    assert list(chosen.columns) == names == list(X.columns[selector.get_support()])
    assert selector.get_support(indices=True).tolist() == [
        list(X.columns).index(name) for name in names
    ]
    back = selector.inverse_transform(chosen)
    np.testing.assert_array_equal(back[:, selector.solution_], chosen)
    assert (back[:, ~selector.solution_] == 0).all()


def assert_same_fit(a, b):
    assert a.solution_.tolist() == b.solution_.tolist()
    assert a.cost_ == b.cost_
    assert a.probabilities_.tolist() == b.probabilities_.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_copies_are_equal(method, diabetes, tmp_path):
    X, y = diabetes[0].iloc[:, :6], diabetes[1]
    selector = PBMinimizer(method=method, budget=SHORT, random_state=0).fit(X, y)
    joblib.dump(selector, tmp_path / "selector.joblib")
    for twin in (
        pickle.loads(pickle.dumps(selector)),
        copy.deepcopy(selector),
        joblib.load(tmp_path / "selector.joblib"),
        clone(selector).fit(X, y),
    ):
        assert_same_fit(selector, twin)
        np.testing.assert_array_equal(twin.transform(X), selector.transform(X))


def test_a_fitted_estimator_does_not_hold_the_data(diabetes):
    X, y = pd.concat([diabetes[0]] * 50), np.tile(diabetes[1], 50)
    selector = PBMinimizer(budget=SHORT, random_state=0).fit(X, y)
    assert len(pickle.dumps(selector)) < 100_000 < X.values.nbytes


def test_nested_parameters(iris):
    selector = PBMinimizer(SubsetSelection(), method=MonteCarlo(), budget=SHORT)
    selector.set_params(objective__price=10.0, method__n_samples=3).fit(*iris)
    assert selector.solution_.sum() == 1
    assert clone(selector).get_params()["method__n_samples"] == 3


def test_html_and_repr():
    selector = PBMinimizer(method=MonteCarlo(n_samples=3))
    assert repr(selector) == "PBMinimizer(method=MonteCarlo(n_samples=3))"
    assert "PBMinimizer" in selector._repr_html_()


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0)])
def test_global_generators_rest(random_state, iris):
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    PBMinimizer(budget=SHORT, random_state=random_state).fit(*iris)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def ways_to_run():
    """Serial, in processes, in threads."""
    yield {"n_jobs": 1}, {}
    yield {"n_jobs": 2}, {"backend": "loky"}
    yield {"n_jobs": 2}, {"backend": "threading"}


def test_cross_validation_is_the_same_however_it_runs(diabetes):
    X, y = diabetes
    selector = PBMinimizer(budget=Budget(evaluations=100), random_state=0)
    scores = []
    for jobs, backend in ways_to_run():
        with parallel_config(**backend) if backend else warnings.catch_warnings():
            scores.append(cross_val_score(selector, X, y, cv=2, **jobs).tolist())
    assert scores[0] == scores[1] == scores[2]
    assert np.isfinite(scores[0]).all()


def test_grid_search_over_methods_is_the_same_however_it_runs(diabetes):
    X, y = diabetes
    model = make_pipeline(
        PBMinimizer(budget=Budget(evaluations=60), random_state=0), LinearRegression()
    )
    grid = [
        {"pbminimizer__method": ["loorf", "arms", "continuous", "straight-through"]},
        {
            "pbminimizer__method": [MonteCarlo()],
            "pbminimizer__method__n_samples": [2, 8],
        },
    ]
    results = []
    for jobs, backend in ways_to_run():
        with parallel_config(**backend) if backend else warnings.catch_warnings():
            search = GridSearchCV(model, grid, cv=2, **jobs).fit(X, y)
        results.append(search.cv_results_["mean_test_score"].tolist())
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 6 and np.isfinite(results[0]).all()


@pytest.mark.parametrize("verbose, lines", [(0, 0), (1, 4), (2, 10)])
def test_verbose_prints(verbose, lines, capsys):
    budget = Budget(evaluations=101)
    method = MonteCarlo(n_samples=10)
    PBMinimizer(
        quadratic(), method=method, budget=budget, random_state=0, verbose=verbose
    ).fit()
    printed = capsys.readouterr().out.splitlines()
    assert abs(len(printed) - lines) <= 1 if lines else not printed
    assert all("best cost" in line for line in printed)


# Failing well

X0 = np.random.default_rng(0).normal(size=(20, 4))
Y0 = np.arange(20) % 2


def with_entry(value):
    X = X0.copy()
    X[3, 2] = value
    return X


REFUSED = {
    "unknown method": (
        {"method": "looorf"},
        (X0, Y0),
        ValueError,
        "method='looorf' is unknown",
    ),
    "method of weights": (
        {"method": "gmp"},
        (X0, Y0),
        ValueError,
        "method='gmp' ranks the weights of a network",
    ),
    "method of another type": (
        {"method": 3},
        (X0, Y0),
        ValueError,
        "The 'method' parameter of PBMinimizer must be",
    ),
    "objective of another type": (
        {"objective": "bic"},
        (X0, Y0),
        ValueError,
        "The 'objective' parameter of PBMinimizer must be an object implementing "
        "'bind'",
    ),
    "budget of another type": (
        {"budget": 100},
        (X0, Y0),
        ValueError,
        "The 'budget' parameter of PBMinimizer",
    ),
    "constraint of another type": (
        {"constraint": 0.1},
        (X0, Y0),
        ValueError,
        "The 'constraint' parameter of PBMinimizer",
    ),
    "random_state": (
        {"random_state": "seed"},
        (X0, Y0),
        ValueError,
        "The 'random_state' parameter of PBMinimizer",
    ),
    "negative budget": (
        {"budget": Budget(seconds=-1.0)},
        (X0, Y0),
        ValueError,
        "Budget.seconds=-1.0 must be a number in (0, inf)",
    ),
    "open price": (
        {"constraint": L0Penalty()},
        (X0, Y0),
        ValueError,
        "L0Penalty.strength='auto'",
    ),
    "bad objective parameter": (
        {"objective": SubsetSelection(price="bicc")},
        (X0, Y0),
        ValueError,
        "price must be one of",
    ),
    "too many to enumerate": (
        {"method": "exact"},
        (np.random.default_rng(0).normal(size=(30, 25)), np.arange(30) % 2),
        ValueError,
        "n_variables=25 is too large",
    ),
    "not relaxable": (
        {"objective": Recording(), "method": "continuous"},
        (X0, Y0),
        ValueError,
        "method='continuous' needs a cost that is differentiable",
    ),
    "no data": ({}, (), ValueError, "X=None, but the objective SubsetSelection()"),
    "no targets": ({}, (X0,), ValueError, "requires y to be passed"),
    "NaN": ({}, (with_entry(np.nan), Y0), ValueError, "Input X contains NaN"),
    "infinity": ({}, (with_entry(np.inf), Y0), ValueError, "X contains infinity"),
    "one class": ({}, (X0, np.zeros(20, int)), ValueError, "y has one class only"),
    "constant targets": (
        {"objective": SubsetSelection("linear")},
        (X0, np.full(20, 0.5)),
        ValueError,
        "y is constant",
    ),
    "lengths": ({}, (X0, Y0[:-1]), ValueError, "inconsistent numbers of samples"),
}


@pytest.mark.parametrize(
    "parameters, data, error, message", REFUSED.values(), ids=REFUSED
)
def test_refused_before_the_search(parameters, data, error, message):
    minimizer = PBMinimizer(**parameters)
    with pytest.raises(error, match=re.escape(message)):
        minimizer.fit(*data)
    assert not hasattr(minimizer, "solution_")


@pytest.mark.parametrize("name", ["transform", "score", "get_support"])
def test_not_fitted(name):
    arguments = () if name == "get_support" else (X0,)
    with pytest.raises(NotFittedError):
        getattr(PBMinimizer(), name)(*arguments)


def test_another_number_of_features_is_refused():
    selector = PBMinimizer(budget=SHORT, random_state=0).fit(X0, Y0)
    for method in (selector.transform, lambda X: selector.score(X, Y0)):
        with pytest.raises(ValueError, match="X has 3 features, but PBMinimizer is"):
            method(X0[:, :3])


def test_a_wrong_shape_is_found_at_once():
    J = BlackBoxFunction(lambda Z: Z, 4)
    with pytest.raises(ObjectiveError, match=r"shape \(10, 4\) for 10 rows"):
        PBMinimizer(J, method="loorf").fit()


def test_a_late_failure_keeps_the_last_good_state():
    calls = itertools.count()
    J = BlackBoxFunction(lambda Z: Z.sum(1) * (1 if next(calls) < 20 else math.nan), 5)
    minimizer = PBMinimizer(J, method="loorf", random_state=0)
    with pytest.raises(ObjectiveError, match="cost nan"):
        minimizer.fit()
    assert minimizer.cost_ == minimizer.solution_.sum()
    assert minimizer.stop_reason_ == "error" and minimizer.history_


def distance(Z):
    """A plain callable of four variables, least at 0101."""
    return (Z - torch.tensor([0.0, 1.0, 0.0, 1.0])).abs().sum(1)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_plain_callable_is_minimised_without_data(n_jobs):
    minimizer = PBMinimizer(
        distance, n_variables=4, budget=SHORT, n_restarts=2, n_jobs=n_jobs
    ).fit()
    assert minimizer.solution_.tolist() == [False, True, False, True]
    assert minimizer.score() == 0.0
    assert not hasattr(minimizer, "transform")
    assert not get_tags(minimizer).target_tags.required


def test_a_plain_callable_does_not_say_how_many_variables_it_has():
    with pytest.raises(ValueError, match="n_variables=None: a callable"):
        PBMinimizer(distance).fit()
    with pytest.raises(ValueError, match="n_variables=5 contradicts"):
        PBMinimizer(quadratic(), n_variables=5).fit()


def test_a_callback_watches_and_stops():
    seen = []

    def stop(record):
        seen.append(record["step"])
        if len(seen) == 3:
            raise StopIteration

    minimizer = PBMinimizer(quadratic(), method="loorf", callback=stop).fit()
    assert seen == [1, 2, 3] and minimizer.stop_reason_ == "callback"


def test_lines_are_printed_beside_a_callback(capsys):
    seen = []
    PBMinimizer(
        quadratic(), method="tabu", budget=SHORT, callback=seen.append, verbose=2
    ).fit()
    assert capsys.readouterr().out.count("[PBMinimizer]") == len(seen) > 0


def test_a_fit_goes_on_from_the_state_of_another(diabetes):
    for data, objective in (((), quadratic(30)), (diabetes, None)):
        kwargs = {"method": "loorf", "random_state": 0}
        first = PBMinimizer(objective, budget=SHORT, **kwargs).fit(*data)
        more = PBMinimizer(
            objective, budget=Budget(evaluations=900), state=first.state_, **kwargs
        )
        clone(more).fit(*data)
        pickle.loads(pickle.dumps(more.fit(*data)))
        assert more.n_evaluations_ == 900 and more.cost_ <= first.cost_
