"""DIMACS graphs as maximum independent sets."""

from __future__ import annotations

from collections.abc import Iterator

from scipy import sparse

from .._base import PseudoBooleanFunction
from .._independent_set import IndependentSet
from ._text import InstanceFormat, Line

_KINDS = ("edge", "edges", "col", "graph")


def _read(header: Line, rest: Iterator[Line]) -> IndependentSet:
    """``p edge n m``, then lines ``e i j``, from 1. Lines ``n i value`` are ignored."""
    if not _marks(header):
        header.fail("expected 'p edge n m' before anything else.")
    n = header.integer(2, "the number of nodes", 1)
    m = header.integer(3, "the number of edges", 0)
    edges = [_edge(line, n) for line in rest if line.tokens[0] != "n"]
    distinct = {(min(edge), max(edge)) for edge in edges}
    # Some files give every edge in both directions, and count it once or twice.
    if m not in (len(edges), len(distinct), 2 * len(distinct)):
        header.fail(f"the header promises {m} edges, the file holds {len(edges)}.")
    return IndependentSet(sorted(distinct), n_nodes=n)


def _edge(line: Line, n: int) -> tuple[int, int]:
    if line.tokens[0] != "e":
        line.fail(f"expected an edge 'e i j', got {' '.join(line.tokens)!r}.")
    line.ends_after(4)  # some graphs have weights, which do not matter
    i = line.integer(1, "the first node", 1, n)
    j = line.integer(2, "the second node", 1, n)
    if i == j:
        line.fail(f"the edge 'e {i} {j}' is a loop; an independent set has none.")
    return i - 1, j - 1


def _write(function: PseudoBooleanFunction) -> Iterator[str]:
    if not isinstance(function, IndependentSet):
        raise ValueError(
            "the format 'dimacs-graph' holds an IndependentSet, not "
            f"{type(function).__name__}."
        )
    half = sparse.coo_array(sparse.triu(function._flip_terms.twice, 1))
    yield f"p edge {function.n_variables} {half.nnz}"
    for i, j in zip(half.row, half.col, strict=True):
        yield f"e {i + 1} {j + 1}"


def _marks(line: Line) -> bool:
    return line.tokens[0] == "p" and any(kind in _KINDS for kind in line.tokens[1:2])


DIMACS_GRAPH = InstanceFormat(
    "dimacs-graph",
    (".gph", ".col", ".clq", ".mis", ".graph", ".dimacs"),
    _marks,
    _read,
    _write,
)
