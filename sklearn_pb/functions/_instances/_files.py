"""Load and save an instance, whatever its format."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import PurePath

from ...exceptions import InstanceError
from ...utils import check_choice
from .._base import PseudoBooleanFunction
from ._clause_files import CNF, WCNF, WCNF_2022
from ._graph_file import DIMACS_GRAPH
from ._quadratic_files import DWAVE_QUBO, QUBO, RUDY
from ._text import InstanceFormat, Line, lines_of

# In this order where a suffix has several.
_FORMATS: dict[str, InstanceFormat] = {
    item.name: item
    for item in (RUDY, QUBO, DWAVE_QUBO, CNF, WCNF, WCNF_2022, DIMACS_GRAPH)
}
_GZIP = b"\x1f\x8b"


def load_instance(
    path: str | os.PathLike, format: str | None = None
) -> PseudoBooleanFunction:
    """Return the function of an instance file.

    Parameters
    ----------
    path : str or path-like
        The file; it may be compressed by gzip.
    format : str, default=None
        "rudy" for a maximum cut, "qubo" for the sparse files of BiqMac, "dwave-qubo"
        for the text files of D-Wave's tools, "cnf" and "wcnf" for DIMACS clauses (the
        latter with and without a "p" line), "wcnf-2022" for the latter alone when it is
        written, "dimacs-graph" for the largest independent set of a graph. If None, the
        first line that is no comment tells, or else the suffix.

    Returns
    -------
    function : PseudoBooleanFunction
        `MaxCut`, `QuadraticFunction`, `MaxSAT` or `IndependentSet`.

    Raises
    ------
    InstanceError
        If the file is not what its format says: it names the line and what is wrong.
        Also if the format is not given and cannot be told.
    ValueError
        If `format` is unknown.

    Notes
    -----
    Blank lines and comments (after "c", "#" or "//") may stand anywhere, and words
    after the numbers of a header are ignored. Equal entries of a file add up; equal
    edges of a "dimacs-graph" count once.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_pb.functions import MaxCut, load_instance, save_instance
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "triangle.rud")
    ...     save_instance(MaxCut([(0, 1), (1, 2), (0, 2)]), path)
    ...     load_instance(path).n_variables
    3
    """
    name = os.fspath(path)
    if format is not None:
        check_choice(format, "format", _FORMATS)
    with open(name, "rb") as file:
        data = file.read()
    if data.startswith(_GZIP):
        data = _decompressed(data, name)
    # Comments may be in any encoding; whatever matters is ASCII.
    lines = lines_of(name, data.decode("utf-8-sig", errors="replace"))
    opening = next(lines, None)
    if opening is None:
        raise InstanceError(name, 1, "the file is empty, or holds comments only.")
    chosen = _guess(name, opening) if format is None else _FORMATS[format]
    return chosen.read(opening, lines)


def save_instance(
    function: PseudoBooleanFunction,
    path: str | os.PathLike,
    format: str | None = None,
) -> None:
    """Write a function to an instance file, from which it loads exactly.

    Parameters
    ----------
    function : PseudoBooleanFunction
        A function that the format has a place for.
    path : str or path-like
        The file; compressed if its name ends in ".gz".
    format : str, default=None
        As in `load_instance`; by the suffix if None.

    Raises
    ------
    ValueError
        If the format is unknown, or does not hold such a function.
    """
    name = os.fspath(path)
    if format is None:
        chosen = _by_suffix(name)
        if chosen is None:
            raise ValueError(f"the suffix of {name!r} names no format; {_ADVICE}")
    else:
        check_choice(format, "format", _FORMATS)
        chosen = _FORMATS[format]
    data = "".join(f"{line}\n" for line in chosen.write(function)).encode()
    with open(name, "wb") as file:
        file.write(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)


def _decompressed(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = f"what is compressed is broken ({error})."
        raise InstanceError(name, None, problem) from error


_ADVICE = f"give format, one of {', '.join(sorted(_FORMATS))}."


def _guess(name: str, opening: Line) -> InstanceFormat:
    for item in _FORMATS.values():
        if item.marks(opening):
            return item
    chosen = _by_suffix(name)
    if chosen is None:
        raise InstanceError(
            name,
            opening.number,
            f"{' '.join(opening.tokens)[:60]!r} does not tell the format, and the "
            f"suffix neither; {_ADVICE}",
        )
    return chosen


def _by_suffix(name: str) -> InstanceFormat | None:
    suffixes = PurePath(name).suffixes
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    last = suffixes[-1].lower() if suffixes else ""
    fitting = (item for item in _FORMATS.values() if last in item.suffixes)
    return next(fitting, None)
