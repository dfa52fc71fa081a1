import itertools
import math

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.solvers import MinCut, Start, is_submodular
from sklearn_pb.utils import RandomStream


def least(J):
    points = list(itertools.product([0.0, 1.0], repeat=J.n_variables))
    return float(J(torch.tensor(points, dtype=torch.float64)).min())


def solve(J, budget=None):
    solver = MinCut()
    solver.check()
    solver.check_fits(J)
    budget = budget or Budget(evaluations=100)
    run = solver.start(Start(J, RandomStream(0), budget))
    evaluator = Evaluator(J, budget)
    with pytest.raises(BudgetExhausted) as stop:
        while True:
            run.advance(evaluator)
    return stop.value.reason, evaluator, run


def random_function(seed):
    """A submodular function, or one with some variables exchanged for complements."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 11))
    Q = -np.abs(rng.normal(size=(d, d))) * (rng.random((d, d)) < rng.random())
    linear = 3 * rng.normal(size=d)
    if seed % 3 == 0:  # ties
        Q, linear = np.rint(2 * Q), np.rint(linear)
    signs = np.where(rng.random(d) < 0.5 * (seed % 2), -1, 1)
    Q *= np.outer(signs, signs)
    np.fill_diagonal(Q, 0.0)
    matrix = sparse.csr_array(Q) if seed % 5 == 0 else Q
    return QuadraticFunction(matrix, linear, rng.normal())


@pytest.mark.parametrize("seed", range(300))
def test_equals_enumeration(seed):
    J = random_function(seed)
    reason, evaluator, run = solve(J)
    assert reason == "optimal"
    assert evaluator.best_cost == pytest.approx(least(J), rel=1e-12, abs=1e-12)
    assert run.lower_bound == pytest.approx(evaluator.best_cost, abs=1e-9)


@pytest.mark.parametrize("scale", [2.0**-40, 1.0, 2.0**60])
def test_weights_of_any_size_and_ratio(scale):
    # A chain of weights 1, 2^-50: whether z_2 = 1 is decided by the smallest.
    small = 2.0**-50
    Q = [[0, -1.0, 0], [0, 0, -small], [0, 0, 0]]
    linear = [-1.0, 0.5, 0.75 * small]
    J = QuadraticFunction(scale * np.array(Q), scale * np.array(linear))
    _, evaluator, _ = solve(J)
    assert evaluator.best_point.tolist() == [1.0, 1.0, 1.0]


def test_a_grid_of_labels_is_exact():
    """A picture whose clean labelling is known: one flipped pixel is outvoted."""
    side = 40
    clean = np.zeros((side, side))
    clean[10:30, 10:30] = 1
    noisy = clean.copy()
    noisy[20, 20], noisy[5, 5] = 0, 1
    numbers = np.arange(side**2).reshape(side, side)
    i = np.concatenate([numbers[:, :-1].ravel(), numbers[:-1].ravel()])
    j = np.concatenate([numbers[:, 1:].ravel(), numbers[1:].ravel()])
    linear = 1.0 - 2.0 * noisy.ravel()
    np.add.at(linear, i, 0.7)  # 0.7 |z_i - z_j|
    np.add.at(linear, j, 0.7)
    Q = sparse.csr_array((np.full(len(i), -1.4), (i, j)), (side**2, side**2))
    reason, evaluator, _ = solve(QuadraticFunction(Q, linear, noisy.sum()))
    assert reason == "optimal"
    assert evaluator.best_cost == pytest.approx(2 + 0.7 * 80)
    assert (evaluator.best_point.numpy().reshape(side, side) == clean).all()


def test_odd_cycles_of_positive_pairs_are_refused():
    triangle = QuadraticFunction([[0, 1.0, 1.0], [0, 0, 1.0], [0, 0, 0]])
    assert not is_submodular(triangle, up_to_complements=True)
    with pytest.raises(ValueError, match="submodular"):
        MinCut().check_fits(triangle)


def test_even_cycles_are_solved():
    """Max-cut of a bipartite graph cuts every edge."""
    d = 12
    Q, linear = np.zeros((d, d)), np.zeros(d)
    for i in range(d):
        Q[i, (i + 1) % d] += 2.0
        linear[[i, (i + 1) % d]] -= 1.0
    J = QuadraticFunction(Q, linear)
    assert not is_submodular(J)
    assert is_submodular(J, up_to_complements=True)
    assert solve(J)[1].best_cost == -d


def test_is_submodular_after_symmetrisation():
    assert is_submodular(QuadraticFunction([[5.0, 2.0], [-3.0, 1.0]]))
    assert not is_submodular(QuadraticFunction([[5.0, 2.0], [-1.0, 1.0]]))
    assert not is_submodular(BlackBoxFunction(lambda Z: Z.sum(1), 3))


def test_functions_without_terms_are_refused():
    with pytest.raises(ValueError, match="to_quadratic"):
        MinCut().check_fits(BlackBoxFunction(lambda Z: Z.sum(1), 3))


@pytest.mark.parametrize("limit", [1, 2])
def test_keeps_to_a_number_of_evaluations(limit):
    reason, evaluator, run = solve(random_function(7), Budget(evaluations=limit))
    assert evaluator.n_evaluations == limit
    assert (reason, math.isinf(run.lower_bound)) in [
        ("evaluations", True),
        ("optimal", False),
    ]


@pytest.mark.parametrize("pair", [(3, 7), (3, 97), (90, 97)])
def test_a_contradiction_is_found_wherever_it_is(pair):
    rng = np.random.default_rng(0)
    Q = -np.triu(rng.random((100, 100)), 1)
    assert is_submodular(QuadraticFunction(Q), up_to_complements=True)
    Q[pair] = 0.5
    assert not is_submodular(QuadraticFunction(Q))
    assert not is_submodular(QuadraticFunction(Q), up_to_complements=True)


def test_complements_of_a_dense_function_are_found():
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], 100)
    J = QuadraticFunction(-np.triu(rng.random((100, 100)), 1) * np.outer(signs, signs))
    assert is_submodular(J, up_to_complements=True) and not is_submodular(J)
