import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import (
    QuadraticFunction,
    enumerate_points,
    from_ising,
    from_qubo,
    to_ising,
)


def points(d):
    return next(enumerate_points(d, dtype=torch.float64))


def energies(h, J, constant, Z):
    s = 2 * Z.numpy() - 1
    return s @ h + np.einsum("ni,ij,nj->n", s, J, s) + constant


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, np.ndarray.tolist])
def test_energies_are_those_of_the_spins(form):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 7))
        h, J = rng.integers(-5, 6, d), rng.integers(-5, 6, (d, d)).astype(float)
        got = from_ising(h, form(J), 1.5)(points(d))
        assert got.tolist() == energies(h, J, 1.5, points(d)).tolist()


def test_mappings_are_the_same_model():
    J = from_ising({0: 1.0, 2: -2.0}, {(0, 1): 3.0, (1, 0): 1.0, (2, 2): 0.5}, 2.0)
    matrix = np.zeros((3, 3))
    matrix[0, 1], matrix[1, 0], matrix[2, 2] = 3.0, 1.0, 0.5
    expected = energies(np.array([1.0, 0.0, -2.0]), matrix, 2.0, points(3))
    assert J(points(3)).tolist() == expected.tolist()
    assert from_ising([1.0, 2.0])(torch.ones(1, 2)).item() == 3.0


@pytest.mark.parametrize("as_sparse", [False, True])
def test_there_and_back(as_sparse):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 7))
        Q = rng.integers(-5, 6, (d, d)).astype(float)
        J = QuadraticFunction(sparse.csr_array(Q) if as_sparse else Q, constant=3)
        h, couplings, constant = to_ising(J)
        assert not np.tril(couplings.toarray()).any()
        Z = points(d)
        expected = energies(h, couplings.toarray(), constant, Z)
        np.testing.assert_array_equal(J(Z).numpy(), expected)
        np.testing.assert_array_equal(from_ising(h, couplings, constant)(Z), J(Z))


def test_qubo_mappings():
    terms = {(0, 0): -1, (2, 0): 2.0, (0, 2): 1, (1, 1): 5}
    J = from_qubo(terms, constant=0.5)
    Z = points(3)
    expected = [
        sum(w * z[i] * z[j] for (i, j), w in terms.items()) + 0.5 for z in Z.tolist()
    ]
    assert J(Z).tolist() == expected
    assert from_qubo(terms, n_variables=7).n_variables == 7


def labelled_graph(kind="Graph"):
    graph = getattr(pytest.importorskip("networkx"), kind)()
    graph.add_weighted_edges_from([("b", "a", 3.0), ("a", "c", -2.0), ("c", "c", 0.5)])
    graph.add_edge("b", "c")  # nodes b, a, c
    return graph


def test_graphs_are_the_model_of_their_edges():
    pairs = {(0, 1): 3.0, (1, 2): -2.0, (2, 2): 0.5, (0, 2): 1.0}
    Z = points(3)
    J = from_ising({"c": 1.5}, labelled_graph(), 2.0)
    assert J(Z).tolist() == from_ising([0, 0, 1.5], pairs, 2.0)(Z).tolist()
    assert J(Z).tolist() == from_ising([0, 0, 1.5], labelled_graph(), 2.0)(Z).tolist()
    for couplings in (labelled_graph(), pairs):
        expected = from_ising([0.0] * 3, pairs)(Z).tolist()
        assert from_ising({}, couplings)(Z).tolist() == expected
    expected = from_qubo(pairs, constant=1.0)(Z).tolist()
    assert from_qubo(labelled_graph(), constant=1.0)(Z).tolist() == expected


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: from_ising({"d": 1}, labelled_graph()), ValueError, "key 'd', which"),
        (lambda: from_ising({}, None), ValueError, "h is empty"),
        (lambda: from_ising({}, {}), ValueError, "J is empty"),
        (lambda: from_qubo(labelled_graph(), 4), ValueError, "graph has 3 nodes"),
        (
            lambda: from_qubo(labelled_graph("DiGraph")),
            ValueError,
            "terms is a directed",
        ),
        (lambda: QuadraticFunction(labelled_graph()), TypeError, r"call from_qubo\(Q"),
        (lambda: from_qubo({}), ValueError, "terms is empty"),
        (lambda: from_qubo({(0, 3): 1}, 3), ValueError, "n_variables=3"),
        (lambda: from_qubo({("a", "b"): 1}), TypeError, "an index of terms='a'"),
        (lambda: from_qubo({3: 1.0}), TypeError, "key 3; it must be a pair"),
        (lambda: from_qubo({(0, -1): 1}), ValueError, "an index of terms=-1"),
        (lambda: from_qubo({(0, 1): np.nan}), ValueError, r"terms\[\(0, 1\)\]=nan"),
        (lambda: from_ising(np.ones((2, 2))), ValueError, r"h has shape \(2, 2\)"),
        (lambda: from_ising([1.0], np.ones((1, 2))), ValueError, "J has shape"),
        (lambda: from_ising([1.0, 2.0], np.ones((1, 1))), ValueError, "2 spins"),
        (lambda: from_ising([np.inf]), ValueError, "h must be finite"),
        (lambda: from_ising([1.0], constant=np.nan), ValueError, "constant=nan"),
    ],
)
def test_bad_models_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
