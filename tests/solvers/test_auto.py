"""What "auto" stands for, and that it minimises."""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from scipy import sparse
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_pb import Budget, PBMinimizer, minimize
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.functions import (
    BlackBoxFunction,
    MaxSAT,
    NNLoss,
    QuadraticFunction,
    SubsetSelection,
    tabulate,
)
from sklearn_pb.solvers import ExhaustiveSearch, MinCut, Portfolio, SimulatedAnnealing

RNG = np.random.default_rng(0)
LINEAR = BlackBoxFunction(lambda Z: (Z.sum(1) - 3.0) ** 2, 40)


def quadratic(d):
    return QuadraticFunction(np.random.default_rng(d).normal(size=(d, d)))


def submodular(d):
    rng = np.random.default_rng(d)
    return QuadraticFunction(-rng.random((d, d)), 3 * rng.normal(size=d))


def with_slopes(d):
    return BlackBoxFunction(lambda Z: Z.sum(1) / d, d, relaxable=True)


@pytest.mark.parametrize(
    ("function", "budget", "expected"),
    [
        (submodular(40), Budget(seconds=5), "MinCut()"),
        (quadratic(12), Budget(seconds=5), "ExhaustiveSearch()"),
        (quadratic(12), Budget(evaluations=4096), "ExhaustiveSearch()"),
        (
            quadratic(12),
            Budget(evaluations=4095),
            "Portfolio(methods=[TabuSearch(), GeneticAlgorithm(), "
            "SimulatedAnnealing()])",
        ),
        (
            LINEAR,
            Budget(evaluations=500),
            "Portfolio(methods=[LocalSearch(), GeneticAlgorithm(), MonteCarlo()])",
        ),
        (
            with_slopes(6000),
            Budget(evaluations=50),
            "Portfolio(methods=[StraightThrough(), "
            "MonteCarlo(gradient='double-cv-shrunk')])",
        ),
        (
            with_slopes(40),
            Budget(evaluations=50),
            "Portfolio(methods=[StraightThrough(), LocalSearch(), "
            "GeneticAlgorithm(), MonteCarlo()])",
        ),
    ],
)
def test_the_choice_follows_what_the_function_can_do(function, budget, expected):
    result = minimize(function, method="auto", budget=budget, random_state=0)
    assert " ".join(repr(result.method).split()) == expected


@pytest.mark.parametrize("seed", range(5))
def test_the_least_cost_is_found(seed):
    rng = np.random.default_rng(seed)
    J = QuadraticFunction(rng.normal(size=(14, 14)))
    least = tabulate(J).values.min().item()
    for budget in (Budget(evaluations=20_000), Budget(evaluations=5000)):
        result = minimize(J, method="auto", budget=budget, random_state=seed)
        assert result.fun == pytest.approx(least)
        assert (result.stop_reason == "optimal") == (budget.evaluations == 20_000)


def test_a_function_without_data_by_the_estimator():
    minimizer = PBMinimizer(quadratic(12), method="auto", budget=Budget(seconds=20))
    minimizer.fit()
    assert isinstance(minimizer.method_, ExhaustiveSearch)
    assert minimizer.stop_reason_ == "optimal"


def test_a_grid_over_solvers_and_their_hyperparameters():
    search = GridSearchCV(
        PBMinimizer(submodular(30), budget=Budget(evaluations=3000), random_state=0),
        {"method": ["auto", "tabu", "annealing", "loorf", MinCut()]},
        cv=[(np.arange(4), np.arange(4))],
        error_score="raise",
    )
    search.fit(np.zeros((4, 1)))
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] == scores[4] == scores.max()


@pytest.mark.parametrize("method", ["auto", "tabu", "annealing", "local-search"])
def test_features_are_selected_in_a_pipeline(method):
    X, y = load_breast_cancer(return_X_y=True)
    selector = PBMinimizer(
        method=method, budget=Budget(evaluations=300), random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), selector, LogisticRegression())
    pipeline.fit(X[:400], y[:400])
    assert selector.get_support().sum() < 15
    assert pipeline.score(X[400:], y[400:]) > 0.92


def wide_data(n, d=2000):
    """Labels that follow 3 of very many features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = X[:, [5, 50, 500]].sum(axis=1) > 0
    X[:, [5, 50, 500]] += np.where(y, 1.0, -1.0)[:, None]
    return X, y


def test_few_features_of_very_many_are_selected_in_a_pipeline():
    X, y = wide_data(260)
    selector = PBMinimizer(
        method="auto", budget=Budget(evaluations=200), random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), selector, LogisticRegression())
    pipeline.fit(X[:60], y[:60])
    assert isinstance(selector.method_, Portfolio)
    none = float(SubsetSelection().bind(X[:60], y[:60])(np.zeros((1, 2000)))[0])
    assert selector.cost_ < 0.5 * none
    assert 1 <= selector.get_support().sum() <= 6
    assert pipeline.score(X[60:], y[60:]) > 0.8


class Sparse(BlackBoxFunction):
    """A function whose good points have few ones, which remembers its points."""

    initial_probabilities = np.full(500, 0.01)

    def __init__(self):
        self.points = []
        super().__init__(self._cost, 500, relaxable=True)

    def _cost(self, Z):
        self.points.append(Z.detach().clone())
        return (Z.sum(1) - 3.0) ** 2


@pytest.mark.parametrize(
    "method", ["auto", "loorf", "straight-through", "tabu", "genetic", "local-search"]
)
@pytest.mark.parametrize("price", [None, 0.1])
def test_a_function_says_where_a_search_begins(method, price):
    J = Sparse()
    minimize(
        J,
        method=method,
        budget=Budget(evaluations=60),
        constraint=None if price is None else L0Penalty(strength=price),
        random_state=0,
    )
    points = torch.cat(J.points)
    assert not points[0].any()
    assert points.sum(dim=1).max() < 30  # a draw by coin has 250


def test_a_warm_start_goes_before_that_of_the_function():
    J = Sparse()
    budget = Budget(evaluations=10)
    minimize(J, method="genetic", budget=budget, initial=np.ones(500), random_state=0)
    assert J.points[0].all()


def test_restarts_by_the_estimator():
    kwargs = {"n_restarts": 3, "random_state": 0, "budget": Budget(evaluations=900)}
    serial = PBMinimizer(quadratic(30), method="tabu", **kwargs).fit()
    with parallel_config("threading"):  # processes: see test_running
        parallel = PBMinimizer(quadratic(30), method="tabu", n_jobs=2, **kwargs).fit()
    np.testing.assert_array_equal(serial.solution_, parallel.solution_)
    assert serial.n_evaluations_ == parallel.n_evaluations_ == 900


def test_a_warm_start_and_a_checkpoint_by_the_estimator(tmp_path):
    J = quadratic(30)
    budget = Budget(evaluations=400)
    first = PBMinimizer(J, method="tabu", budget=budget, random_state=0).fit()
    path = tmp_path / "fit.pt"
    again = PBMinimizer(
        J, budget=budget, initial=first.solution_, checkpoint=path, random_state=0
    ).fit()
    assert again.cost_ <= first.cost_
    assert path.exists()


def test_nested_hyperparameters_of_a_portfolio():
    portfolio = Portfolio(["tabu", MinCut()], share="seconds")
    assert portfolio.get_params()["share"] == "seconds"


def test_many_variables_with_few_common_terms_are_annealed(monkeypatch):
    monkeypatch.setattr("sklearn_pb.solvers._auto.MANY_VARIABLES", 50)
    rng = np.random.default_rng(0)
    dense = QuadraticFunction(rng.normal(size=(60, 60)))
    ring = rng.choice([-1.0, 1.0], 60)
    weights = np.diag(ring[:-1], 1)
    weights[0, -1], weights[0, 2] = ring[-1], 1.0  # frustrated, so that no cut is exact
    weights[0, 1] = weights[1, 2] = 1.0
    budget = Budget(evaluations=20_000)
    for function, expected in (
        (dense, Portfolio),
        (QuadraticFunction(sparse.csr_array(weights)), SimulatedAnnealing),
        (MaxSAT(rng.choice([-1, 1], (90, 3)) * rng.integers(1, 61, (90, 3))), None),
    ):
        result = minimize(function, method="auto", budget=budget, random_state=0)
        assert isinstance(result.method, expected or SimulatedAnnealing)


def test_a_larger_budget_goes_on_with_what_was_picked_first(tmp_path):
    J, path = NNLoss(12, random_state=0), tmp_path / "run.pt"
    short, long = Budget(evaluations=2000), Budget(evaluations=6000)
    first = minimize(J, method="auto", budget=short, random_state=0)
    assert isinstance(minimize(J, method="auto", budget=long).method, ExhaustiveSearch)
    kwargs = {"method": "auto", "budget": long, "random_state": 0}
    rest = minimize(J, state=first.state, **kwargs)
    assert repr(rest.method) == repr(first.method)
    assert rest.nfev == 6000 and rest.fun <= first.fun
    minimize(J, method="auto", budget=short, random_state=0, checkpoint=path)
    kept = minimize(J, checkpoint=path, **kwargs)
    assert (kept.fun, kept.nfev) == (rest.fun, rest.nfev)
    runs = minimize(J, method="auto", budget=short, n_restarts=2, random_state=0)
    more = minimize(J, state=runs.state, n_restarts=2, **kwargs)
    assert more.nfev == 6000 and repr(more.method) == repr(runs.method)


def test_auto_does_not_take_a_state_of_another_function():
    first = minimize(quadratic(30), method="auto", budget=Budget(evaluations=500))
    with pytest.raises(ValueError, match="state is of Portfolio"):
        minimize(quadratic(31), method="auto", state=first.state)


@pytest.mark.parametrize("name", ["continuation", "continuous"])
def test_continuation_has_two_names(name):
    result = minimize(with_slopes(10), method=name, budget=Budget(evaluations=50))
    assert repr(result.method) == "Continuation()" and result.fun == 0.0
