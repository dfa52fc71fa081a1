import pickle

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import QuadraticFunction
from sklearn_pb.functions._quadratic_flips import (
    DenseRowsNeighbourhood,
    SparseRowsNeighbourhood,
)


def random_function(rng, d, *, density=0.5, integers=True, as_sparse=False):
    draw = rng.integers(-9, 10, (d, d)) if integers else rng.normal(size=(d, d))
    Q = draw * (rng.random((d, d)) < density)
    linear = rng.integers(-9, 10, d) if integers else rng.normal(size=d)
    return QuadraticFunction(sparse.csr_array(Q) if as_sparse else Q, linear, 2.5)


def flip_table(J, points):
    """Costs of rows and of all their neighbours, by plain evaluation."""
    points = torch.from_numpy(points.astype(np.float64))
    costs = J(points)
    flipped = (points[:, None] - torch.eye(points.shape[1], dtype=torch.float64)).abs()
    around = J(flipped.reshape(-1, points.shape[1])).reshape(points.shape)
    return costs.numpy(), (around - costs[:, None]).numpy()


def same(got, expected, exact):
    if exact:
        np.testing.assert_array_equal(got, expected)
    else:
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)


CASES = [
    pytest.param(integers, as_sparse, density, id=f"{density}-{integers}-{as_sparse}")
    for integers in (True, False)
    for as_sparse in (True, False)
    for density in (0.0, 0.15, 1.0)
]


@pytest.mark.parametrize("integers, as_sparse, density", CASES)
def test_sweep_follows_the_function(integers, as_sparse, density):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 13))
        J = random_function(
            rng, d, density=density, integers=integers, as_sparse=as_sparse
        )
        points = rng.integers(0, 2, (5, d), np.uint8)
        sweep = J.sweep(points)
        assert sorted(np.concatenate(sweep.classes)) == list(range(d))
        for step in range(4 * len(sweep.classes)):
            k = step % len(sweep.classes)
            costs, deltas = flip_table(J, points)
            same(sweep.costs, costs, integers)
            np.testing.assert_array_equal(sweep.points, points.T)
            seen = sweep.deltas(k)
            same(seen.T, deltas[:, sweep.classes[k]], integers)
            seen[:] = 77  # may be overwritten
            chosen = rng.random((len(sweep.classes[k]), 5)) < 0.6
            sweep.flip(k, chosen)
            points[:, sweep.classes[k]] ^= chosen.T


@pytest.mark.parametrize("kind", [DenseRowsNeighbourhood, SparseRowsNeighbourhood])
@pytest.mark.parametrize("integers, as_sparse, density", CASES)
def test_neighbourhood_follows_the_function(kind, integers, as_sparse, density):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 13))
        J = random_function(
            rng, d, density=density, integers=integers, as_sparse=as_sparse
        )
        points = rng.integers(0, 2, (5, d), np.uint8)
        around = kind(J._flip_terms, points.copy())
        for step in range(12):
            costs, deltas = flip_table(J, points)
            same(around.costs, costs, integers)
            same(around.deltas, deltas, integers)
            np.testing.assert_array_equal(around.points, points)
            rows = np.arange(5) if step % 2 else rng.permutation(5)[: step // 2]
            variables = rng.integers(0, d, len(rows))
            around.flip(rows, variables)
            points[rows, variables] ^= 1


@pytest.mark.parametrize("make", ["sweep", "neighbourhood"])
def test_replicas_are_placed_elsewhere(make):
    rng = np.random.default_rng(0)
    J = random_function(rng, 9, density=0.3)
    points = rng.integers(0, 2, (4, 9), np.uint8)
    replicas = getattr(J, make)(points)
    some, there = np.array([3, 1]), rng.integers(0, 2, (2, 9), np.uint8)
    replicas.place(some, there)
    points[some] = there
    costs, deltas = flip_table(J, points)
    np.testing.assert_array_equal(replicas.costs, costs)
    if make == "neighbourhood":
        np.testing.assert_array_equal(replicas.points, points)
        np.testing.assert_array_equal(replicas.deltas, deltas)
    else:
        np.testing.assert_array_equal(replicas.points, points.T)
        for k, members in enumerate(replicas.classes):
            np.testing.assert_array_equal(replicas.deltas(k).T, deltas[:, members])


def test_points_that_were_given_are_not_changed():
    J = random_function(np.random.default_rng(0), 6)
    points = np.zeros((2, 6), np.uint8)
    sweep, around = J.sweep(points), J.neighbourhood(points)
    sweep.deltas(0)
    sweep.flip(0, np.ones((len(sweep.classes[0]), 2), bool))
    around.flip(np.arange(2), np.array([0, 3]))
    assert not points.any()


def test_classes_share_no_term():
    J = random_function(np.random.default_rng(0), 40, density=0.1, as_sparse=True)
    Q = J.Q.to_dense().numpy()
    classes = J.sweep(np.zeros(40)).classes
    assert len(classes) < 15
    assert not any(Q[np.ix_(members, members)].any() for members in classes)


@pytest.mark.parametrize(
    ("scale", "sweep_dtype", "rows_dtype"),
    [
        (1, np.int16, np.float32),
        (0.25, np.float32, np.float32),
        (2.0**14, np.float32, np.float32),
        (2.0**30, np.float64, np.float64),
        (0.1, np.float64, np.float64),
    ],
)
def test_narrow_dtypes_only_where_every_sum_is_exact(scale, sweep_dtype, rows_dtype):
    ring = sparse.diags_array([np.ones(9) * scale], offsets=[1], shape=(10, 10))
    J = QuadraticFunction(ring, linear=np.full(10, 3.0 * scale))
    sweep, around = J.sweep(np.zeros(10)), J.neighbourhood(np.zeros(10))
    assert sweep.deltas(0).dtype == sweep_dtype
    assert around.deltas.dtype == rows_dtype
    assert sweep.costs.dtype == around.costs.dtype == np.float64


def test_large_coefficients_do_not_overflow():
    # Each change is near the largest 16-bit integer, sums over a class exceed it.
    d, R = 2000, 3
    J = QuadraticFunction(sparse.csr_array((d, d)), np.full(d, 32_000))
    sweep = J.sweep(np.zeros((R, d)))
    assert sweep.deltas(0).dtype == np.int16
    sweep.flip(0, np.ones((d, R), bool))
    assert sweep.costs.tolist() == [64e6] * R


def test_a_hub_of_a_large_sparse_function():
    d = 100_000
    star = sparse.coo_array((np.ones(d - 1), (np.zeros(d - 1, int), np.arange(1, d))))
    star.resize((d, d))
    J = QuadraticFunction(star, np.full(d, -1.0))
    assert len(J.sweep(np.zeros(d)).classes) == 2
    around = J.neighbourhood(np.zeros((2, d)))
    assert isinstance(around, SparseRowsNeighbourhood)
    around.flip(np.array([1]), np.array([0]))
    around.flip(np.array([0, 1]), np.array([5, 7]))
    np.testing.assert_array_equal(around.costs, [-1.0, -1.0])
    assert around.deltas[:, [0, 5, 7, 9]].tolist() == [[0, 1, -1, -1], [0, 0, 0, 0]]


def test_flips_are_not_pickled():
    J = random_function(np.random.default_rng(0), 6)
    J.sweep(np.zeros(6)).deltas(0)
    assert "_flip_terms" not in pickle.loads(pickle.dumps(J)).__dict__
    assert "_flip_terms" in J.__dict__


@pytest.mark.parametrize("odd", [0, 1, 7, 4999, 11_324])
def test_one_fraction_among_many_integers_is_seen(odd):
    rng = np.random.default_rng(0)
    values = rng.integers(1, 9, 150 * 151 // 2).astype(float)
    values[odd] += 0.25
    Q = np.zeros((150, 150))
    Q[np.triu_indices(150)] = values
    terms = QuadraticFunction(Q)._flip_terms
    coefficients = np.concatenate([terms.twice.data, terms.linear])
    assert (coefficients % terms.unit == 0).all()
    assert terms.unit == 0.25
