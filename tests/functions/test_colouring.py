import numpy as np
import pytest
from scipy import sparse

from sklearn_pb.functions._colouring import colour_classes


def random_graph(d, n_edges, seed):
    rng = np.random.default_rng(seed)
    ends = rng.integers(d, size=(2, n_edges))
    half = sparse.csr_array((np.ones(n_edges), tuple(ends)), shape=(d, d))
    return sparse.csr_array(half + half.T)


@pytest.mark.parametrize(
    "d, n_edges", [(1, 0), (6, 0), (6, 5), (50, 100), (50, 900), (3000, 9000)]
)
@pytest.mark.parametrize("seed", range(3))
def test_classes_are_a_partition_without_edges(d, n_edges, seed):
    graph = random_graph(d, n_edges, seed)
    classes = colour_classes(graph.indptr, graph.indices)
    assert sorted(np.concatenate(classes).tolist()) == list(range(d))
    for nodes in classes:
        inner = graph[nodes][:, nodes].tocoo()
        assert (inner.row == inner.col).all()  # loops do not count
    degrees = np.diff(graph.indptr)
    assert len(classes) <= degrees.max() + 1


def test_a_star_takes_two_and_a_complete_graph_one_each():
    star = sparse.csr_array(np.eye(1, 6).T @ np.ones((1, 6)))
    star = sparse.csr_array(star + star.T)
    classes = colour_classes(star.indptr, star.indices)
    assert [nodes.tolist() for nodes in classes] == [[0], [1, 2, 3, 4, 5]]
    complete = sparse.csr_array(np.ones((4, 4)) - np.eye(4))
    assert len(colour_classes(complete.indptr, complete.indices)) == 4


def test_an_even_cycle_takes_few_colours():
    d = 1000
    i = np.arange(d)
    ring = sparse.csr_array((np.ones(d), (i, (i + 1) % d)), shape=(d, d))
    ring = sparse.csr_array(ring + ring.T)
    assert len(colour_classes(ring.indptr, ring.indices)) <= 3


def test_very_many_nodes_are_coloured_at_once():
    graph = random_graph(140_000, 300_000, 0)
    classes = colour_classes(graph.indptr, graph.indices)
    assert np.array_equal(np.sort(np.concatenate(classes)), np.arange(140_000))
    colours = np.empty(140_000, int)
    for colour, nodes in enumerate(classes):
        colours[nodes] = colour
    edges = graph.tocoo()
    proper = colours[edges.row] != colours[edges.col]
    assert (proper | (edges.row == edges.col)).all()
    assert len(classes) < 12
    for colour in range(1, len(classes)):  # no node could have had a colour before
        seen = np.zeros(140_000, bool)
        seen[edges.row[colours[edges.col] == colour - 1]] = True
        assert seen[classes[colour]].all()
