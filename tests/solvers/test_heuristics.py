"""What every classical search without a proof has to do, crossed over all of them."""

import itertools
import math
import pickle
import time

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import (
    BlackBoxFunction,
    PseudoBooleanFunction,
    QuadraticFunction,
)
from sklearn_pb.solvers import (
    GeneticAlgorithm,
    LocalSearch,
    SimulatedAnnealing,
    Start,
    TabuSearch,
)
from sklearn_pb.utils import RandomStream

SOLVERS = [SimulatedAnnealing, TabuSearch, LocalSearch, GeneticAlgorithm]
every_solver = pytest.mark.parametrize("solver", SOLVERS, ids=lambda s: s.__name__)
REPLICATED = [SimulatedAnnealing, TabuSearch, LocalSearch]


class Watched(PseudoBooleanFunction):
    """Counts the rows that are evaluated; nothing is known of its changes by a flip."""

    def __init__(self, function, pause=0.0):
        self.function = function
        self.n_variables = function.n_variables
        self.rows = 0
        self.pause = pause

    def _evaluate(self, Z):
        self.rows += len(Z)
        time.sleep(self.pause * len(Z))
        return self.function(Z)


def quadratic(d, seed, scale=1.0, whole=False):
    rng = np.random.default_rng(seed)
    Q, linear = rng.normal(size=(d, d)), rng.normal(size=d)
    if whole:
        Q, linear = np.round(5 * Q), np.round(5 * linear)
    return QuadraticFunction(scale * Q, scale * linear, 0.5)


def black_box(function):
    """The same function, of arrays, with all that it knows of itself forgotten."""
    Q, linear = function.Q.numpy(), function.linear.numpy()

    def cost(Z):
        return np.einsum("ni,ij,nj->n", Z, Q, Z) + Z @ linear + function.constant

    return BlackBoxFunction(cost, function.n_variables, input="numpy")


def least(function):
    points = itertools.product([0.0, 1.0], repeat=function.n_variables)
    return function(torch.tensor(list(points), dtype=torch.float64)).min().item()


def begin(solver, function, budget, seed=0, probabilities=None):
    solver.check()
    stream = RandomStream(seed)
    return solver.start(Start(function, stream, budget, probabilities))


def go_on(run, evaluator, steps=10**9):
    """Advance until the budget ends, and return the reason; None after the steps."""
    try:
        for _ in range(steps):
            evaluator.recent.clear()
            run.advance(evaluator)
    except BudgetExhausted as stop:
        return stop.reason
    return None


def search(solver, function, budget, seed=0, probabilities=None):
    evaluator = Evaluator(function, budget)
    run = begin(solver, function, budget, seed, probabilities)
    reason = go_on(run, evaluator)
    return evaluator, reason


def facts(evaluator):
    point = evaluator.best_point.tolist()
    return evaluator.best_cost, evaluator.n_evaluations, point


@every_solver
@pytest.mark.parametrize("known", [True, False], ids=["flips", "black box"])
@pytest.mark.parametrize("d", [1, 2, 3, 7, 10])
def test_the_least_cost_of_small_functions_is_found(solver, d, known):
    for seed in range(4 if known else 2):
        J = quadratic(d, seed)
        evaluator, _ = search(
            solver(), J if known else black_box(J), Budget(evaluations=600), seed
        )
        assert evaluator.best_cost == pytest.approx(least(J), abs=1e-9)


@every_solver
@pytest.mark.parametrize("n", [1, 2, 5, 37, 400, 1003])
def test_evaluations_are_all_used_and_never_exceeded(solver, n):
    budget = Budget(evaluations=n)
    evaluator, reason = search(solver(), quadratic(9, 0), budget)
    assert (evaluator.n_evaluations, reason) == (n, "evaluations")
    watched = Watched(quadratic(9, 0))
    evaluator, reason = search(solver(), watched, budget)
    assert (watched.rows, evaluator.n_evaluations, reason) == (n, n, "evaluations")


@every_solver
def test_a_target_ends_the_search_when_it_is_met(solver):
    J = quadratic(8, 1)
    target = least(J) + 1e-6
    budget = Budget(evaluations=100_000, target=target)
    evaluator, reason = search(solver(), J, budget)
    assert reason == "target" and evaluator.best_cost <= target
    watched = Watched(J)
    evaluator, reason = search(solver(), watched, Budget(evaluations=9000, target=1e9))
    assert reason == "target" and watched.rows <= 64


@every_solver
@pytest.mark.parametrize("known", [True, False], ids=["flips", "black box"])
def test_patience_alone_ends_the_search_at_a_good_point(solver, known):
    J = quadratic(8, 2)
    given = J if known else black_box(J)
    evaluator, reason = search(solver(), given, Budget(no_improvement=700))
    assert reason == "no_improvement"
    assert evaluator.best_cost == pytest.approx(least(J), abs=1e-9)


@every_solver
def test_patience_beside_a_longer_limit_does_not_end_the_search_early(solver):
    J = quadratic(30, 3)
    long, _ = search(solver(), J, Budget(evaluations=20_000))
    budget = Budget(evaluations=10**7, no_improvement=20_000)
    evaluator, reason = search(solver(), J, budget)
    assert reason == "no_improvement"
    assert evaluator.best_cost == pytest.approx(long.best_cost, abs=1e-9)


@every_solver
def test_seconds_hold_for_a_slow_function(solver):
    watched = Watched(quadratic(30, 0), pause=0.01)
    evaluator, reason = search(solver(), watched, Budget(seconds=0.15))
    assert reason == "seconds" and 1 <= watched.rows <= 17
    assert evaluator.n_evaluations == watched.rows


@every_solver
def test_seconds_hold_for_a_fast_function(solver):
    begun = time.perf_counter()
    evaluator, reason = search(solver(), quadratic(60, 0), Budget(seconds=0.2))
    assert reason == "seconds" and evaluator.n_evaluations > 60
    assert time.perf_counter() - begun < 2.0


@every_solver
@pytest.mark.parametrize("known", [True, False], ids=["flips", "black box"])
def test_a_seed_repeats_the_search(solver, known):
    J = quadratic(80, 0)
    J = J if known else black_box(J)

    def result(seed):
        return facts(search(solver(), J, Budget(evaluations=300), seed)[0])

    assert result(3) == result(3)
    assert result(3) != result(4)


@every_solver
@pytest.mark.parametrize("known", [True, False], ids=["flips", "black box"])
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_a_search_goes_on_from_a_saved_state(solver, known, steps):
    J = quadratic(12, 0)
    J = J if known else black_box(J)
    budget = Budget(evaluations=1000)
    evaluator = Evaluator(J, budget)
    run = begin(solver(), J, budget)
    go_on(run, evaluator, steps)
    state = pickle.loads(pickle.dumps((run.state_dict(), evaluator.state_dict())))

    go_on(run, evaluator)
    other = Evaluator(J, budget)
    other.load_state_dict(state[1])
    resumed = begin(solver(), J, budget, seed=99)
    resumed.load_state_dict(state[0])
    go_on(resumed, other)

    assert facts(other) == facts(evaluator)
    assert resumed.step == run.step > steps
    for left, right in zip(
        leaves(resumed.state_dict()), leaves(run.state_dict()), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def leaves(state):
    for value in state.values():
        if isinstance(value, dict):
            yield from leaves(value)
        elif isinstance(value, list):
            yield from value
        else:
            yield value


@every_solver
def test_going_on_evaluates_nothing_twice(solver):
    J = Watched(quadratic(12, 0))
    budget = Budget(evaluations=500)
    evaluator = Evaluator(J, budget)
    run = begin(solver(), J, budget)
    go_on(run, evaluator, 3)
    for _ in range(5):
        go_on(run, evaluator, 1)
        before = J.rows
        state = run.state_dict()
        assert J.rows == before
        run = begin(solver(), J, budget)
        run.load_state_dict(state)
    go_on(run, evaluator)
    assert J.rows == evaluator.n_evaluations == 500


@every_solver
def test_a_warm_start_is_evaluated_first(solver):
    J = Watched(quadratic(20, 0))
    point = np.random.default_rng(5).integers(0, 2, 20).astype(float)
    cost = J.function(torch.from_numpy(point)[None]).item()
    for budget in (Budget(evaluations=1), Budget(evaluations=200)):
        evaluator, _ = search(solver(), J, budget, probabilities=point)
        assert evaluator.best_cost <= cost
    evaluator, _ = search(solver(), J, Budget(evaluations=1), probabilities=point)
    assert evaluator.best_point.tolist() == point.tolist()


@every_solver
@pytest.mark.parametrize("d", [1, 2, 6])
def test_constant_functions_and_few_variables_do_no_harm(solver, d):
    J = QuadraticFunction(np.zeros((d, d)), constant=3.0)
    for function in (J, black_box(J)):
        evaluator, reason = search(solver(), function, Budget(evaluations=500))
        assert (evaluator.best_cost, reason) == (3.0, "evaluations")


@every_solver
@pytest.mark.parametrize("scale", [1e250, 1e-250, 1e9])
@pytest.mark.parametrize("known", [True, False], ids=["flips", "black box"])
def test_the_scale_of_the_costs_does_not_matter(solver, scale, known):
    J = quadratic(8, 4, scale)
    J.constant = 0.0
    function = J if known else black_box(J)
    evaluator, _ = search(solver(), function, Budget(evaluations=600))
    assert evaluator.best_cost == pytest.approx(least(J), rel=1e-9)


@every_solver
@pytest.mark.parametrize("failure", [float("nan"), float("inf"), RuntimeError])
def test_failures_of_the_function_come_through(solver, failure):
    calls = []

    def cost(Z):
        calls.append(len(Z))
        if sum(calls) <= 40:
            return Z.sum(1)
        if failure is RuntimeError:
            raise RuntimeError("no more")
        return torch.full((len(Z),), failure, dtype=Z.dtype)

    expected = RuntimeError if failure is RuntimeError else ObjectiveError
    with pytest.raises(expected):
        search(solver(), BlackBoxFunction(cost, 10), Budget(evaluations=1000))


@every_solver
def test_constructors_store_and_nothing_more(solver):
    made = solver()
    assert vars(made) == made.get_params()
    assert clone(made).get_params() == made.get_params()
    made.check()


@pytest.mark.parametrize("solver", REPLICATED, ids=lambda s: s.__name__)
@pytest.mark.parametrize("n_replicas", [1, 3, 50])
def test_the_number_of_replicas_may_be_chosen(solver, n_replicas):
    J = quadratic(8, 5)
    budget = Budget(evaluations=6_000)
    evaluator = Evaluator(J, budget)
    run = begin(solver(n_replicas=n_replicas), J, budget)
    assert go_on(run, evaluator) == "evaluations"
    assert run.state_dict()["points"].shape == (n_replicas, 8)
    assert evaluator.best_cost == pytest.approx(least(J), abs=1e-9)


@pytest.mark.parametrize("solver", REPLICATED, ids=lambda s: s.__name__)
def test_the_replicas_know_what_they_cost(solver):
    J = quadratic(15, 6, whole=True)
    budget = Budget(evaluations=4_000)
    run = begin(solver(n_replicas=4), J, budget)
    go_on(run, Evaluator(J, budget), 30)
    state = run.state_dict()
    costs = J(torch.from_numpy(state["points"]).double())
    np.testing.assert_allclose(state["costs"], costs.numpy(), atol=1e-9)


@pytest.mark.parametrize(
    ("solver", "message"),
    [
        (SimulatedAnnealing(n_replicas=0), "n_replicas=0"),
        (SimulatedAnnealing(n_replicas="many"), "n_replicas='many'"),
        (SimulatedAnnealing(initial_temperature=0.0), "initial_temperature=0.0"),
        (SimulatedAnnealing(final_temperature=-1.0), "final_temperature=-1.0"),
        (
            SimulatedAnnealing(initial_temperature=1.0, final_temperature=2.0),
            "final_temperature=2.0",
        ),
        (SimulatedAnnealing(schedule="sudden"), "schedule='sudden'"),
        (TabuSearch(tenure=-1), "tenure=-1"),
        (TabuSearch(patience=0), "patience=0"),
        (TabuSearch(n_elite=0), "n_elite=0"),
        (LocalSearch(restart="never"), "restart='never'"),
        (LocalSearch(strength=0.0), "strength=0.0"),
        (LocalSearch(strength=1.5), "strength=1.5"),
        (LocalSearch(patience=0), "patience=0"),
        (GeneticAlgorithm(population=1), "population=1"),
        (GeneticAlgorithm(crossover="none"), "crossover='none'"),
        (GeneticAlgorithm(mutation=math.nan), "mutation=nan"),
        (GeneticAlgorithm(polish=-1), "polish=-1"),
        (GeneticAlgorithm(patience=0), "patience=0"),
    ],
)
def test_hyperparameters_out_of_range_are_named(solver, message):
    with pytest.raises(ValueError, match=message):
        solver.check()


@pytest.mark.parametrize(
    "solver", [LocalSearch(n_replicas=1.5), TabuSearch(tenure=None)], ids=repr
)
def test_hyperparameters_of_a_wrong_type_are_named(solver):
    with pytest.raises(TypeError, match="must be an integer"):
        solver.check()
