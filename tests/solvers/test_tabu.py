import numpy as np
import pytest

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.solvers import Start, TabuSearch
from sklearn_pb.solvers._elite import Elite
from sklearn_pb.solvers._tabu import _first_least
from sklearn_pb.utils import RandomStream


def run_of(solver, J, budget):
    return solver.start(Start(J, RandomStream(0), budget)), Evaluator(J, budget)


def flips_of(run, evaluator, steps):
    """The variables that one replica flips, step by step."""
    chosen, step = [], run._step

    def watched(allowed):
        before = run._replicas.points[0].copy()
        used = step(allowed)
        chosen.append(int(np.flatnonzero(before != run._replicas.points[0])[0]))
        return used

    run._step = watched
    while len(chosen) < steps:
        run.advance(evaluator)
    return chosen


@pytest.mark.parametrize("tenure", [0, 1, 3, 7, 40])
def test_a_flipped_variable_stays_for_its_tenure(tenure):
    # Independent variables: once all are at their best, no flip gives a better point
    # than was seen, so nothing is exempt.
    J = QuadraticFunction(np.zeros((8, 8)), np.arange(1.0, 9.0))
    run, evaluator = run_of(
        TabuSearch(tenure=tenure, n_replicas=1, patience=10**6),
        J,
        Budget(evaluations=10**5),
    )
    flips = flips_of(run, evaluator, 200)[20:]
    kept = min(tenure, 7)
    for i in range(len(flips) - kept):
        assert len(set(flips[i : i + kept + 1])) == kept + 1
    if kept == 0:  # the least change is undone at once
        assert set(flips) == {0}
    elif kept < 7:  # nothing is avoided for longer than its tenure
        assert flips[0] in flips[1 : 2 * kept + 3]


def test_a_tabu_flip_is_made_where_it_gives_the_best_point_so_far():
    solver = TabuSearch(tenure=5, n_replicas=1)
    J = QuadraticFunction(np.zeros((6, 6)), np.array([-9.0, 1, 1, 1, 1, 1]))
    run, evaluator = run_of(solver, J, Budget(evaluations=10**5))
    run.advance(evaluator)
    run._replicas.place(np.array([0]), np.zeros((1, 6), np.uint8))
    run._last[:] = 0  # the only good flip is tabu
    costs, deltas = run._replicas.costs, run._replicas.deltas
    for known, expected in [(-5.0, True), (-9.0, False), (-20.0, False)]:
        run._best_costs[:] = known
        _, variables = run._choose(deltas, costs, 6)
        assert (variables[0] == 0) == expected


def test_equal_flips_take_turns():
    scores = np.array([[1.0, 0.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0]])
    found = [_first_least(scores, begin).tolist() for begin in range(4)]
    assert found == [[1, 0], [1, 1], [3, 2], [3, 3]]


def test_a_replica_without_success_goes_elsewhere():
    J = QuadraticFunction(np.zeros((30, 30)), np.ones(30))
    run, evaluator = run_of(
        TabuSearch(n_replicas=2, patience=40), J, Budget(evaluations=30_000)
    )
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
    assert len(run.state_dict()["elite"]["costs"]) >= 1


@pytest.mark.parametrize("d", [1, 2, 3, 5, 100, 1000])
def test_tenures_leave_a_variable_free(d):
    for tenure in ("auto", 0, 10, 10_000):
        shortest, longest = TabuSearch(tenure=tenure).tenures(d)
        assert 0 <= shortest <= longest < d


def test_an_elite_keeps_the_best_of_different_points():
    rng = np.random.default_rng(0)
    elite, seen = Elite(4, 6), {}
    for _ in range(60):
        point = rng.integers(0, 2, 6, np.uint8)
        cost = float(point @ [1, 2, 4, 8, 16, 32])
        seen[cost] = point.tolist()
        elite.add(point, cost)
    order = np.argsort(elite.costs)
    assert elite.costs[order].tolist() == sorted(seen)[:4]
    assert [elite.points[i].tolist() for i in order] == [
        seen[cost] for cost in sorted(seen)[:4]
    ]
    assert not elite.add(elite.points[0], float(elite.costs[0]))


def test_crosses_stay_near_where_the_parents_agree():
    rng = np.random.default_rng(0)
    elite = Elite(2, 200)
    point = rng.integers(0, 2, 200, np.uint8)
    elite.add(point, 1.0)
    distances = [(elite.cross(rng) != point).sum() for _ in range(100)]
    assert min(distances) >= 1 and max(distances) < 0.3 * 200
