import itertools

import numpy as np
import pytest
import torch

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, PolynomialFunction, QuadraticFunction
from sklearn_pb.functions._flips import Neighbourhood
from sklearn_pb.solvers import ExhaustiveSearch, Start
from sklearn_pb.utils import RandomStream

UNLIMITED = Budget(evaluations=10**9)


class Walked(QuadraticFunction):
    """Knows its flips only."""

    to_quadratic = None

    def _neighbourhood(self, points):
        return Rows(self, points)


class Rows(Neighbourhood):
    def __init__(self, function, points):
        super().__init__(points)
        self.function = function
        self.place(np.arange(len(points)), points)

    @property
    def deltas(self):
        raise NotImplementedError

    def flip(self, rows, variables):
        points = self.points[rows]
        points[np.arange(len(rows)), variables] ^= 1
        self.place(rows, points)

    def place(self, rows, points):
        self.points[rows] = points
        if not hasattr(self, "costs"):
            self.costs = np.zeros(len(self.points))
        self.costs[rows] = self.function(torch.from_numpy(points).double()).numpy()


def coefficients(d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(d, d)), rng.normal(size=d), 0.5


def black_box(d):
    J = QuadraticFunction(*coefficients(d))
    return BlackBoxFunction(J, d, dtype=torch.float64)


def cubic(d):
    rng = np.random.default_rng(d)
    terms = {tuple(rng.integers(0, d, 3).tolist()): rng.normal() for _ in range(3 * d)}
    return PolynomialFunction({(): -1.0, **terms}, d)


KINDS = {
    "cubic": cubic,
    "terms": lambda d: QuadraticFunction(*coefficients(d)),
    "flips": lambda d: Walked(*coefficients(d)),
    "evaluations": black_box,
}


def least(J):
    points = list(itertools.product([0.0, 1.0], repeat=J.n_variables))
    costs = J(torch.tensor(points, dtype=torch.float64))
    return float(costs.min()), points[int(costs.argmin())]


def begin(J, budget=UNLIMITED):
    solver = ExhaustiveSearch()
    solver.check()
    solver.check_fits(J)
    return solver.start(Start(J, RandomStream(0), budget)), Evaluator(J, budget)


def finish(run, evaluator):
    with pytest.raises(BudgetExhausted) as stop:
        while True:
            run.advance(evaluator)
    return stop.value.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 9, 13])
def test_finds_the_optimum_and_counts_every_point(kind, d):
    J = KINDS[kind](d)
    run, evaluator = begin(J)
    assert finish(run, evaluator) == "optimal"
    cost, point = least(J)
    assert evaluator.best_cost == pytest.approx(cost, abs=1e-12)
    assert float(J(evaluator.best_point[None].double())[0]) == evaluator.best_cost
    if kind != "cubic":  # which has ties
        assert evaluator.best_point.tolist() == list(point)
    assert evaluator.n_evaluations == 2**d


@pytest.mark.parametrize("kind", KINDS)
def test_costs_are_those_of_the_points(kind):
    """Every point once, each with its own cost."""
    d = 12
    J = KINDS[kind](d)
    run, evaluator = begin(J)
    finish(run, evaluator)
    costs = torch.cat(evaluator.recent).sort().values
    points = torch.tensor(list(itertools.product([0.0, 1.0], repeat=d))).double()
    torch.testing.assert_close(costs, J(points).sort().values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [1, 2, 1000, 1025, 3000])
def test_keeps_to_a_number_of_evaluations_and_goes_on(kind, limit):
    d = 12
    J = KINDS[kind](d)
    run, evaluator = begin(J, Budget(evaluations=limit))
    assert finish(run, evaluator) == "evaluations"
    assert evaluator.n_evaluations == limit

    again, unlimited = begin(J)
    again.load_state_dict(run.state_dict())
    unlimited.load_state_dict(evaluator.state_dict())
    assert finish(again, unlimited) == "optimal"
    assert unlimited.n_evaluations == 2**d
    assert unlimited.best_cost == pytest.approx(least(J)[0], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_point_is_a_proof_even_at_the_limit(kind):
    run, evaluator = begin(KINDS[kind](11), Budget(evaluations=2**11))
    assert finish(run, evaluator) == "optimal"
    assert evaluator.n_evaluations == 2**11


def test_large_problems_go_beyond_one_table():
    rng = np.random.default_rng(3)
    d = 19
    Q = np.zeros((d, d))
    weights = rng.normal(size=d)
    wanted = rng.integers(0, 2, d)
    # (w . (z - wanted))^2 plus a little for each difference: least at `wanted` only.
    Q += np.outer(weights, weights)
    linear = -2 * weights * (weights @ wanted) + 0.1 * (1 - 2 * wanted)
    run, evaluator = begin(QuadraticFunction(Q, linear))
    finish(run, evaluator)
    assert evaluator.best_point.tolist() == wanted.tolist()
    assert evaluator.n_evaluations == 2**d


def test_limit_in_seconds():
    run, evaluator = begin(KINDS["terms"](30), Budget(seconds=0.05))
    assert finish(run, evaluator) == "seconds"
    assert 1 < evaluator.n_evaluations < 2**30


def test_too_many_variables():
    J = QuadraticFunction(np.zeros((31, 31)))
    with pytest.raises(ValueError, match=r"n_variables=31 .* at most 30"):
        ExhaustiveSearch().check_fits(J)
