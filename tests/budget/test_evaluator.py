"""Budgets: exact counts, errors before the search, and the best point."""

import math
import re
import time

import numpy as np
import pytest
import torch

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction


class Recorder(BlackBoxFunction):
    """Costs are the numbers that the points spell; every row is counted."""

    def __init__(self, d=8, pause=0.0):
        self.rows = 0
        self.pause = pause
        self.weights = 2.0 ** torch.arange(d)
        super().__init__(self.spell, d)

    def spell(self, Z):
        self.rows += len(Z)
        time.sleep(self.pause * len(Z))
        return Z @ self.weights.to(Z)


def points(*numbers, d=8):
    return (torch.tensor(numbers)[:, None] >> torch.arange(d) & 1).float()


def stop_of(evaluator, Z, times=1000):
    with pytest.raises(BudgetExhausted) as stop:
        for _ in range(times):
            evaluator(Z)
    return stop.value.reason


@pytest.mark.parametrize(
    "limits, message",
    [
        ({}, "never ends for certain"),
        ({"target": 1.0}, "never ends for certain"),
        ({"evaluations": 0}, "Budget.evaluations=0 must be an integer in [1, inf)"),
        ({"evaluations": -3}, "Budget.evaluations=-3"),
        ({"seconds": 0}, "Budget.seconds=0 must be a number in (0, inf)"),
        ({"seconds": -1.0}, "Budget.seconds=-1.0"),
        ({"seconds": math.inf}, "Budget.seconds=inf"),
        ({"no_improvement": 0}, "Budget.no_improvement=0"),
        ({"evaluations": 5, "target": math.nan}, "Budget.target=nan"),
        (
            {"evaluations": 5, "no_improvement": 6},
            "Budget.no_improvement=6 can never be reached with Budget.evaluations=5",
        ),
    ],
)
def test_senseless_budgets_are_refused(limits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Budget(**limits).check()


@pytest.mark.parametrize(
    "limits", [{"evaluations": 2.5}, {"evaluations": True}, {"seconds": "1"}]
)
def test_budgets_of_the_wrong_type_are_refused(limits):
    with pytest.raises(TypeError, match=next(iter(limits))):
        Budget(**limits).check()


@pytest.mark.parametrize(
    "limits",
    [
        {"evaluations": 1},
        {"seconds": 0.1},
        {"no_improvement": 3},
        {"evaluations": 5, "no_improvement": 5},
        {"seconds": 1, "no_improvement": 10, "target": -1e9},
    ],
)
def test_sensible_budgets_pass_and_are_given_back(limits):
    budget = Budget(**limits)
    assert budget.check() is budget


@pytest.mark.parametrize("limit", [1, 2, 7, 10, 11, 25])
@pytest.mark.parametrize("batch", [1, 3, 10])
def test_evaluations_are_never_exceeded_by_a_row(limit, batch):
    function = Recorder()
    evaluator = Evaluator(function, Budget(evaluations=limit))
    assert stop_of(evaluator, points(*range(batch))) == "evaluations"
    assert function.rows == evaluator.n_evaluations == limit


def test_an_exhausted_evaluator_stays_exhausted():
    function = Recorder()
    evaluator = Evaluator(function, Budget(evaluations=3))
    stop_of(evaluator, points(1, 2))
    for again in (
        lambda: evaluator(points(0)),
        lambda: evaluator.relaxed(points(0)[0]),
    ):
        with pytest.raises(BudgetExhausted, match="evaluations"):
            again()
    assert function.rows == evaluator.n_evaluations == 3


def test_the_target_stops_and_is_kept():
    evaluator = Evaluator(Recorder(), Budget(evaluations=100, target=2.0))
    evaluator(points(9, 3))
    with pytest.raises(BudgetExhausted, match="target"):
        evaluator(points(7, 2))
    assert evaluator.best_cost == 2.0
    assert evaluator.n_evaluations == 4


def test_no_improvement_counts_from_the_last_better_row():
    evaluator = Evaluator(Recorder(), Budget(no_improvement=4))
    evaluator(points(9, 5, 7, 8))  # the second row is the best: two without since
    evaluator(points(5))  # equal is not better
    with pytest.raises(BudgetExhausted, match="no_improvement"):
        evaluator(points(6, 4))
    assert evaluator.n_evaluations == 6
    assert evaluator.best_cost == 5.0


def test_an_improvement_starts_the_count_again():
    evaluator = Evaluator(Recorder(), Budget(no_improvement=3))
    for number in (9, 9, 8, 8, 7, 7, 6):
        evaluator(points(number))
    assert evaluator.n_evaluations == 7


def test_seconds_stop():
    evaluator = Evaluator(Recorder(pause=0.002), Budget(seconds=0.05))
    assert stop_of(evaluator, points(1)) == "seconds"
    assert evaluator.seconds >= 0.05
    assert 1 <= evaluator.n_evaluations <= 25


def test_a_big_batch_does_not_run_far_past_the_seconds():
    function = Recorder(pause=0.002)
    evaluator = Evaluator(function, Budget(seconds=0.05))
    assert stop_of(evaluator, points(*[1] * 2000), times=1) == "seconds"
    assert function.rows < 200


def test_the_best_point_is_the_first_of_the_best():
    evaluator = Evaluator(Recorder(), Budget(evaluations=100))
    Z = points(9, 3, 5, 3)
    costs = evaluator(Z)
    assert costs.tolist() == [9.0, 3.0, 5.0, 3.0]
    Z.zero_()  # the best point is a copy
    assert torch.equal(evaluator.best_point, points(3)[0])
    evaluator(points(4))
    assert evaluator.best_cost == 3.0


def test_nothing_is_best_before_the_first_row():
    evaluator = Evaluator(Recorder(), Budget(evaluations=5))
    assert evaluator.best_cost == math.inf
    assert evaluator.best_point is None


def test_no_rows_cost_nothing():
    evaluator = Evaluator(Recorder(), Budget(evaluations=5))
    assert evaluator(torch.zeros(0, 8)).shape == (0,)
    assert evaluator.n_evaluations == 0


def test_arrays_are_points_too():
    evaluator = Evaluator(Recorder(), Budget(evaluations=5))
    assert evaluator(points(6).numpy()).tolist() == [6.0]
    assert isinstance(evaluator.best_point, torch.Tensor)


def test_relaxed_points_count_and_carry_a_gradient():
    J = QuadraticFunction([[1.0, -4.0], [0.0, 2.0]])
    evaluator = Evaluator(J, Budget(evaluations=2))
    z = torch.tensor([0.5, 0.25], requires_grad=True)
    (slope,) = torch.autograd.grad(evaluator.relaxed(z), z)
    np.testing.assert_allclose(slope, [1 - 4 * 0.25, 2 - 4 * 0.5])
    assert evaluator.n_evaluations == 1
    assert evaluator.best_point is None
    with pytest.raises(BudgetExhausted, match="evaluations"):
        evaluator.relaxed(z.detach())


def test_the_best_cost_of_rough_points_is_computed_again():
    J = QuadraticFunction(np.zeros((3, 3)), [0.1, -0.2, 0.4])
    evaluator = Evaluator(J, Budget(evaluations=100), price=0.01)
    evaluator(points(0, 1, 2, 3, 4, 5, 6, 7, d=3))
    assert evaluator.n_evaluations == 9  # and the best of them again
    assert evaluator.best_cost == -0.2 + 0.01
    evaluator(points(0, 1, 2, 3, d=3))
    assert evaluator.n_evaluations == 13  # nothing is better than what was found
    evaluator(points(0, 1, d=3).double())
    assert evaluator.n_evaluations == 15


@pytest.mark.parametrize("limit", range(1, 12))
def test_the_last_evaluation_is_exact_too(limit):
    J = QuadraticFunction(np.zeros((4, 4)), [-0.1, -0.2, -0.4, -0.8])
    evaluator = Evaluator(J, Budget(evaluations=limit))
    assert stop_of(evaluator, points(*range(16), d=4)) == "evaluations"
    assert evaluator.n_evaluations == limit
    assert evaluator.best_cost == J(evaluator.best_point.double()[None]).item()


def test_the_first_evaluation_passes_however_late_it_is():
    function = Recorder()
    begun = time.perf_counter() - 10.0
    evaluator = Evaluator(function, Budget(seconds=1.0), begun=begun)
    evaluator.stop_if_done()
    assert stop_of(evaluator, points(7, 3), times=1) == "seconds"
    assert function.rows == 1 and evaluator.best_cost == 7.0
    assert evaluator.seconds >= 10.0
    with pytest.raises(BudgetExhausted, match="seconds"):
        evaluator.stop_if_done()


def test_the_seconds_of_a_state_are_added():
    state = Evaluator(Recorder(), Budget(seconds=9.0)).state_dict()
    begun = time.perf_counter() - 3.0
    evaluator = Evaluator(Recorder(), Budget(seconds=9.0), begun=begun)
    evaluator.load_state_dict({**state, "seconds": 5.0})
    assert 8.0 <= evaluator.seconds < 9.0


def test_changes_are_planned_by_their_own_time():
    evaluator = Evaluator(Recorder(d=8, pause=0.01), Budget(seconds=100.0))
    assert evaluator.allowance(10**9) == 1  # nothing is known yet
    evaluator(points(5))
    # A change takes no longer than half a row, as a first guess.
    guess = evaluator.allowance(10**9)
    assert 100 < guess <= 2 * 100 / 0.01
    evaluator.charge(3, np.array([9.0]), lambda row: np.zeros(8), timed=False)
    assert evaluator.allowance(10**9) <= guess
    evaluator.allowance(1)
    evaluator.charge(10**7, np.array([9.0]), lambda row: np.zeros(8))
    assert evaluator.allowance(10**9) > 10 * guess
