import itertools
import math
import re
import time

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import OptimizeResult

from sklearn_pb.budget import Budget
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import (
    BlackBoxFunction,
    ExponentialTabularLoss,
    NNLoss,
    PolynomialFunction,
    PseudoBooleanFunction,
    QuadraticFunction,
    SubsetSelection,
    tabulate,
)
from sklearn_pb.methods import PRESETS, Continuation, MonteCarlo, StraightThrough
from sklearn_pb.solvers import minimize
from sklearn_pb.solvers._history import MOST_RECORDS

METHODS = sorted(
    name
    for name, make in PRESETS.items()
    if not (make().needs_weights or make().needs_sparsity)
)
SAMPLING = [n for n in METHODS if not PRESETS[n]().needs_relaxable]


def quadratic(d=8, seed=0):
    rng = np.random.default_rng(seed)
    return QuadraticFunction(rng.normal(size=(d, d)), rng.normal(size=d), 0.5)


def black_box(d=8, **kwargs):
    weights = torch.linspace(-1.0, 1.2, d, dtype=torch.float64)

    def cost(Z):
        return (Z.double() @ weights - 0.3).abs() + 0.1 * (Z.sum(1) - 3) ** 2

    return BlackBoxFunction(cost, d, relaxable=True, **kwargs)


FUNCTIONS = {
    "quadratic": quadratic(),
    "tabular": ExponentialTabularLoss(6, random_state=1),
    "black box": black_box(),
    "network": NNLoss(8, random_state=0),
}


class Counted(PseudoBooleanFunction):
    """Counts the rows that are really evaluated."""

    relaxable = True

    def __init__(self, function, pause=0.0):
        self.function = function
        self.n_variables = function.n_variables
        self.pause = pause
        self.rows = 0

    def _evaluate(self, Z):
        self.rows += len(Z)
        time.sleep(self.pause * len(Z))
        return self.function(Z)


@pytest.mark.parametrize("method", SAMPLING)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_sampling_methods_find_the_least_cost(name, method):
    J = FUNCTIONS[name]
    result = minimize(J, method=method, budget=Budget(evaluations=2000), random_state=0)
    assert result.fun == pytest.approx(tabulate(J).values.min().item(), abs=1e-6)


@pytest.mark.parametrize("method", ["continuous", "straight-through"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_methods_with_slopes_come_close(name, method):
    # They follow the relaxation, whose minimum may lie elsewhere: networks take longer.
    J = FUNCTIONS[name]
    budget = Budget(evaluations=1601 if name == "network" else 201)
    result = minimize(J, method=method, budget=budget, random_state=0)
    costs = tabulate(J).values
    assert (costs < result.fun - 1e-6).double().mean() < 0.05


@pytest.mark.parametrize("method", METHODS)
def test_the_result_is_complete(method):
    J = quadratic(6)
    result = minimize(J, method=method, budget=Budget(evaluations=300), random_state=0)
    assert isinstance(result, OptimizeResult)
    assert result.x.dtype == np.int8 and result.x.shape == (6,)
    assert set(np.unique(result.x)) <= {0, 1}
    exact = J(torch.from_numpy(result.x).double()[None]).item()
    assert isinstance(result.fun, float) and result.fun == exact
    assert result.success and result.stop_reason == "evaluations"
    assert result.nfev == 300 and 1 <= result.nit <= 300
    assert isinstance(result.status, int) and "evaluations" in result.message
    assert result.probabilities.shape == (6,)
    assert ((result.probabilities >= 0) & (result.probabilities <= 1)).all()
    assert result.seconds > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_history_tells_how_it_went(method):
    result = minimize(
        quadratic(6), method=method, budget=Budget(evaluations=500), random_state=0
    )
    frame = pd.DataFrame(result.history)
    assert frame["step"].is_monotonic_increasing and frame["step"].is_unique
    assert frame["n_evaluations"].is_monotonic_increasing
    assert frame["best_cost"].is_monotonic_decreasing
    assert frame["seconds"].is_monotonic_increasing
    assert not frame.isna().any(axis=None)
    assert (frame["mean_cost"] >= frame["best_cost"].min() - 3).all()
    assert frame["density"].between(0, 1).all()
    assert frame["entropy"].between(0, math.log(2) + 1e-6).all()
    assert frame["step"].iloc[-1] == result.nit
    assert frame["best_cost"].iloc[-1] == pytest.approx(result.fun, abs=1e-5)


def test_a_long_history_is_thinned_out_evenly():
    method = MonteCarlo(n_samples=2)
    result = minimize(
        quadratic(2), method=method, budget=Budget(evaluations=6000), random_state=0
    )
    steps = np.array([record["step"] for record in result.history])
    assert MOST_RECORDS / 2 <= len(steps) <= MOST_RECORDS + 1
    assert steps[-1] == result.nit > 2 * MOST_RECORDS
    assert len(set(np.diff(steps[:-1]))) == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("limit", [65, 66, 100, 301])
def test_evaluations_are_counted_honestly(method, limit):
    J = Counted(quadratic(6))
    result = minimize(J, method=method, budget=Budget(evaluations=limit))
    assert J.rows == result.nfev == limit


def test_one_evaluation_is_enough_for_a_result():
    J = Counted(quadratic(6))
    result = minimize(J, budget=Budget(evaluations=1))
    assert J.rows == result.nfev == 1 and result.success


@pytest.mark.parametrize("method", ["loorf", "continuous"])
def test_seconds_hold_to_within_two_evaluations(method):
    J = Counted(quadratic(6), pause=0.02)
    result = minimize(J, method=method, budget=Budget(seconds=0.2), random_state=0)
    assert result.stop_reason == "seconds"
    assert J.rows == result.nfev <= 13
    assert result.seconds >= 0.2


def test_a_reached_target_ends_the_search():
    J = quadratic()
    target = tabulate(J).values.min().item() + 1e-5
    budget = Budget(evaluations=100_000, target=target)
    result = minimize(J, method="loorf", budget=budget, random_state=0)
    assert result.stop_reason == "target" and result.fun <= target
    assert result.nfev < 5000


def test_no_improvement_ends_the_search():
    J = Counted(quadratic(5))
    result = minimize(J, budget=Budget(no_improvement=100), random_state=0)
    assert result.stop_reason == "no_improvement"
    improved = max(
        record["n_evaluations"]
        for record in result.history
        if record["best_cost"] > result.history[-1]["best_cost"]
    )
    assert result.nfev - improved <= 100 + 10 + 2


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_the_same_result_and_global_generators_rest(method):
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002

    def run(seed):
        budget = Budget(evaluations=200)
        result = minimize(
            NNLoss(7, random_state=0), method=method, budget=budget, random_state=seed
        )
        records = [{**record, "seconds": 0.0} for record in result.history]
        return result.x.tolist(), result.fun, records, result.probabilities.tolist()

    assert run(3) == run(3)
    assert run(np.random.RandomState(3)) == run(np.random.RandomState(3))
    if method in ("loorf", "arms", "reinforce"):
        assert run(3) != run(4)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


def test_hyperparameters_of_a_method_object_are_used_and_it_stays_as_it_was():
    method = MonteCarlo(n_samples=3)
    result = minimize(quadratic(), method=method, budget=Budget(evaluations=301))
    assert 90 <= result.nit <= 100
    assert vars(method) == vars(MonteCarlo(n_samples=3))


def test_a_callable_is_given_tensors_and_its_costs_are_reported():
    def cost(Z):
        assert isinstance(Z, torch.Tensor) and Z.shape[1] == 5
        return (Z.sum(1) - 2) ** 2

    result = minimize(cost, 5, budget=Budget(evaluations=100), random_state=0)
    assert result.fun == 0.0 and result.x.sum() == 2


def test_a_black_box_of_arrays_keeps_double_precision():
    weights = np.linspace(-1, 1, 6) / 3

    def cost(Z):
        return Z @ weights

    J = BlackBoxFunction(cost, 6, input="numpy")
    result = minimize(J, method="loorf", budget=Budget(evaluations=300), random_state=0)
    assert result.fun == cost(result.x.astype(float)[None])[0]
    assert result.nfev == 300


@pytest.mark.parametrize("method", ["auto", "loorf", "tabu", "annealing", "exhaustive"])
def test_a_function_of_one_precision_only_is_searched_by_every_method(method):
    class Single(PseudoBooleanFunction):
        n_variables = 4
        points_dtype = torch.float32

        def _evaluate(self, Z):
            return Z @ torch.tensor([1.0, -1.0, 2.0, -2.0])

    J, budget = Single(), Budget(evaluations=100)
    result = minimize(J, method=method, budget=budget, random_state=0)
    assert result.fun == -3.0 and result.x.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["auto", "arms", "genetic", "local-search"])
def test_every_method_gives_a_callable_the_same_dtype(method, dtype):
    weights = torch.tensor([0.1, -0.2, 0.4, -0.8, 1.6], dtype=dtype)
    J = BlackBoxFunction(lambda Z: Z @ weights, 5, dtype=dtype)
    for constraint in (None, L0Penalty(0.5)):
        result = minimize(
            J,
            method=method,
            constraint=constraint,
            budget=Budget(evaluations=200),
            random_state=0,
        )
        expected = [0, 1, 0, 1, 0] if constraint is None else [0, 0, 0, 1, 0]
        assert result.x.tolist() == expected


@pytest.mark.parametrize("method", ["continuous", "straight-through"])
@pytest.mark.parametrize(
    "J",
    [
        BlackBoxFunction(lambda Z: Z.sum(1), 6, relaxable=True),
        PolynomialFunction({(): 2.0}, n_variables=6),
    ],
    ids=["sum", "constant"],
)
def test_a_slope_that_is_one_number_many_times_will_do(J, method):
    result = minimize(J, method=method, budget=Budget(evaluations=50), random_state=0)
    assert result.fun == (0.0 if isinstance(J, BlackBoxFunction) else 2.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_target_with_many_digits_is_met_exactly(method):
    J = quadratic(3)
    target = tabulate(J).values.min().item()
    budget = Budget(evaluations=1000, target=target)
    result = minimize(J, method=method, budget=budget, random_state=0)
    assert result.stop_reason == "target" and result.fun == target


@pytest.mark.parametrize("evaluations", [1, 2, 3, 9, 10, 11, 25])
@pytest.mark.parametrize("method", ["loorf", "continuous"])
def test_the_cost_is_exact_however_small_the_budget(method, evaluations):
    J = Counted(quadratic())
    budget = Budget(evaluations=evaluations)
    result = minimize(J, method=method, budget=budget, random_state=0)
    assert result.fun == J(torch.from_numpy(result.x).double()[None]).item()
    assert result.nfev == J.rows - 1 == evaluations


def test_gradients_of_a_torch_black_box_do_not_leak():
    net = torch.nn.Linear(4, 1)
    result = minimize(
        lambda Z: net(Z)[:, 0], 4, budget=Budget(evaluations=50), random_state=0
    )
    assert result.success and net.weight.grad is None


@pytest.mark.parametrize("method", ["loorf", "continuous", "straight-through"])
def test_a_penalty_is_part_of_the_cost(method):
    d, price = 6, 0.5
    J = quadratic(d)
    priced = QuadraticFunction(J.Q, J.linear + price, J.constant)
    result = minimize(
        J,
        method=method,
        constraint=L0Penalty(price),
        budget=Budget(evaluations=1000),
        random_state=0,
    )
    at_x = priced(torch.from_numpy(result.x).double()[None]).item()
    assert result.fun == pytest.approx(at_x, abs=1e-12)
    assert result.fun == pytest.approx(tabulate(priced).values.min().item())


def test_with_many_variables_the_likeliest_point_is_tried():
    d = 400
    J = QuadraticFunction(np.zeros((d, d)), np.where(np.arange(d) % 2, 1.0, -1.0))
    budget = Budget(evaluations=4000)
    result = minimize(J, method="loorf", budget=budget, random_state=0)
    assert result.fun <= result.history[-1]["mean_cost"] - 2
    assert result.fun < -195


def test_the_callback_sees_every_step_and_may_stop():
    records = []

    def stop_at_5(record):
        records.append(record)
        if record["step"] == 5:
            raise StopIteration

    result = minimize(quadratic(), method="loorf", callback=stop_at_5, random_state=0)
    assert result.stop_reason == "callback" and result.nit == 5
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5]


def failing_after(calls):
    count = itertools.count(1)

    def cost(Z):
        return Z.sum(1) * (math.nan if next(count) > calls else 1.0)

    return cost


def test_a_late_failure_keeps_what_was_found():
    with pytest.raises(ObjectiveError, match="cost nan") as caught:
        minimize(failing_after(20), 6, method="loorf", random_state=0)
    result = caught.value.result
    assert result.stop_reason == "error" and result.nfev >= 20
    assert result.fun == result.x.sum()
    assert result.history


def test_an_early_failure_leaves_nothing():
    with pytest.raises(ObjectiveError, match="cost nan") as caught:
        minimize(failing_after(0), 6, random_state=0)
    assert not hasattr(caught.value, "result")


def test_a_slope_that_is_not_finite_is_an_error():
    J = BlackBoxFunction(lambda Z: (Z * 0).sqrt().sum(1), 3, relaxable=True)
    with pytest.raises(ObjectiveError, match="gradient that is not finite"):
        minimize(J, method="continuous")


def never(Z):
    raise AssertionError("evaluated before the parameters were checked")


NOT_RELAXABLE = BlackBoxFunction(never, 4)
RELAXABLE = BlackBoxFunction(never, 4, relaxable=True)

REFUSED = {
    "unknown method": (
        {"function": never, "n_variables": 4, "method": "looorf"},
        ValueError,
        "method='looorf' is unknown; it must be one of annealing, arm, arms, ",
    ),
    "method of another type": (
        {"function": never, "n_variables": 4, "method": 3},
        TypeError,
        "method=3 must be a string or an object of sklearn_pb.methods",
    ),
    "bad hyperparameter": (
        {"function": never, "n_variables": 4, "method": MonteCarlo(n_samples=1)},
        ValueError,
        "n_samples=1 must be an integer in [2, inf)",
    ),
    "weights": (
        {"function": RELAXABLE, "method": "magnitude"},
        ValueError,
        "method='magnitude' ranks the weights of a network, and a pseudo-Boolean "
        "function has none; use one of 'arm', 'arms', ",
    ),
    "schedule of weights": (
        {"function": NOT_RELAXABLE, "method": "gmp"},
        ValueError,
        "use one of 'arm', 'arms', 'arms-gaussian', 'beta-star', 'disarm', 'exact', ",
    ),
    "not relaxable": (
        {"function": NOT_RELAXABLE, "method": "continuous"},
        ValueError,
        "method='continuous' needs a cost that is differentiable on [0, 1]^d, and "
        "BlackBoxFunction(never) is not (relaxable=False); use one of 'arm', ",
    ),
    "too many to enumerate": (
        {"function": never, "n_variables": 21, "method": "exact"},
        ValueError,
        "method='exact' enumerates all 2^d points, and n_variables=21 is too large "
        "for that: at most 20.",
    ),
    "more than the budget": (
        {
            "function": never,
            "n_variables": 10,
            "method": MonteCarlo(gradient="exact"),
            "budget": Budget(evaluations=1000),
        },
        ValueError,
        "2^10 = 1024 points in each step, and Budget.evaluations=1000 is not more",
    ),
    "more than the patience": (
        {
            "function": never,
            "n_variables": 3,
            "method": "exact",
            "budget": Budget(evaluations=100, no_improvement=8),
        },
        ValueError,
        "2^3 = 8 points in each step, and Budget.no_improvement=8 is not more",
    ),
    "no n_variables": (
        {"function": never},
        ValueError,
        "does not say how many variables it has",
    ),
    "n_variables not a number": (
        {"function": never, "n_variables": "4"},
        TypeError,
        "n_variables must be an integer, got '4'",
    ),
    "no variables": (
        {"function": never, "n_variables": 0},
        ValueError,
        "n_variables must be at least 1, got 0",
    ),
    "contradicting n_variables": (
        {"function": quadratic(8), "n_variables": 7},
        ValueError,
        "n_variables=7 contradicts the function, a QuadraticFunction of 8 variables",
    ),
    "an objective": (
        {"function": SubsetSelection()},
        TypeError,
        "function=SubsetSelection() is an objective that needs data",
    ),
    "not callable": (
        {"function": 3.0, "n_variables": 4},
        TypeError,
        "function=3.0 must be a PseudoBooleanFunction or a callable",
    ),
    "a matrix": (
        {"function": np.eye(3)},
        TypeError,
        "for a matrix give QuadraticFunction(matrix)",
    ),
    "no callback": (
        {"function": never, "n_variables": 4, "callback": 3},
        TypeError,
        "callback=3 must be callable",
    ),
    "verbose in words": (
        {"function": never, "n_variables": 4, "verbose": "much"},
        TypeError,
        "verbose='much' must be an integer in [0, inf)",
    ),
    "n_jobs in words": (
        {"function": never, "n_variables": 4, "n_restarts": 2, "n_jobs": "all"},
        TypeError,
        "n_jobs='all' must be an integer",
    ),
    "no jobs": (
        {"function": never, "n_variables": 4, "n_restarts": 2, "n_jobs": 0},
        ValueError,
        "n_jobs=0 must be a positive integer, -1 or None",
    ),
    "a state of nothing": (
        {"function": never, "n_variables": 4, "state": {}},
        TypeError,
        "state={} must be the state of an earlier result",
    ),
    "a start in words": (
        {"function": never, "n_variables": 4, "initial": "ones"},
        TypeError,
        "initial='ones' must hold numbers in [0, 1]",
    ),
    "negative budget": (
        {"function": never, "n_variables": 4, "budget": Budget(evaluations=-1)},
        ValueError,
        "Budget.evaluations=-1 must be an integer in [1, inf)",
    ),
    "contradicting budget": (
        {
            "function": never,
            "n_variables": 4,
            "budget": Budget(evaluations=10, no_improvement=20),
        },
        ValueError,
        "Budget.no_improvement=20 can never be reached",
    ),
    "endless budget": (
        {"function": never, "n_variables": 4, "budget": Budget(target=0.0)},
        ValueError,
        "never ends for certain",
    ),
    "budget of another type": (
        {"function": never, "n_variables": 4, "budget": 100},
        TypeError,
        "budget=100 must be a Budget or None",
    ),
    "constraint of another type": (
        {"function": never, "n_variables": 4, "constraint": 0.1},
        TypeError,
        "constraint=0.1 must be an L0Penalty or None",
    ),
    "open price": (
        {"function": never, "n_variables": 4, "constraint": L0Penalty()},
        ValueError,
        "L0Penalty.strength='auto' leaves open what is to be minimised",
    ),
    "negative price": (
        {"function": never, "n_variables": 4, "constraint": L0Penalty(-1.0)},
        ValueError,
        "L0Penalty.strength=-1.0",
    ),
    "random_state": (
        {"function": never, "n_variables": 4, "random_state": "seed"},
        ValueError,
        "'seed' cannot be used to seed",
    ),
    "device": (
        {"function": never, "n_variables": 4, "device": "abacus"},
        ValueError,
        "device='abacus' cannot be used",
    ),
}


@pytest.mark.parametrize("arguments, error, message", REFUSED.values(), ids=REFUSED)
def test_refused_before_any_work(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        minimize(**arguments)


@pytest.mark.parametrize(
    "cost, message",
    [
        (lambda Z: Z.sum(), r"returned costs of shape \(\) for 10 rows"),
        (lambda Z: Z, r"returned costs of shape \(10, 4\) for 10 rows"),
        (lambda Z: Z.sum(1)[1:], r"returned costs of shape \(9,\) for 10 rows"),
        (lambda Z: Z.sum(1) / 0, r"returned the cost (inf|nan) for row"),
        (lambda Z: ["low"] * len(Z), "must return one real number a row"),
    ],
)
def test_a_wrong_objective_is_found_at_its_first_evaluation(cost, message):
    with pytest.raises(ObjectiveError, match=message):
        minimize(cost, 4, method="loorf", random_state=0)


@pytest.mark.parametrize(
    "method", [Continuation(learning_rate=0.05), StraightThrough(derivative=True)]
)
def test_relaxed_points_are_never_solutions(method):
    # The relaxation is least between the corners.
    J = BlackBoxFunction(lambda Z: ((Z - 0.4) ** 2).sum(1), 4, relaxable=True)
    result = minimize(J, method=method, budget=Budget(evaluations=400), random_state=0)
    assert result.fun >= tabulate(J).values.min().item() - 1e-6
