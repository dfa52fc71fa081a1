"""However short the time, there is a result, and the clock starts with the call."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_pb import Budget, PBMinimizer, minimize
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.methods import PRESETS
from sklearn_pb.solvers import SOLVERS, Polished, Portfolio, _minimize
from sklearn_pb.solvers._presets import resolve

METHODS = sorted(
    name
    for name, make in PRESETS.items()
    if not (make().needs_weights or make().needs_sparsity)
)
ALL = ["auto", *METHODS, *sorted(SOLVERS)]
NO_TIME = Budget(seconds=1e-9)  # over before anything can be set up

FRESH = """
import json
import numpy as np
from sklearn_pb import Budget, minimize
from sklearn_pb.functions import QuadraticFunction

Q = -np.random.default_rng(0).random((12, 12))
J, found = QuadraticFunction(Q), {}
for method in METHODS:
    try:
        result = minimize(J, method=method, budget=Budget(seconds=1e-3), random_state=0)
    except ImportError:
        continue
    z = result.x.astype(float)
    found[method] = abs(z @ Q @ z - result.fun) < 1e-9 and result.nfev >= 1
print(json.dumps(found))
"""


def submodular(d=12):
    return QuadraticFunction(-np.random.default_rng(0).random((d, d)))


def test_every_method_has_a_result_after_a_millisecond_in_a_fresh_process():
    code = FRESH.replace("METHODS", repr(ALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert all(found.values())
    assert len(found) > len(ALL) - 6  # those of packages that may be missing


@pytest.mark.parametrize(
    "method", [*ALL, Portfolio(["loorf", "tabu"]), Polished("arms")], ids=str
)
def test_one_point_is_evaluated_where_setting_up_takes_all_the_time(method):
    if method != "auto":
        try:
            resolve(method)
        except ImportError as error:
            pytest.skip(str(error))
    J = submodular()
    result = minimize(J, method=method, budget=NO_TIME, random_state=0)
    assert result.stop_reason == "seconds" and result.nfev == 1
    assert result.success and result.fun == J(result.x[None].astype(float)).item()
    assert len(result.history) == 1 and result.history[0]["best_cost"] == result.fun


def test_it_is_the_warm_start_where_there_is_one():
    J, point = submodular(), np.arange(12) % 2
    for initial in (point, 0.3 + 0.4 * point):
        result = minimize(J, method="loorf", initial=initial, budget=NO_TIME)
        np.testing.assert_array_equal(result.x, point)


def test_the_clock_runs_while_a_method_is_chosen(monkeypatch):
    def choose_slowly(function, budget):
        time.sleep(0.05)
        return resolve("annealing")

    monkeypatch.setattr(_minimize, "choose", choose_slowly)
    result = minimize(submodular(), method="auto", budget=Budget(seconds=0.04))
    assert result.stop_reason == "seconds" and result.nfev == 1
    assert result.seconds >= 0.05


def test_a_search_that_had_no_time_goes_on_later():
    part = minimize(submodular(), method="tabu", budget=NO_TIME, random_state=0)
    rest = minimize(submodular(), method="tabu", budget=Budget(1000), state=part.state)
    assert rest.nfev == 1000 and rest.fun < part.fun


def test_a_failure_at_the_first_point_is_told():
    J = BlackBoxFunction(lambda Z: Z.sum(1) * np.nan, 4)
    with pytest.raises(ValueError, match="cost nan"):
        minimize(J, method="tabu", budget=NO_TIME)


def test_a_grid_search_has_a_score_for_every_method():
    X, y = load_iris(return_X_y=True)
    selector = PBMinimizer(budget=Budget(seconds=1e-3), random_state=0)
    grid = {"pbminimizer__method": ["loorf", "auto", "tabu", "continuous"]}
    model = make_pipeline(selector, LogisticRegression(max_iter=1000))
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
