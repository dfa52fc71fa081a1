import numpy as np
import pytest
import torch

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.solvers import SimulatedAnnealing, Start
from sklearn_pb.solvers._annealing import default_temperatures
from sklearn_pb.utils import RandomStream


def ring(d):
    """A frustrated ring: neighbours differ at best, which an odd ring denies one pair.

    J counts the pairs that agree, so its least value is d mod 2.
    """
    Q = np.zeros((d, d))
    pairs = np.arange(d), (np.arange(d) + 1) % d
    Q[pairs] = 2.0
    return QuadraticFunction(Q, np.full(d, -2.0), float(d))


def run_of(solver, J, budget, probabilities=None):
    return solver.start(Start(J, RandomStream(0), budget, probabilities))


def temperatures(solver, J, budget, probabilities=None):
    """The temperature before each step, and the replicas' mean cost after it."""
    evaluator, seen = Evaluator(J, budget), []
    run = run_of(solver, J, budget, probabilities)
    try:
        while True:
            run.advance(evaluator)
            seen.append((run.temperature(), float(evaluator.recent[-1].mean())))
    except BudgetExhausted:
        return np.array(seen), evaluator


def test_the_budget_is_one_anneal():
    solver = SimulatedAnnealing(initial_temperature=5.0, final_temperature=0.1)
    budget = Budget(evaluations=60_000)
    seen, evaluator = temperatures(solver, ring(51), budget)
    falling, costs = seen.T
    assert (np.diff(falling) <= 0).all()
    assert falling[0] == pytest.approx(5.0, rel=0.1)
    assert falling[-1] == 0
    assert falling[falling > 0].min() == pytest.approx(0.1, rel=0.1)
    assert costs[5:20].mean() > costs[-20:].mean() + 5  # hot at first, then cold
    assert evaluator.best_cost == 1


@pytest.mark.parametrize(
    ("schedule", "middle"), [("geometric", np.sqrt(8.0 * 0.5)), ("linear", 4.25)]
)
def test_schedules_fall_as_they_are_called(schedule, middle):
    solver = SimulatedAnnealing(
        n_replicas=1,
        initial_temperature=8.0,
        final_temperature=0.5,
        schedule=schedule,
    )
    seen, _ = temperatures(solver, ring(10), Budget(evaluations=20_000))
    half = int(0.95 * len(seen) / 2)
    assert seen[half, 0] == pytest.approx(middle, rel=0.02)


def test_the_cost_at_a_constant_temperature_is_that_of_thermal_equilibrium():
    # Pairs of a long open chain agree independently: <J> = pairs / (1 + exp(1 / T)).
    d, temperature = 400, 0.8
    Q = np.zeros((d, d))
    Q[np.arange(d - 1), np.arange(1, d)] = 2.0
    linear = np.full(d, -2.0)
    linear[[0, -1]] = -1.0
    J = QuadraticFunction(Q, linear, float(d - 1))
    solver = SimulatedAnnealing(
        n_replicas=20, initial_temperature=temperature, final_temperature=temperature
    )
    seen, _ = temperatures(solver, J, Budget(evaluations=8_000_000))
    at = seen[(seen[:, 0] > 0)][100:, 1]
    assert at.mean() == pytest.approx((d - 1) / (1 + np.exp(1 / temperature)), rel=0.01)


@pytest.mark.parametrize("known", [2_000, 400_000, 10**8])
def test_replicas_are_added_when_each_has_enough_sweeps(known):
    d, budget = 20, Budget(evaluations=known)
    run = run_of(SimulatedAnnealing(), ring(d), budget)
    run.advance(Evaluator(ring(d), budget))
    n = len(run.state_dict()["points"])
    assert n == {2_000: 1, 400_000: 64, 10**8: 64}[known]


def test_a_warm_start_is_not_heated_up_fully():
    J = ring(40)
    point = (np.arange(40) % 2).astype(float)
    budget = Budget(evaluations=40_000)
    cold, evaluator = temperatures(SimulatedAnnealing(), J, budget, point)
    hot, _ = temperatures(SimulatedAnnealing(), J, budget)
    assert evaluator.best_cost == 0 and evaluator.best_point.tolist() == point.tolist()
    assert cold[0, 0] < 0.8 * hot[0, 0]


def test_default_temperatures_follow_the_scale_of_the_changes():
    changes = np.abs(np.random.default_rng(0).normal(size=10_000))
    hot, cold = default_temperatures(changes)
    assert hot == pytest.approx(changes.mean()) and 0.003 < cold / hot < 0.1
    assert default_temperatures(1e6 * changes)[1] == pytest.approx(1e6 * cold)
    assert default_temperatures(np.zeros(5)) == (1.0, 1.0)
    # Changes that are zero, or tiny beside others, say nothing about what is small.
    hot, cold = default_temperatures(np.array([0.0, 0.0, 2.0, 2.0, 4.0]))
    assert (hot, cold) == (pytest.approx(8 / 3), pytest.approx(0.25, rel=0.1))


def test_a_sparse_spin_glass_is_solved():
    # Its ground state is planted: weights are chosen so that no bond is frustrated.
    rng = np.random.default_rng(0)
    side, planted = 16, rng.integers(0, 2, 256) * 2.0 - 1
    Q, linear, constant = np.zeros((256, 256)), np.zeros(256), 0.0
    for i in range(256):
        right = i - i % side + (i + 1) % side
        for j in (right, (i + side) % 256):
            weight = -planted[i] * planted[j]  # energy weight s_i s_j, s = 2 z - 1
            Q[i, j] += 4 * weight
            linear[[i, j]] -= 2 * weight
            constant += weight
    J = QuadraticFunction(Q, linear, constant)
    best = J(torch.from_numpy((planted[None] + 1) / 2)).item()
    assert best == -512
    _, evaluator = temperatures(
        SimulatedAnnealing(), J, Budget(evaluations=3_000_000, target=best)
    )
    assert evaluator.best_cost == best
