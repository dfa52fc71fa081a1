import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.solvers import GeneticAlgorithm, Start
from sklearn_pb.solvers._genetic import _one_point, _uniform
from sklearn_pb.utils import RandomStream


def follow(solver, J, budget):
    evaluator = Evaluator(J, budget)
    run = solver.start(Start(J, RandomStream(0), budget))
    populations = []
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            state = run.state_dict()
            populations.append((state["points"], state["costs"]))
    return populations, evaluator


def trap():
    """Blocks of five, each misleading but for its best point; crosses combine them."""

    def cost(Z):
        ones = Z.reshape(len(Z), -1, 5).sum(2)
        return torch.where(ones == 5, -1.0, 0.2 * ones - 0.8).sum(1)

    return BlackBoxFunction(cost, 20)


def test_the_population_only_gets_better():
    populations, evaluator = follow(
        GeneticAlgorithm(population=20, patience=10**6),
        trap(),
        Budget(evaluations=3000),
    )
    worst = [costs.max() for _, costs in populations]
    assert (np.diff(worst) <= 0).all() and worst[-1] < worst[0]
    assert all(len(points) == 20 for points, _ in populations)
    for points, costs in (populations[0], populations[-1]):
        again = evaluator.function(torch.from_numpy(points).double())
        np.testing.assert_allclose(costs, again.numpy())
    assert populations[-1][1].min() == evaluator.best_cost


def test_copies_are_kept_out():
    populations, _ = follow(
        GeneticAlgorithm(population=20, patience=10**6),
        trap(),
        Budget(evaluations=3000),
    )
    first = len(np.unique(populations[0][0], axis=0))
    assert len(np.unique(populations[-1][0], axis=0)) >= first


def test_building_blocks_are_put_together():
    _, evaluator = follow(
        GeneticAlgorithm(population=200, crossover="one-point"),
        trap(),
        Budget(evaluations=20_000, target=-4.0),
    )
    assert evaluator.best_cost == -4.0


def test_polished_members_are_local_minima():
    J = QuadraticFunction(np.random.default_rng(0).normal(size=(25, 25)))
    populations, _ = follow(GeneticAlgorithm(), J, Budget(evaluations=50_000))
    for point in populations[-1][0]:
        assert (J.flip_deltas(torch.from_numpy(point).double()) >= -1e-12).all()


@pytest.mark.parametrize("cross", [_uniform, _one_point])
def test_children_have_a_parent_for_each_variable(cross):
    rng = np.random.default_rng(0)
    mothers, fathers = np.zeros((500, 9), np.uint8), np.ones((500, 9), np.uint8)
    children = cross(mothers, fathers, rng)
    assert children.dtype == np.uint8
    assert children.mean() == pytest.approx(0.5, abs=0.05)
    same = rng.integers(0, 2, (500, 9), np.uint8)
    assert (cross(same, same, rng) == same).all()
    if cross is _one_point:
        assert (np.diff(children.astype(int), axis=1) >= 0).all()


def test_children_mutate_as_often_as_they_are_told():
    solver = GeneticAlgorithm(population=2, mutation=0.1)
    run = solver.start(Start(trap(), RandomStream(0), Budget(evaluations=10)))
    run._points, run._costs = np.zeros((2, 20), np.uint8), np.zeros(2)
    assert run._children(4000).mean() == pytest.approx(0.1, abs=0.005)


def test_a_population_that_stands_still_is_drawn_anew_but_for_its_best():
    J = BlackBoxFunction(lambda Z: Z[:, 0] * 0 + Z.sum(1), 6)
    populations, _ = follow(
        GeneticAlgorithm(population=8, patience=3), J, Budget(evaluations=3000)
    )
    worst = np.array([costs.max() for _, costs in populations])
    assert (np.diff(worst) > 0).any()
    best = np.array([costs.min() for _, costs in populations])
    assert (np.diff(best) <= 0).all() and best[-1] == 0


def test_a_first_generation_takes_no_more_than_a_part_of_a_share_of_the_time():
    class ByEvaluations(Evaluator):
        """Its clock ticks with the evaluations."""

        @property
        def seconds(self):
            return float(self.n_evaluations)

    d, n = 4000, 4
    Q = np.diag(np.random.default_rng(0).normal(size=d - 1), 1)
    J, budget = QuadraticFunction(sparse.csr_array(Q)), Budget(seconds=600_000)
    evaluator = ByEvaluations(J, budget)
    evaluator(np.zeros((1, d)))
    start = Start(J, RandomStream(0), budget)
    evaluator.share = 1 / 3
    GeneticAlgorithm(population=n).start(start).advance(evaluator)
    assert evaluator.n_evaluations <= 600_000 / 12 + 2 * n * d
