from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import MaxCut, enumerate_points
from sklearn_pb.testing import check_function


def random_edges(rng, d):
    pairs = [pair for pair in combinations(range(d), 2) if rng.random() < 0.5]
    return [(i, j, int(rng.integers(-5, 6))) for i, j in pairs]


def costs_by_hand(edges, z):
    return -sum(weight for i, j, weight in edges if z[i] != z[j])


def test_costs_are_minus_the_cut():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        d = int(rng.integers(2, 7))
        edges = random_edges(rng, d)
        Z = next(enumerate_points(d, dtype=torch.float64))
        expected = [costs_by_hand(edges, z) for z in Z.tolist()]
        assert MaxCut(edges, n_nodes=d)(Z).tolist() == expected


def weights():
    W = np.array([[0, 3, 0, -1], [3, 0, 2, 0], [0, 2, 0, 0], [-1, 0, 0, 0]])
    return W, {(0, 1): 3, (1, 2): 2, (3, 0): -1}


FORMS = {
    "symmetric": lambda W, edges: W,
    "upper": lambda W, edges: np.triu(W),
    "lower": lambda W, edges: np.tril(W),
    "list of lists": lambda W, edges: W.tolist(),
    "tensor": lambda W, edges: torch.as_tensor(W),
    "sparse tensor": lambda W, edges: torch.as_tensor(W).double().to_sparse_coo(),
    "csr": lambda W, edges: sparse.csr_array(W),
    "coo triangle": lambda W, edges: sparse.coo_matrix(np.triu(W)),
    "mapping": lambda W, edges: edges,
    "edges": lambda W, edges: [(i, j, w) for (i, j), w in edges.items()],
    "edges that add up": lambda W, edges: iter(
        [(0, 1, 1), (1, 0, 2.0), (2, 1), (1, 2), (0, 3, -1), (2, 2, 9)]
    ),
    "matrix with loops": lambda W, edges: W + np.diag([5, 0, 0, 1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_graph(form):
    W, edges = weights()
    J = MaxCut(FORMS[form](W, edges))
    assert torch.equal(J.Q.to_dense(), torch.as_tensor(W, dtype=torch.float64))
    assert J.linear.tolist() == (-W.sum(1)).tolist()
    assert J.constant == 0


def test_networkx_graphs():
    nx = pytest.importorskip("networkx")
    graph = nx.Graph()
    graph.add_weighted_edges_from([("a", "c", 3), ("c", "b", -2)])
    graph.add_edge("a", "b")
    graph.add_node("alone")
    J = MaxCut(graph)  # nodes: a, c, b, alone
    for bits in ([1, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0]):
        side = {node for node, bit in zip(graph.nodes, bits, strict=True) if bit}
        expected = -nx.cut_size(graph, side, weight="weight")
        assert J(torch.tensor([bits]).double()).item() == expected


def test_parallel_edges_of_a_multigraph_add_up():
    nx = pytest.importorskip("networkx")
    J = MaxCut(nx.MultiGraph([(0, 1), (0, 1), (1, 2)]))
    assert J(torch.tensor([[1.0, 0.0, 0.0]])).item() == -2


def test_contract():
    check_function(MaxCut(weights()[0]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0, 1], [2, 0]],), ValueError, "symmetric or triangular"),
        ((np.ones((2, 3)),), ValueError, r"square matrix, got shape \(2, 3\)"),
        ((np.full((2, 2), np.nan),), ValueError, "weights must be finite"),
        (([(0, 1), (1, 2)], 2), ValueError, r"\(1, 2\).*from 0 to 1"),
        (([(0, -1)],), ValueError, r"\(0, -1\).*numbered from 0"),
        (([(0, 1, 2, 3)],), ValueError, r"\(0, 1, 2, 3\); an edge is a tuple"),
        (([(0, 1, np.inf)],), ValueError, "the weight of the edge"),
        (([(0, "b")],), TypeError, "a node of the edge"),
        (([],), ValueError, "number of nodes of weights"),
        ((3,), TypeError, "a graph must be"),
    ],
)
def test_bad_graphs_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        MaxCut(*arguments)


def test_directed_graphs_are_refused():
    nx = pytest.importorskip("networkx")
    with pytest.raises(ValueError, match="directed graph"):
        MaxCut(nx.DiGraph([(0, 1)]))
