"""Instance files: what they mean, round trips, what is said of broken ones."""

import gzip
import pickle
import re

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.exceptions import InstanceError
from sklearn_pb.functions import (
    BlackBoxFunction,
    IndependentSet,
    MaxCut,
    MaxSAT,
    QuadraticFunction,
    enumerate_points,
    from_qubo,
    load_instance,
    save_instance,
)

TRIANGLE = "3 3 stray\n1 2 4\n\n# a comment\n2 3\nc another\n1 3 -0.5\n"
QUBO = "4 4\n1 1 -2\n1 3 1.5\n2 2 3\n3 2 -1\n"
DWAVE = "c a comment\np qubo 0 4 2 2\n0 0 -2\n1 1 3\n0 2 3\n1 2 -2\n"
CNF = "c hello\np cnf 4  3 \n 1 -2 0 3\n4\n0\nc in between\n-1 0\n%\n0\n\n"
WCNF = "p wcnf 3 3 10\n10 1 2 0\n4 -1 0\n3 -2\n -3 0\n"
WCNF_2022 = "c no header\nh 1 2 0\n4 -1 0\n3 -2 -3 0\n"
GRAPH = "c path\np edge 4 2\ne 1 2\ne 3 2\n"


@pytest.fixture(name="write")
def make_write(tmp_path):
    def write(text, name):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def costs(J):
    return J(next(enumerate_points(J.n_variables, dtype=torch.float64))).tolist()


def violated(clauses, z):
    """Weight of the clauses (weight, literals) without a true literal."""
    return sum(w for w, c in clauses if not any(z[abs(i) - 1] == (i > 0) for i in c))


def points(d):
    return next(enumerate_points(d)).int().tolist()


def test_rudy(write):
    J = load_instance(write(TRIANGLE, "g.rud"))
    assert isinstance(J, MaxCut)
    assert costs(J) == costs(MaxCut([(0, 1, 4), (1, 2), (0, 2, -0.5)]))


def test_qubo_halves_are_doubled(write):
    J = load_instance(write(QUBO, "b.sparse"))
    terms = {(0, 0): -2, (0, 2): 3.0, (1, 1): 3, (1, 2): -2}
    assert costs(J) == costs(from_qubo(terms, 4))


def test_dwave_qubo(write):
    J = load_instance(write(DWAVE, "b.qubo"))
    assert costs(J) == costs(load_instance(write(QUBO, "c.qubo")))


def test_cnf(write):
    J = load_instance(write(CNF, "u.cnf"))
    clauses = [(1, [1, -2]), (1, [3, 4]), (1, [-1])]
    assert isinstance(J, MaxSAT)
    assert costs(J) == [violated(clauses, z) for z in points(4)]


@pytest.mark.parametrize("text", [WCNF, WCNF_2022])
def test_wcnf_hard_clauses_cost_more_than_all_soft_ones(write, text):
    J = load_instance(write(text, "u.wcnf"))
    soft = [(4, [-1]), (3, [-2, -3])]
    for z, cost in zip(points(3), costs(J), strict=True):
        if z[0] or z[1]:
            assert cost == violated(soft, z)
        else:
            assert cost > 7


def test_wcnf_without_a_top_has_no_hard_clauses(write):
    J = load_instance(write("p wcnf 2 2\n9 1 0\n2.5 -1 2 0\n", "u.wcnf"))
    clauses = [(9, [1]), (2.5, [-1, 2])]
    assert costs(J) == [violated(clauses, z) for z in points(2)]


@pytest.mark.parametrize(
    "edges", ["e 1 2\ne 3 2", "e 1 2\ne 2 1\ne 2 3\ne 3 2", "n 1 5\ne 2 1\ne 2 3"]
)
@pytest.mark.parametrize("kind", ["edge", "col"])
def test_graph(write, edges, kind):
    J = load_instance(write(f"p {kind} 4 2\n{edges}\n", "g.gph"))
    assert isinstance(J, IndependentSet)
    assert costs(J) == costs(IndependentSet([(0, 1), (1, 2)], n_nodes=4))


def test_graph_that_counts_both_directions(write):
    J = load_instance(write("p col 2 2\ne 1 2\ne 2 1\n", "g.col"))
    assert costs(J) == [0, -1, -1, -1]


@pytest.mark.parametrize("text", [DWAVE, CNF, WCNF, WCNF_2022, GRAPH])
def test_the_first_line_tells_the_format(write, text):
    assert load_instance(write(text, "instance.txt")).n_variables in (3, 4)


def test_the_first_line_counts_more_than_the_suffix(write):
    assert isinstance(load_instance(write(GRAPH, "graph.clq.cnf")), IndependentSet)


def test_the_format_may_be_given(write):
    path = write("2 1\n1 2 3\n", "instance")
    assert costs(load_instance(path, "rudy")) == [0, -3, -3, 0]
    assert costs(load_instance(str(path), "qubo")) == [0, 0, 0, 6]


def test_compressed_files_with_foreign_comments(tmp_path):
    path = tmp_path / "g.rud.gz"
    path.write_bytes(gzip.compress(b"# caf\xe9\n2 1\r\n1 2\r\n"))
    assert costs(load_instance(path)) == [0, -1, -1, 0]


def random_qubo(rng):
    d = int(rng.integers(1, 7))
    Q = np.where(rng.random((d, d)) < 0.6, rng.normal(size=(d, d)), 0)
    return QuadraticFunction(sparse.csr_array(Q))


def random_cut(rng):
    d = int(rng.integers(2, 7))
    return MaxCut(np.triu(rng.integers(-3, 4, (d, d)) / 8, 1))


def random_graph(rng):
    d = int(rng.integers(1, 7))
    return IndependentSet(np.triu(rng.random((d, d)) < 0.5, 1))


def random_clauses(rng, weighted):
    d = int(rng.integers(1, 6))
    lists = [
        [int(i) * int(rng.choice([-1, 1])) for i in rng.permutation(d)[:3] + 1]
        for _ in range(6)
    ]
    lists[0] = [d]
    if not weighted:
        return MaxSAT(lists, n_variables=d)
    weights = rng.integers(1, 9, 4) / rng.choice([1, 4])
    return MaxSAT(lists[:4], weights=weights.tolist(), hard=lists[4:], n_variables=d)


ROUND_TRIPS = {
    "rudy": random_cut,
    "qubo": random_qubo,
    "dwave-qubo": random_qubo,
    "cnf": lambda rng: random_clauses(rng, False),
    "wcnf": lambda rng: random_clauses(rng, True),
    "wcnf-2022": lambda rng: random_clauses(rng, True),
    "dimacs-graph": random_graph,
}


@pytest.mark.parametrize("format", ROUND_TRIPS)
def test_every_format_round_trips(tmp_path, format):
    for seed in range(25):
        J = ROUND_TRIPS[format](np.random.default_rng(seed))
        path = tmp_path / f"instance{seed}"
        save_instance(J, path, format)
        again = load_instance(path, format)
        assert again.n_variables == J.n_variables
        assert costs(again) == costs(J)
        save_instance(again, tmp_path / "again", format)
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_saved_by_suffix_and_compressed(tmp_path):
    J = MaxCut([(0, 1, 0.1)])
    save_instance(J, tmp_path / "g.mc.gz")
    assert (tmp_path / "g.mc.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert costs(load_instance(tmp_path / "g.mc.gz")) == costs(J)
    assert gzip.decompress((tmp_path / "g.mc.gz").read_bytes()) == b"2 1\n1 2 0.1\n"


BROKEN = {
    "empty": ("", "a.rud", 1, "empty"),
    "comments only": ("c nothing\n\n", "a.cnf", 1, "empty, or holds comments"),
    "rudy header": ("# hi\nn m\n", "a.rud", 2, "number of nodes must be an integer"),
    "rudy short header": ("3\n", "a.rud", 1, "number of edges is missing in '3'"),
    "rudy index": ("3 2\n1 2 1\n1 4 1\n", "a.rud", 3, "is 4, but must be from 1 to 3"),
    "rudy zero": ("3 1\n0 1\n", "a.rud", 2, "first index is 0"),
    "rudy number": ("3 1\n1 2 x\n", "a.rud", 2, "weight must be a number, got 'x'"),
    "rudy nan": ("3 1\n1 2 nan\n", "a.rud", 2, "weight must be finite, got 'nan'"),
    "rudy one end": ("3 1\n1\n", "a.rud", 2, "second index is missing"),
    "rudy too long": ("3 1\n1 2 3 4\n", "a.rud", 2, "at most 3"),
    "rudy count": (
        "\n3 3\n1 2\n1 3\n",
        "a.mc",
        2,
        "promises 3 edges, the file holds 2",
    ),
    "qubo index": ("2 1\n1 3 1\n", "a.sparse", 2, "second index is 3"),
    "qubo weight": ("2 1\n1 2\n", "a.sparse", 2, "weight is missing"),
    "qubo count": ("2 2\n1 2 1\n", "a.sparse", 1, "promises 2 entries"),
    "dwave index": ("p qubo 0 2 1 0\n2 2 1\n", "a.qubo", 2, "is 2, but must be from 0"),
    "dwave count": ("p qubo 0 2 1 0\n0 1 1\n", "a.qubo", 1, "1 diagonal entries"),
    "dwave couplers": ("p qubo 0 2 0 2\n0 1 1\n", "a.qubo", 1, "2 couplers"),
    "cnf no header": ("1 2 0\n", "a.cnf", 1, "expected 'p cnf"),
    "cnf literal": ("p cnf 2 1\nc\n1 -3 0\n", "a.cnf", 3, "literal is -3"),
    "cnf word": ("p cnf 2 1\n1 two 0\n", "a.cnf", 2, "must be an integer, got 'two'"),
    "cnf count": ("p cnf 2 2\n1 2 0\n", "a.cnf", 1, "promises 2 clauses"),
    "cnf no end": ("p cnf 2 1\n1 0\n2\n\n-1\n", "a.cnf", 3, "does not end with a 0"),
    "cnf no clause": ("p cnf 2 0\n", "a.cnf", 1, "no clause"),
    "wcnf weight": ("p wcnf 2 1 9\n-1 1 0\n", "a.wcnf", 2, "weight .* -1"),
    "wcnf word": ("p wcnf 2 1 9\nx 1 0\n", "a.wcnf", 2, "must be a number, got 'x'"),
    "wcnf literal": ("p wcnf 2 1 9\n9 1\n3 0\n", "a.wcnf", 3, "literal is 3"),
    "wcnf count": ("p wcnf 2 3 9\n9 1 0\n", "a.wcnf", 1, "promises 3 clauses"),
    "wcnf no end": ("h 1 0\n1 2\n", "a.wcnf", 2, "does not end with a 0"),
    "wcnf no variable": ("h 0\n3 0\n", "a.wcnf", 1, "no variable"),
    "graph no header": ("e 1 2\n", "a.gph", 1, "expected 'p edge n m'"),
    "graph index": ("p edge 2 1\ne 1 3\n", "a.gph", 2, "second node is 3"),
    "graph loop": ("p edge 2 1\ne 1 1\n", "a.gph", 2, "is a loop"),
    "graph word": ("p edge 2 1\nf 1 2\n", "a.gph", 2, "expected an edge"),
    "graph count": ("p edge 3 5\ne 1 2\n", "a.gph", 1, "promises 5 edges"),
    "no format": ("\n3 1\n1 2\n", "a.txt", 2, "does not tell the format"),
}


@pytest.mark.parametrize(
    ("text", "name", "line", "problem"), BROKEN.values(), ids=BROKEN
)
def test_broken_files_name_the_line(write, text, name, line, problem):
    path = write(text, name)
    with pytest.raises(InstanceError, match=problem) as caught:
        load_instance(path)
    assert caught.value.line == line
    assert caught.value.path == str(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


def test_errors_are_value_errors_and_travel_between_processes():
    error = pickle.loads(pickle.dumps(InstanceError("a.cnf", 3, "wrong.")))
    assert isinstance(error, ValueError)
    assert str(error) == "a.cnf, line 3: wrong."
    assert str(InstanceError("a.cnf", None, "wrong.")) == "a.cnf: wrong."


def test_formats_are_named(write):
    with pytest.raises(ValueError, match=r"format='ising' is unknown.*rudy"):
        load_instance(write(GRAPH, "a.gph"), "ising")
    with pytest.raises(ValueError, match="names no format"):
        save_instance(MaxCut([(0, 1)]), "a.txt")


@pytest.mark.parametrize(
    ("J", "format", "message"),
    [
        (from_qubo({(0, 1): 1.0}), "rudy", "holds maximum cuts only"),
        (from_qubo({(0, 1): 1.0}, constant=1), "qubo", "no place for the constant 1"),
        (from_qubo({(0, 1): 1.0}, constant=1), "dwave-qubo", "no place for"),
        (from_qubo({(0, 1): 1.0}), "dimacs-graph", "holds an IndependentSet"),
        (from_qubo({(0, 1): 1.0}), "cnf", "holds a MaxSAT"),
        (MaxSAT([[1]], weights=[2.0]), "cnf", "weights"),
        (MaxSAT([[1], [2]], n_variables=3), "wcnf-2022", "n_variables"),
        (BlackBoxFunction(torch.sum, 3), "qubo", "quadratic functions only"),
    ],
)
def test_functions_that_a_format_has_no_place_for(tmp_path, J, format, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        save_instance(J, tmp_path / "a", format)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("keep", [12, 25, -4])
def test_a_broken_compressed_file_is_refused(tmp_path, keep):
    path = tmp_path / "g.cnf.gz"
    path.write_bytes(gzip.compress(CNF.encode())[:keep])
    with pytest.raises(InstanceError, match="what is compressed is broken"):
        load_instance(path)
