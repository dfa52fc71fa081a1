import numpy as np
import pytest
import torch

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.solvers import LocalSearch, Start
from sklearn_pb.utils import RandomStream


def follow(solver, J, budget, each=lambda run: None):
    evaluator = Evaluator(J, budget)
    run = solver.start(Start(J, RandomStream(0), budget))
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            each(run)
    return run, evaluator


def test_what_is_kept_are_local_minima():
    rng = np.random.default_rng(0)
    J = QuadraticFunction(rng.normal(size=(25, 25)))
    run, _ = follow(
        LocalSearch(n_replicas=6, patience=10**6), J, Budget(evaluations=20_000)
    )
    state = run.state_dict()
    for point, cost in zip(state["homes"], state["home_costs"], strict=True):
        z = torch.from_numpy(point).double()
        assert (J.flip_deltas(z) >= -1e-12).all()
        assert J(z[None]).item() == pytest.approx(cost)


def test_a_descent_evaluates_one_candidate_at_a_time_and_ends_in_time():
    # From anywhere a linear function is at its least after d tries, known after d more.
    rows = []

    def cost(Z):
        rows.append(len(Z))
        return Z.sum(1)

    d, budget = 20, Budget(evaluations=10_000, target=0.0)
    _, evaluator = follow(LocalSearch(), BlackBoxFunction(cost, d), budget)
    assert set(rows) == {1} and evaluator.n_evaluations <= d + 1


def test_a_step_is_a_few_evaluations_where_each_may_take_long():
    counts = [0]
    J = BlackBoxFunction(lambda Z: Z.sum(1), 300)
    budget = Budget(evaluations=1000)
    evaluator = Evaluator(J, budget)
    run = LocalSearch().start(Start(J, RandomStream(0), budget))
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            counts.append(evaluator.n_evaluations)
    assert max(np.diff(counts)) <= 33
    assert evaluator.best_cost == 0.0  # the descent goes on where it was


def test_plateaus_are_crossed():
    # Seven variables have to be flipped before any flip lowers the cost.
    d = 12

    def cost(Z):
        return torch.where(Z.sum(1) >= 8, 0.0, 1.0) + torch.where(
            Z.sum(1) > 9, 1.0, 0.0
        )

    start = np.zeros(d)
    evaluator = Evaluator(
        BlackBoxFunction(cost, d), Budget(evaluations=400, target=0.0)
    )
    solver = LocalSearch(strength=1e-9)
    run = solver.start(
        Start(evaluator.function, RandomStream(1), evaluator.budget, start)
    )
    with pytest.raises(BudgetExhausted, match="target"):
        while True:
            run.advance(evaluator)


@pytest.mark.parametrize("restart", ["perturb", "random"])
def test_restarts_go_where_they_are_told(restart):
    d, distances = 200, []
    J = QuadraticFunction(np.zeros((d, d)), np.ones(d))

    def watch(run):
        if (run._quiet == 0).all():  # it has just left
            distances.append(int(run._replicas.points.sum()))

    solver = LocalSearch(n_replicas=1, restart=restart, strength=0.02)
    follow(solver, J, Budget(evaluations=40_000), watch)
    assert len(distances) > 20
    if restart == "random":
        assert min(distances) > 60
    else:
        assert np.median(distances) < 15


def test_a_stuck_replica_starts_afresh():
    d, distances = 100, []
    J = QuadraticFunction(np.zeros((d, d)), np.ones(d))

    def watch(run):
        if (run._quiet == 0).all():
            distances.append(int(run._replicas.points.sum()))

    solver = LocalSearch(n_replicas=1, strength=0.02, patience=5)
    follow(solver, J, Budget(evaluations=30_000), watch)
    far = np.array(distances) > 25
    assert 0.1 < far.mean() < 0.3
