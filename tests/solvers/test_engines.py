"""The outside engines behind our face: one file, as they are tested alike."""

import itertools
import sys
import threading

import numpy as np
import pytest
import torch

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import (
    LABS,
    BlackBoxFunction,
    MaxSAT,
    PolynomialFunction,
    QuadraticFunction,
)
from sklearn_pb.solvers import CPSAT, DWaveSampler, OpenJijSampler, Start
from sklearn_pb.utils import RandomStream

ENGINES = {
    "cp-sat": (lambda: CPSAT(), "ortools"),
    "dwave annealing": (lambda: DWaveSampler(n_sweeps=100), "dwave.samplers"),
    "dwave tabu": (lambda: DWaveSampler(kind="tabu", milliseconds=3), "dwave.samplers"),
    "openjij": (lambda: OpenJijSampler(n_sweeps=100, n_reads=2), "openjij"),
}
HEURISTICS = [name for name in ENGINES if name != "cp-sat"]


def engine(name):
    make, module = ENGINES[name]
    pytest.importorskip(module)
    return make()


def quadratic(seed, d=None):
    rng = np.random.default_rng(seed)
    d = d or int(rng.integers(1, 10))
    Q = rng.normal(size=(d, d)) * (rng.random((d, d)) < rng.random())
    linear = rng.normal(size=d)
    if seed % 2:
        Q, linear = np.rint(2 * Q), np.rint(2 * linear)
    return QuadraticFunction(Q, linear, rng.normal())


def polynomial(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(3, 9))
    terms = {(): -0.25}
    for _ in range(12):
        size = int(rng.integers(1, 4))
        monomial = tuple(sorted(rng.choice(d, size, replace=False).tolist()))
        terms[monomial] = rng.normal() if seed % 2 else float(rng.integers(-3, 4))
    terms[(0, 1, 2)] = 1.5
    return PolynomialFunction(terms, d)


def clauses(seed):
    """Weighted partial MaxSAT, with clauses of one literal and of none."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(3, 9))

    def some(n):
        sizes = rng.integers(1, 4, n)
        drawn = (rng.choice(d, size, replace=False) + 1 for size in sizes)
        return [(v * rng.choice([-1, 1], len(v))).tolist() for v in drawn]

    soft = [*some(4 * d), []]
    return MaxSAT(soft, rng.integers(1, 5, len(soft)), some(d), d)


def least(J):
    points = list(itertools.product([0.0, 1.0], repeat=J.n_variables))
    return float(J(torch.tensor(points, dtype=torch.float64)).min())


def solve(solver, J, budget, seed=0, probabilities=None):
    solver.check()
    solver.check_fits(J)
    run = solver.start(Start(J, RandomStream(seed), budget, probabilities))
    evaluator = Evaluator(J, budget)
    with pytest.raises(BudgetExhausted) as stop:
        while True:
            run.advance(evaluator)
    return stop.value.reason, evaluator, run


@pytest.mark.parametrize("make", [quadratic, polynomial, clauses])
@pytest.mark.parametrize("seed", range(20))
def test_cp_sat_proves_the_optimum(make, seed):
    J = make(seed)
    reason, evaluator, run = solve(engine("cp-sat"), J, Budget(evaluations=10**6))
    assert reason == "optimal"
    assert evaluator.best_cost == pytest.approx(least(J), rel=1e-9, abs=1e-9)
    assert run.lower_bound == pytest.approx(least(J), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", HEURISTICS)
@pytest.mark.parametrize("seed", range(4))
def test_heuristics_find_the_optimum_of_a_small_problem(name, seed):
    solver = engine(name)
    J = quadratic(seed)
    n = 10 if "tabu" in name else 20_000
    reason, evaluator, _ = solve(solver, J, Budget(evaluations=n))
    assert reason == "evaluations"
    assert evaluator.n_evaluations == n
    assert evaluator.best_cost == pytest.approx(least(J), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_openjij_takes_higher_terms(seed):
    J = polynomial(seed)
    _, evaluator, _ = solve(engine("openjij"), J, Budget(evaluations=20_000))
    assert evaluator.best_cost == pytest.approx(least(J), abs=1e-9)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("n", [1, 7])
def test_few_evaluations(name, n):
    _, evaluator, _ = solve(engine(name), quadratic(2, d=25), Budget(evaluations=n))
    assert evaluator.n_evaluations == n


@pytest.mark.parametrize("name", ENGINES)
def test_seconds_and_target_end_a_run(name):
    J = quadratic(2, d=60)
    reason, evaluator, _ = solve(engine(name), J, Budget(seconds=0.3))
    assert reason in ("seconds", "optimal")
    assert np.isfinite(evaluator.best_cost)
    target = Budget(seconds=60, target=evaluator.best_cost + 5)
    assert solve(engine(name), J, target)[0] == "target"


@pytest.mark.parametrize("name", ENGINES)
def test_warm_start_is_the_first_point_or_before_it(name):
    J = quadratic(4, d=12)
    _, found, _ = solve(engine(name), J, Budget(seconds=0.3))
    best = found.best_point.numpy().astype(float)
    _, warm, _ = solve(engine(name), J, Budget(evaluations=1), probabilities=best)
    assert warm.best_cost <= found.best_cost + 1e-9


@pytest.mark.parametrize("name", ["cp-sat", "dwave annealing", "openjij"])
def test_same_seed_same_search(name):
    J = quadratic(6, d=40)
    budget = Budget(evaluations=30 if name == "cp-sat" else 3000)
    runs = [solve(engine(name), J, budget, seed=3)[1] for _ in range(2)]
    assert runs[0].best_cost == runs[1].best_cost
    assert runs[0].best_point.tolist() == runs[1].best_point.tolist()


@pytest.mark.parametrize("name", HEURISTICS)
def test_goes_on_from_a_saved_state(name):
    J = quadratic(6, d=20)
    budget = Budget(evaluations=10**6)
    solver = engine(name)
    runs = [solver.start(Start(J, RandomStream(5), budget)) for _ in range(2)]
    evaluators = [Evaluator(J, budget) for _ in runs]
    for _ in range(3):
        runs[0].advance(evaluators[0])
    runs[1].load_state_dict(runs[0].state_dict())
    evaluators[1].load_state_dict(evaluators[0].state_dict())
    for run, evaluator in zip(runs, evaluators, strict=True):
        evaluator.recent.clear()
        run.advance(evaluator)
    if "tabu" not in name:  # how far that one comes depends on the clock
        assert evaluators[0].recent[0].tolist() == evaluators[1].recent[0].tolist()
    assert runs[0].step == runs[1].step == 4


@pytest.mark.parametrize("seconds", [1e-3, 0.01, 0.2])
def test_cp_sat_leaves_no_thread_behind(seconds):
    before = threading.active_count()
    reason, *_ = solve(engine("cp-sat"), quadratic(2, d=60), Budget(seconds=seconds))
    assert reason == "seconds"
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("J", "expected"),
    [
        (QuadraticFunction(np.ones((60, 60))), True),
        (QuadraticFunction(np.ones((110, 110))), False),
        (LABS(8), False),
    ],
    ids=["small", "many products", "long products"],
)
def test_cp_sat_takes_all_clauses_into_its_linear_program(J, expected):
    run = engine("cp-sat").start(Start(J, RandomStream(0), Budget(seconds=1)))
    assert run._model.is_linearized == expected


@pytest.mark.parametrize("name", ENGINES)
def test_functions_without_terms_are_refused(name):
    with pytest.raises(ValueError, match="neither to_quadratic"):
        engine(name).check_fits(BlackBoxFunction(lambda Z: Z.sum(1), 3))


def test_dwave_refuses_higher_terms():
    with pytest.raises(ValueError, match="at most 2 variables"):
        engine("dwave annealing").check_fits(polynomial(0))


@pytest.mark.parametrize("name", ENGINES)
def test_a_missing_package_says_what_to_install(name, monkeypatch):
    solver = engine(name)
    for module in ("ortools.sat.python.cp_model", "dwave.samplers", "openjij"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install"):
        solver.check()


@pytest.mark.parametrize(
    ("solver", "name"),
    [
        (CPSAT(poll=0), "poll=0"),
        (DWaveSampler(kind="quantum"), "kind='quantum'"),
        (DWaveSampler(n_sweeps=0), "n_sweeps=0"),
        (DWaveSampler(milliseconds=0), "milliseconds=0"),
        (OpenJijSampler(n_sweeps=0), "n_sweeps=0"),
        (OpenJijSampler(n_reads=0), "n_reads=0"),
    ],
)
def test_bad_parameters(solver, name):
    with pytest.raises(ValueError, match=name):
        solver.check()
