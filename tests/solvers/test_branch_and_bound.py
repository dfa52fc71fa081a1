import itertools
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.budget import Budget, BudgetExhausted, Evaluator
from sklearn_pb.functions import (
    BlackBoxFunction,
    MaxSAT,
    PolynomialFunction,
    QuadraticFunction,
)
from sklearn_pb.solvers import BranchAndBound, Start
from sklearn_pb.solvers._polynomial_tree import PolynomialTree
from sklearn_pb.solvers._quadratic_tree import QuadraticTree
from sklearn_pb.solvers._terms import terms_of
from sklearn_pb.utils import RandomStream

UNLIMITED = Budget(evaluations=10**9)


def random_quadratic(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 15))
    Q = rng.normal(size=(d, d)) * (rng.random((d, d)) < rng.random())
    linear = rng.normal(size=d)
    if seed % 2:  # ties, and costs in whole steps
        Q, linear = np.rint(2 * Q), np.rint(2 * linear)
    matrix = sparse.csr_array(Q) if seed % 5 == 0 else Q
    return QuadraticFunction(matrix, linear, rng.normal())


def random_polynomial(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 14))
    terms = {(): 0.5}
    for _ in range(int(rng.integers(0, 30))):
        size = int(rng.integers(1, min(5, d) + 1))
        monomial = tuple(sorted(rng.choice(d, size, replace=False).tolist()))
        terms[monomial] = rng.normal() if seed % 2 else float(rng.integers(-3, 4))
    return PolynomialFunction(terms, d)


def least(J):
    points = list(itertools.product([0.0, 1.0], repeat=J.n_variables))
    return float(J(torch.tensor(points, dtype=torch.float64)).min())


def begin(J, budget=UNLIMITED, **kwargs):
    solver = BranchAndBound(**kwargs)
    solver.check()
    solver.check_fits(J)
    return solver.start(Start(J, RandomStream(0), budget)), Evaluator(J, budget)


def finish(run, evaluator):
    with pytest.raises(BudgetExhausted) as stop:
        while True:
            run.advance(evaluator)
    return stop.value.reason


@pytest.mark.parametrize("make", [random_quadratic, random_polynomial])
@pytest.mark.parametrize("seed", range(100))
def test_equals_enumeration(make, seed):
    J = make(seed)
    run, evaluator = begin(J, tabu_steps=1)
    assert finish(run, evaluator) == "optimal"
    assert evaluator.best_cost == pytest.approx(least(J), rel=1e-9, abs=1e-9)
    assert run.lower_bound == pytest.approx(least(J), rel=1e-9, abs=1e-9)
    assert float(J(evaluator.best_point[None].double())[0]) == evaluator.best_cost


@pytest.mark.parametrize("tree", [QuadraticTree, PolynomialTree])
@pytest.mark.parametrize("seed", range(9))
def test_bounds_of_every_node_hold(tree, seed):
    rng = np.random.default_rng(seed)
    d = 12
    sign = [-1, 1, 3][seed % 3]
    Q = rng.normal(sign, 1, (d, d)) * (rng.random((d, d)) < 0.7)
    J = QuadraticFunction(Q, 3 * rng.normal(size=d))
    tree = tree(terms_of(J))
    points = np.array(list(itertools.product([0, 1], repeat=d)))
    costs = J(torch.from_numpy(points).double()).numpy()
    inner = points[:, np.argsort(tree.order)]  # the cost of a point in the tree's order
    costs = J(torch.from_numpy(inner).double()).numpy()
    values, rest = tree.root()
    for k in range(tree.depth + 1):
        within = costs.reshape(2**k, -1)
        bounds = tree.bounds(k, values, rest)
        assert (bounds <= within.min(axis=1) + 1e-9).all()
        if k < tree.depth:
            change = np.diff(within.reshape(2**k, 2, -1), axis=1)[:, 0]
            lowest, highest = tree.slopes(k, rest)
            assert (lowest <= change.min(axis=1) + 1e-9).all()
            assert (highest >= change.max(axis=1) - 1e-9).all()
            bits = np.tile([False, True], 2**k)
            values, rest = np.repeat(values, 2), np.repeat(rest, 2, axis=0)
            values, rest = tree.children(k, values, rest, bits)
    leaves = tree.leaves(values, rest)
    ends = tree.ends(np.arange(leaves.shape[1]))
    numbers = ends @ (1 << np.arange(ends.shape[1])[::-1])
    np.testing.assert_allclose(leaves, within[:, numbers], atol=1e-9)


def test_proves_a_dense_problem_of_forty_variables():
    rng = np.random.default_rng(0)
    J = QuadraticFunction(rng.normal(size=(40, 40)), rng.normal(size=40))
    run, evaluator = begin(J)
    assert finish(run, evaluator) == "optimal"
    assert evaluator.n_evaluations < 1e6

    # Independent of the bound: every pair of flips of the optimum makes it worse.
    flips = np.array(
        [sum(1 << i for i in p) for p in itertools.combinations(range(40), 2)]
    )
    points = evaluator.best_point.numpy().astype(int) ^ (
        flips[:, None] >> np.arange(40) & 1
    )
    assert J(torch.from_numpy(points).double()).min() > evaluator.best_cost


def test_a_planted_optimum_of_a_polynomial():
    """(difference to a wanted point in triples)^2, least at the point only."""
    d = 24
    terms = {(): 1.0}
    wanted = np.random.default_rng(1).integers(0, 2, d)
    for i in range(d):
        terms[(i,)] = 1.0 - 2.0 * wanted[i]
    for i in range(d - 2):
        triple = (i, i + 1, i + 2)
        terms[triple] = -0.5 if wanted[list(triple)].all() else 0.5
    J = PolynomialFunction(terms, d)
    run, evaluator = begin(J)
    assert finish(run, evaluator) == "optimal"
    assert evaluator.best_point.tolist() == wanted.tolist()


def test_satisfied_clauses_are_a_proof():
    rng = np.random.default_rng(0)
    d = 40
    signs = rng.choice([-1, 1], d)  # a point that satisfies every clause
    clauses = []
    for _ in range(120):
        chosen = rng.choice(d, 3, replace=False)
        flips = rng.choice([-1, 1], 3)
        flips[0] = 1
        clauses.append(((chosen + 1) * signs[chosen] * flips).tolist())
    J = MaxSAT(clauses, n_variables=d)
    run, evaluator = begin(J)
    assert finish(run, evaluator) == "optimal"
    assert evaluator.best_cost == run.lower_bound == 0


@pytest.mark.parametrize("make", [random_quadratic, random_polynomial])
@pytest.mark.parametrize("limit", [1, 2, 50, 777])
def test_keeps_to_a_number_of_evaluations(make, limit):
    J = make(8)
    budget = Budget(evaluations=limit)
    run, evaluator = begin(J, budget, tabu_steps=1)
    reason = finish(run, evaluator)
    if reason == "evaluations":
        assert evaluator.n_evaluations == limit
    assert evaluator.n_evaluations <= limit
    if evaluator.best_point is not None and run.lower_bound > -np.inf:
        assert run.lower_bound <= least(J) + 1e-9


@pytest.mark.parametrize("interrupted", [1, 4, 12])
def test_goes_on_from_a_saved_state(interrupted):
    rng = np.random.default_rng(0)
    J = QuadraticFunction(rng.normal(size=(35, 35)), rng.normal(size=35))
    run, evaluator = begin(J)
    for _ in range(interrupted):
        run.advance(evaluator)
    saved = pickle.dumps((run.state_dict(), evaluator.state_dict()))
    finish(run, evaluator)

    again, other = begin(J)
    state, counts = pickle.loads(saved)
    again.load_state_dict(state)
    other.load_state_dict(counts)
    assert finish(again, other) == "optimal"
    assert other.best_cost == evaluator.best_cost
    assert other.n_evaluations == evaluator.n_evaluations
    assert again.step == run.step


def test_goes_on_with_a_fresh_evaluator():
    J = random_quadratic(12)
    run, evaluator = begin(J)
    while run.lower_bound < evaluator.best_cost - 1e-9:
        state = run.state_dict()
        try:
            run.advance(evaluator)
        except BudgetExhausted:
            break
    again, other = begin(J)
    again.load_state_dict(state)
    assert finish(again, other) == "optimal"
    assert other.best_cost == pytest.approx(least(J), abs=1e-9)


def test_the_bound_encloses_the_optimum_on_the_way():
    rng = np.random.default_rng(4)
    d = 30
    J = QuadraticFunction(rng.normal(size=(d, d)), rng.normal(size=d))
    run, evaluator = begin(J)
    bounds = []
    with pytest.raises(BudgetExhausted):
        while True:
            run.advance(evaluator)
            bounds.append(run.lower_bound)
    assert all(bound <= evaluator.best_cost + 1e-9 for bound in bounds)
    assert run.lower_bound == evaluator.best_cost


def test_warm_start():
    J = random_quadratic(9)
    run, evaluator = begin(J)
    finish(run, evaluator)
    best = evaluator.best_point.numpy()
    start = Start(J, RandomStream(1), UNLIMITED, probabilities=best)
    warm, other = BranchAndBound().start(start), Evaluator(J, Budget(evaluations=1))
    assert finish(warm, other) == "evaluations"
    assert other.best_cost == evaluator.best_cost


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (BlackBoxFunction(lambda Z: Z.sum(1), 3), "neither to_quadratic"),
        (QuadraticFunction(sparse.eye_array(1001)), "at most 1000"),
    ],
)
def test_what_does_not_fit(function, message):
    with pytest.raises(ValueError, match=message):
        BranchAndBound().check_fits(function)


def test_bad_parameter():
    with pytest.raises(ValueError, match="tabu_steps=0"):
        BranchAndBound(tabu_steps=0).check()
