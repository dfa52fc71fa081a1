from itertools import combinations

import numpy as np
import pytest
import torch

from sklearn_pb.functions import IndependentSet, enumerate_points, tabulate
from sklearn_pb.testing import check_function


def random_edges(rng, d):
    density = rng.random()
    return [pair for pair in combinations(range(d), 2) if rng.random() < density]


def is_independent(edges, z):
    return not any(z[i] and z[j] for i, j in edges)


def test_the_minimum_is_the_largest_set_and_repair_reaches_it():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(1, 9))
        edges = random_edges(rng, d)
        J = IndependentSet(edges, n_nodes=d)
        Z = next(enumerate_points(d))
        largest = max(int(z.sum()) for z in Z if is_independent(edges, z))
        costs = J(Z)
        assert costs.min() == -largest
        sets = J.repair(Z)
        assert all(is_independent(edges, z) for z in sets)
        assert (sets.sum(axis=1) >= -costs.numpy()).all()


def test_repaired_sets_are_maximal():
    rng = np.random.default_rng(0)
    edges = random_edges(rng, 30)
    J = IndependentSet(edges, n_nodes=30)
    for z in J.repair(rng.integers(0, 2, (20, 30))):
        for free in np.flatnonzero(z == 0):
            z[free] = 1
            assert not is_independent(edges, z)
            z[free] = 0


def test_repair_keeps_sets_that_are_maximal_and_the_shape():
    path = IndependentSet([(0, 1), (1, 2)])
    assert path.repair(torch.tensor([0.0, 1.0, 0.0])).tolist() == [0, 1, 0]
    assert path.repair([[1, 0, 1], [0, 0, 0]]).shape == (2, 3)


def test_size_agrees_with_networkx():
    nx = pytest.importorskip("networkx")
    for seed in range(10):
        graph = nx.gnp_random_graph(11, 0.4, seed=seed)
        clique, _ = nx.max_weight_clique(nx.complement(graph), weight=None)
        assert tabulate(IndependentSet(graph)).values.min() == -len(clique)


def test_edges_count_once_and_weights_do_not_matter():
    once = IndependentSet([(0, 1)])
    others = [
        IndependentSet([(0, 1), (1, 0)]),
        IndependentSet({(0, 1): 7.0}),
        IndependentSet(np.array([[0, 5], [5, 0]])),
    ]
    for other in others:
        assert torch.equal(other.Q.to_dense(), once.Q.to_dense())
    assert once(torch.ones(1, 2)).item() == -1


def test_contract():
    check_function(IndependentSet([(0, 1), (1, 2), (0, 3)]))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="a loop at node 1"):
        IndependentSet([(0, 1), (1, 1)])
    with pytest.raises(ValueError, match=r"graph has the edge \(0, 5\)"):
        IndependentSet([(0, 5)], n_nodes=3)
    with pytest.raises(ValueError, match=r"points has shape"):
        IndependentSet([(0, 1)]).repair([1, 0, 1])
