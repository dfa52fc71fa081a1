"""Files of pairs and weights: rudy (max-cut), BiqMac and D-Wave QUBO."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from .._base import PseudoBooleanFunction
from .._max_cut import MaxCut
from .._quadratic import QuadraticFunction
from .._quadratic_terms import QuadraticTerms
from ._text import InstanceFormat, Line, as_text, check_count, never


def _read_rudy(header: Line, rest: Iterator[Line]) -> MaxCut:
    """``n m``, then m lines ``i j weight``, from 1; a weight that is missing is 1."""
    n = header.integer(0, "the number of nodes", 1)
    m = header.integer(1, "the number of edges", 0)
    edges = []
    for line in rest:
        line.ends_after(3)
        i, j = _pair(line, 0, n, 1)
        weight = line.number_at(2, "the weight") if len(line.tokens) > 2 else 1.0
        edges.append((i, j, weight))
    check_count(header, "edges", m, len(edges))
    return MaxCut(edges, n_nodes=n)


def _write_rudy(function: PseudoBooleanFunction) -> Iterator[str]:
    terms = _terms(function, "rudy")
    half = sparse.coo_array(sparse.triu(terms.twice, 1))
    degrees = np.asarray(terms.twice.sum(axis=1)).reshape(-1)
    if terms.constant != 0 or (terms.linear != -degrees / 2).any():
        raise ValueError(
            "the format 'rudy' holds maximum cuts only, such as MaxCut; save this "
            f"{type(function).__name__} as 'qubo'."
        )
    yield f"{len(terms.linear)} {half.nnz}"
    for i, j, twice in zip(half.row, half.col, half.data, strict=True):
        yield f"{i + 1} {j + 1} {as_text(twice / 2)}"


def _read_qubo(header: Line, rest: Iterator[Line]) -> QuadraticFunction:
    """``n nnz``, then lines ``i j q``, from 1: half of the symmetric matrix of z'qz."""
    n = header.integer(0, "the number of variables", 1)
    count = header.integer(1, "the number of entries", 0)
    entries = [_entry(line, n, 1) for line in rest]
    check_count(header, "entries", count, len(entries))
    return _from_entries(entries, n, off_diagonal=2.0)


def _write_qubo(function: PseudoBooleanFunction) -> Iterator[str]:
    terms = _without_constant(function, "qubo")
    half = sparse.coo_array(sparse.triu(terms.twice, 1))
    diagonal = np.flatnonzero(terms.linear)
    yield f"{len(terms.linear)} {half.nnz + len(diagonal)}"
    for i in diagonal:
        yield f"{i + 1} {i + 1} {as_text(terms.linear[i])}"
    for i, j, twice in zip(half.row, half.col, half.data, strict=True):
        yield f"{i + 1} {j + 1} {as_text(twice / 2)}"


def _read_dwave(header: Line, rest: Iterator[Line]) -> QuadraticFunction:
    """``p qubo 0 n diagonals couplers``, then lines ``i j weight``, from 0."""
    if header.tokens[:2] != ["p", "qubo"]:
        header.fail("expected 'p qubo topology maxNodes nNodes nCouplers'.")
    n = header.integer(3, "the number of variables", 1)
    diagonals = header.integer(4, "the number of diagonal entries", 0)
    couplers = header.integer(5, "the number of couplers", 0)
    entries = [_entry(line, n, 0) for line in rest]
    found = sum(i == j for i, j, _ in entries)
    check_count(header, "diagonal entries", diagonals, found)
    check_count(header, "couplers", couplers, len(entries) - found)
    return _from_entries(entries, n, off_diagonal=1.0)


def _write_dwave(function: PseudoBooleanFunction) -> Iterator[str]:
    terms = _without_constant(function, "dwave-qubo")
    half = sparse.coo_array(sparse.triu(terms.twice, 1))
    diagonal = np.flatnonzero(terms.linear)
    yield f"p qubo 0 {len(terms.linear)} {len(diagonal)} {half.nnz}"
    for i in diagonal:
        yield f"{i} {i} {as_text(terms.linear[i])}"
    for i, j, twice in zip(half.row, half.col, half.data, strict=True):
        yield f"{i} {j} {as_text(twice)}"


def _entry(line: Line, n: int, first: int) -> tuple[int, int, float]:
    line.ends_after(3)
    return (*_pair(line, 0, n, first), line.number_at(2, "the weight"))


def _pair(line: Line, place: int, n: int, first: int) -> tuple[int, int]:
    """Two indices that the file counts from `first`, counted from 0."""
    low, high = first, n - 1 + first
    i = line.integer(place, "the first index", low, high)
    j = line.integer(place + 1, "the second index", low, high)
    return i - first, j - first


def _from_entries(
    entries: list[tuple[int, int, float]], n: int, off_diagonal: float
) -> QuadraticFunction:
    """The sum of entries, those of pairs times a factor."""
    i, j = np.array([entry[:2] for entry in entries], np.int64).reshape(-1, 2).T
    data = np.array([entry[2] for entry in entries], np.float64)
    data[i != j] *= off_diagonal
    return QuadraticFunction(sparse.coo_array((data, (i, j)), (n, n)))


def _terms(function: PseudoBooleanFunction, name: str) -> QuadraticTerms:
    to_quadratic = getattr(function, "to_quadratic", None)
    if to_quadratic is None:
        raise ValueError(
            f"the format {name!r} holds quadratic functions only, not "
            f"{type(function).__name__}."
        )
    quadratic: QuadraticFunction = to_quadratic()
    if quadratic.n_variables != function.n_variables:
        raise ValueError(
            f"the format {name!r} holds quadratic functions only; as one, this "
            f"{type(function).__name__} has more variables: save its to_quadratic()."
        )
    return quadratic._flip_terms


def _without_constant(function: PseudoBooleanFunction, name: str) -> QuadraticTerms:
    terms = _terms(function, name)
    if terms.constant != 0:
        raise ValueError(
            f"the format {name!r} has no place for the constant {terms.constant:g} of "
            f"this {type(function).__name__}; subtract it, and add it to costs later."
        )
    return terms


def _is_dwave(line: Line) -> bool:
    return line.tokens[:2] == ["p", "qubo"]


RUDY = InstanceFormat(
    "rudy", (".rud", ".rudy", ".mc", ".sg"), never, _read_rudy, _write_rudy
)
QUBO = InstanceFormat(
    "qubo", (".sparse", ".bq", ".qubo"), never, _read_qubo, _write_qubo
)
DWAVE_QUBO = InstanceFormat(
    "dwave-qubo", (".qubo",), _is_dwave, _read_dwave, _write_dwave
)
