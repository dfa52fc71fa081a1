"""DIMACS clauses: cnf, and weighted partial wcnf with and without a header."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from .._base import PseudoBooleanFunction
from .._max_sat import MaxSAT
from ._text import InstanceFormat, Line, as_text, check_count, never

# The weight of a clause by its first token; None for a hard clause.
_WeightOf = Callable[[Line, int], "float | None"]
_Clause = tuple["float | None", list[int]]


def _read_cnf(header: Line, rest: Iterator[Line]) -> MaxSAT:
    """``p cnf n m``, then m clauses of literals, each ended by a 0."""
    if header.tokens[:2] != ["p", "cnf"]:
        header.fail("expected 'p cnf n m' before anything else.")
    n = header.integer(2, "the number of variables", 1)
    m = header.integer(3, "the number of clauses", 0)
    clauses = list(_clauses(rest, n, None))
    check_count(header, "clauses", m, len(clauses))
    return _function(header, clauses, n)


def _read_wcnf(header: Line, rest: Iterator[Line]) -> MaxSAT:
    """Clauses that begin with a weight, with ``p wcnf n m top`` before them or not.

    With a header, the weight `top` and more make a clause hard; without one, since
    2022, an "h" in its place.
    """
    if header.tokens[0] != "p":
        everything = itertools.chain([header], rest)
        return _function(header, list(_clauses(everything, None, _weight_or_h)), None)
    if header.tokens[:2] != ["p", "wcnf"]:
        header.fail("expected 'p wcnf n m top', or a clause.")
    n = header.integer(2, "the number of variables", 1)
    m = header.integer(3, "the number of clauses", 0)
    top = header.number_at(4, "the top weight") if len(header.tokens) > 4 else None

    def weight_of(line: Line, place: int) -> float | None:
        weight = _weight(line, place)
        return None if top is not None and weight >= top else weight

    clauses = list(_clauses(rest, n, weight_of))
    check_count(header, "clauses", m, len(clauses))
    return _function(header, clauses, n)


def _weight_or_h(line: Line, place: int) -> float | None:
    return None if line.tokens[place] == "h" else _weight(line, place)


def _weight(line: Line, place: int) -> float:
    weight = line.number_at(place, "the weight of a clause")
    if weight < 0:
        line.fail(f"the weight of a clause is {weight:g}, but must be at least 0.")
    return weight


def _clauses(
    lines: Iterable[Line], n: int | None, weight_of: _WeightOf | None
) -> Iterator[_Clause]:
    """Yield clauses, which may go over several lines or share one."""
    begun: Line | None = None
    weight: float | None = 1.0
    literals: list[int] = []
    for line in lines:
        for place in range(len(line.tokens)):
            if begun is None:
                begun, literals = line, []
                if weight_of is not None:
                    weight = weight_of(line, place)
                    continue
            literal = _literal(line, place, n)
            if literal:
                literals.append(literal)
            else:
                yield weight, literals
                begun = None
    if begun is not None:
        begun.fail("the clause that begins here does not end with a 0.")


def _literal(line: Line, place: int, n: int | None) -> int:
    largest = 2**31 - 1 if n is None else n
    return line.integer(place, "a literal", -largest, largest)


def _function(opening: Line, clauses: list[_Clause], n: int | None) -> MaxSAT:
    """The function of all clauses; without a header the largest literal counts."""
    if not clauses:
        opening.fail("there is no clause in the file.")
    if n is None and not any(literals for _, literals in clauses):
        opening.fail("there is no variable in the file.")
    soft = [(weight, literals) for weight, literals in clauses if weight is not None]
    return MaxSAT(
        [literals for _, literals in soft],
        [weight for weight, _ in soft],
        [literals for weight, literals in clauses if weight is None],
        n_variables=n,
    )


def _write_cnf(function: PseudoBooleanFunction) -> Iterator[str]:
    formula = _formula(function, "cnf")
    if len(formula.hard) or any(weight != 1 for weight in formula.weights):
        raise ValueError(
            "the format 'cnf' has no place for weights and hard clauses; save this "
            "MaxSAT as 'wcnf'."
        )
    yield f"p cnf {formula.n_variables} {len(formula.clauses)}"
    for literals in formula.clauses:
        yield _ended(literals)


def _write_wcnf(function: PseudoBooleanFunction) -> Iterator[str]:
    formula = _formula(function, "wcnf")
    weights = [float(weight) for weight in formula.weights]
    count = len(weights) + len(formula.hard)
    top = as_text(int(sum(weights)) + 1)
    yield f"p wcnf {formula.n_variables} {count} {top}"
    for literals in formula.hard:
        yield f"{top} {_ended(literals)}"
    for weight, literals in zip(weights, formula.clauses, strict=True):
        yield f"{as_text(weight)} {_ended(literals)}"


def _write_wcnf_2022(function: PseudoBooleanFunction) -> Iterator[str]:
    formula = _formula(function, "wcnf-2022")
    everything = [*formula.hard, *formula.clauses]
    largest = max((abs(i) for literals in everything for i in literals), default=0)
    if largest < formula.n_variables:
        raise ValueError(
            "the format 'wcnf-2022' ends at the largest literal: it has no place for "
            f"n_variables={formula.n_variables} where that is {largest}; use 'wcnf'."
        )
    for literals in formula.hard:
        yield f"h {_ended(literals)}"
    for weight, literals in zip(formula.weights, formula.clauses, strict=True):
        yield f"{as_text(float(weight))} {_ended(literals)}"


def _formula(function: PseudoBooleanFunction, name: str) -> MaxSAT:
    if not isinstance(function, MaxSAT):
        raise ValueError(
            f"the format {name!r} holds a MaxSAT, not {type(function).__name__}."
        )
    return function


def _ended(literals: Sequence[int]) -> str:
    return " ".join(map(str, [*literals, 0]))


def _is_cnf(line: Line) -> bool:
    return line.tokens[:2] == ["p", "cnf"]


def _is_wcnf(line: Line) -> bool:
    return line.tokens[0] == "h" or line.tokens[:2] == ["p", "wcnf"]


CNF = InstanceFormat("cnf", (".cnf",), _is_cnf, _read_cnf, _write_cnf)
WCNF = InstanceFormat("wcnf", (".wcnf",), _is_wcnf, _read_wcnf, _write_wcnf)
WCNF_2022 = InstanceFormat("wcnf-2022", (), never, _read_wcnf, _write_wcnf_2022)
