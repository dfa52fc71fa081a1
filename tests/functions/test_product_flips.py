"""Evaluation and flips of sums of products, against the sum written out in Python."""

import copy
import pickle

import numpy as np
import pytest
import torch

from sklearn_pb.functions import MaxSAT, PolynomialFunction, enumerate_points
from sklearn_pb.functions import _product_function as product_function
from sklearn_pb.functions._literal_products import LiteralProducts, ranges
from sklearn_pb.functions._product_function import ProductFunction


def random_sum(seed):
    """Lists of literals, weights and the function of them."""
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 10)), int(rng.integers(0, 25))
    longest = int(rng.integers(1, 8))
    products = []
    for _ in range(n):
        size = min(d, int(rng.integers(1, longest + 1)))
        chosen = rng.choice(d, size, replace=False).tolist()
        products.append([i if rng.random() < 0.5 else ~i for i in chosen])
    weights = rng.integers(-3, 4, n) if seed % 2 else rng.normal(size=n)
    constant = float(rng.normal())
    built = LiteralProducts.from_lists(d, products, weights, constant)
    return d, products, weights, constant, ProductFunction(built), rng


def written_out(products, weights, constant, z):
    total = constant
    for product, weight in zip(products, weights, strict=True):
        total += weight * np.prod([z[i] if i >= 0 else 1 - z[~i] for i in product])
    return total


def changes(sum_, points):
    """All changes of cost by flips, from the sum written out."""
    found = np.empty(points.shape)
    for r, z in enumerate(points.astype(float)):
        for i in range(len(z)):
            other = z.copy()
            other[i] = 1 - other[i]
            found[r, i] = written_out(*sum_, other) - written_out(*sum_, z)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_costs_are_the_sum_at_binary_and_relaxed_points(seed):
    d, *sum_, J, rng = random_sum(seed)
    for points in (rng.integers(0, 2, (5, d)).astype(float), rng.random((5, d))):
        expected = [written_out(*sum_, z) for z in points]
        np.testing.assert_allclose(J(points).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_neighbourhood_follows_flips_and_placements(seed):
    d, *sum_, J, rng = random_sum(seed)
    n = int(rng.integers(1, 4))
    replicas = J.neighbourhood(rng.integers(0, 2, (n, d)))
    here = replicas.points.copy()
    for step in range(8):
        np.testing.assert_array_equal(replicas.points, here)
        np.testing.assert_allclose(replicas.deltas, changes(sum_, here), atol=1e-9)
        costs = [written_out(*sum_, z) for z in here.astype(float)]
        np.testing.assert_allclose(replicas.costs, costs, atol=1e-9)
        rows = np.flatnonzero(rng.random(n) < 0.7)
        variables = rng.integers(0, d, len(rows))
        replicas.flip(rows, variables)
        here[rows, variables] ^= 1
        if step == 4:
            here[n - 1] = rng.integers(0, 2, d)
            replicas.place(np.array([n - 1]), here[n - 1 :].copy())


@pytest.mark.parametrize("seed", range(40))
def test_sweep_follows_flips_and_placements(seed):
    d, *sum_, J, rng = random_sum(seed)
    n = int(rng.integers(1, 4))
    sweep = J.sweep(rng.integers(0, 2, (n, d)))
    here = sweep.points.T.copy()
    for step in range(8):
        k = int(rng.integers(len(sweep.classes)))
        variables = sweep.classes[k]
        deltas = sweep.deltas(k)
        expected = changes(sum_, here)[:, variables].T
        np.testing.assert_allclose(deltas, expected, atol=1e-6)
        deltas[...] = np.nan  # the caller may do what it likes with them
        chosen = rng.random(deltas.shape) < 0.5
        sweep.flip(k, chosen)
        here[:, variables] ^= chosen.T
        np.testing.assert_array_equal(sweep.points.T, here)
        costs = [written_out(*sum_, z) for z in here.astype(float)]
        np.testing.assert_allclose(sweep.costs, costs, atol=1e-6)
        if step == 4:
            here[n - 1] = rng.integers(0, 2, d)
            sweep.place(np.array([n - 1]), here[n - 1 :].copy())


def test_no_product_has_two_variables_of_a_class():
    rng = np.random.default_rng(0)
    clauses = [(rng.choice(60, 3, replace=False) + 1).tolist() for _ in range(250)]
    J = MaxSAT(clauses, n_variables=60)
    colour = np.empty(60, int)
    for k, variables in enumerate(J.sweep(np.zeros(60, int)).classes):
        colour[variables] = k
    for clause in clauses:
        assert len({colour[i - 1] for i in clause}) == 3


def test_many_equal_products_are_counted_right():
    # One variable in 600 products of equal weight: more than a byte counts.
    terms = {(0, 1 + i, 1 + (i + 1) % 600): 1.0 for i in range(600)}
    J = PolynomialFunction(terms, 601)
    sweep = J.sweep(np.ones(601, int))
    k = next(k for k, nodes in enumerate(sweep.classes) if 0 in nodes)
    place = sweep.classes[k].tolist().index(0)
    assert sweep.deltas(k)[place, 0] == -600
    assert J.neighbourhood(np.ones(601, int)).deltas[0, 0] == -600


def test_changes_of_integer_costs_are_exact_after_many_flips():
    rng = np.random.default_rng(1)
    clauses = [
        (rng.choice([-1, 1], 3) * (rng.choice(40, 3, replace=False) + 1)).tolist()
        for _ in range(170)
    ]
    J = MaxSAT(clauses)
    replicas, sweep = (make(rng.integers(0, 2, (3, 40))) for make in flips_of(J))
    for _ in range(300):
        replicas.flip(np.arange(3), rng.integers(0, 40, 3))
    for _ in range(20):
        for k in range(len(sweep.classes)):
            sweep.flip(k, sweep.deltas(k) <= rng.random())
    assert (replicas.costs == J(replicas.points.astype(float)).numpy()).all()
    fresh = J.neighbourhood(replicas.points).deltas
    assert (replicas.deltas == fresh).all()
    assert (sweep.costs == J(sweep.points.T.astype(float)).numpy()).all()


def flips_of(J):
    return J.neighbourhood, J.sweep


def test_a_function_without_products_does_not_change():
    J = PolynomialFunction({(): 2.0}, 3)
    replicas, sweep = (make(np.zeros((2, 3), int)) for make in flips_of(J))
    assert (replicas.deltas == 0).all() and replicas.costs.tolist() == [2.0, 2.0]
    assert (sweep.deltas(0) == 0).all() and sweep.costs.tolist() == [2.0, 2.0]
    Z = torch.zeros(2, 3, requires_grad=True)
    J(Z).sum().backward()
    assert (Z.grad == 0).all()


def test_costs_and_slopes_in_chunks_are_the_same(monkeypatch):
    J = PolynomialFunction({(0, 1, 2): 1.5, (1, 3): -2.0, (2,): 0.5, (0, 1, 2, 3): 1.0})
    Z = torch.rand(23, 4, dtype=torch.float64, generator=torch.manual_seed(0))
    whole = Z.clone().requires_grad_()
    J(whole).square().sum().backward()
    monkeypatch.setattr(product_function, "_CHUNK_CELLS", 40)
    parts = Z.clone().requires_grad_()
    costs = J(parts)
    costs.square().sum().backward()
    torch.testing.assert_close(costs, J(whole).detach(), check_dtype=True)
    torch.testing.assert_close(parts.grad, whole.grad)


def test_slopes_are_right_where_factors_are_zero():
    J = PolynomialFunction({(0, 1, 2): 2.0})
    Z = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]], requires_grad=True)
    J(Z).sum().backward()
    assert Z.grad.tolist() == [[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("cells", [2**23, 4])
def test_second_derivatives_exist(cells, monkeypatch):
    monkeypatch.setattr(product_function, "_CHUNK_CELLS", cells)
    J = PolynomialFunction({(0, 1): 3.0, (1, 2): 1.0})
    z = torch.full((3,), 0.25, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda p: J(p.expand(2, 3))[1], z)
    assert hessian.tolist() == [[0, 3, 0], [3, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda J: pickle.loads(pickle.dumps(J))]
)
def test_copies_are_equal(again):
    J = MaxSAT([[1, -2], [2, 3]], hard=[[-1, -3]])
    Z = next(enumerate_points(3))
    J.sweep(np.zeros(3, int))
    assert torch.equal(again(J)(Z), J(Z))


def test_ranges_may_be_empty():
    assert ranges(np.array([3, 9, 1]), np.array([2, 0, 1])).tolist() == [3, 4, 1]
    assert ranges(np.zeros(0, int), np.zeros(0, int)).tolist() == []
