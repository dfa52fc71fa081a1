"""What instance files share: lines of tokens, and errors that name the line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn

from ...exceptions import InstanceError
from .._base import PseudoBooleanFunction


@dataclass(slots=True)
class Line:
    """A line that is neither blank nor a comment.

    Parameters
    ----------
    path : str
        The file.
    number : int
        Counted from 1.
    tokens : list of str
        Its words.
    """

    path: str
    number: int
    tokens: list[str]

    def fail(self, problem: str) -> NoReturn:
        """Raise an error that names the file and this line.

        Parameters
        ----------
        problem : str
            What is wrong.
        """
        raise InstanceError(self.path, self.number, problem)

    def integer(self, place: int, what: str, low: int, high: int | None = None) -> int:
        """Return a token as an integer in a range.

        Parameters
        ----------
        place : int
            Which token.
        what : str
            What it is, for the error.
        low, high : int
            The range; no upper end if None.

        Returns
        -------
        value : int
            The integer.
        """
        token = self.token(place, what)
        try:
            value = int(token)
        except ValueError:
            self.fail(f"{what} must be an integer, got {token!r}.")
        if value < low or (high is not None and value > high):
            allowed = f"at least {low}" if high is None else f"from {low} to {high}"
            self.fail(f"{what} is {value}, but must be {allowed}.")
        return value

    def number_at(self, place: int, what: str) -> float:
        """Return a token as a finite number.

        Parameters
        ----------
        place : int
            Which token.
        what : str
            What it is, for the error.

        Returns
        -------
        value : float
            The number.
        """
        token = self.token(place, what)
        try:
            value = float(token)
        except ValueError:
            self.fail(f"{what} must be a number, got {token!r}.")
        if not math.isfinite(value):
            self.fail(f"{what} must be finite, got {token!r}.")
        return value

    def token(self, place: int, what: str) -> str:
        """Return a token, or raise that it is missing.

        Parameters
        ----------
        place : int
            Which token.
        what : str
            What it is, for the error.

        Returns
        -------
        token : str
            The word.
        """
        if place >= len(self.tokens):
            self.fail(f"{what} is missing in {' '.join(self.tokens)!r}.")
        return self.tokens[place]

    def ends_after(self, count: int) -> None:
        """Raise if there are more tokens than expected.

        Parameters
        ----------
        count : int
            The most that are allowed.
        """
        if len(self.tokens) > count:
            self.fail(
                f"{' '.join(self.tokens)!r} has {len(self.tokens)} entries, expected "
                f"at most {count}."
            )


@dataclass(frozen=True)
class InstanceFormat:
    """A file format.

    Parameters
    ----------
    name : str
        What users call it.
    suffixes : tuple of str
        Ends of file names that suggest it.
    marks : callable
        Whether the first line that is no comment shows that a file has this format.
    read : callable
        Makes a function of the first line and an iterator over the others.
    write : callable
        Gives the lines of a function; raises a ValueError if it has none.
    """

    name: str
    suffixes: tuple[str, ...]
    marks: Callable[[Line], bool]
    read: Callable[[Line, Iterator[Line]], PseudoBooleanFunction]
    write: Callable[[PseudoBooleanFunction], Iterable[str]]


# What comments begin with: DIMACS "c" as a word of its own, others as a sign.
_SIGNS = ("#", "//", "%")


def lines_of(path: str, text: str) -> Iterator[Line]:
    """Yield the lines of a text that are neither blank nor comments.

    Parameters
    ----------
    path : str
        The file.
    text : str
        All of it. A line that begins with "%" ends it, if it is a word of its own as
        in the files of SATLIB; else it is a comment, as after "#", "//" and "c".

    Yields
    ------
    line : Line
        In order.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        tokens = line.split()
        if tokens == ["%"]:
            return
        if tokens and tokens[0] != "c" and not tokens[0].startswith(_SIGNS):
            yield Line(path, number, tokens)


def never(line: Line) -> bool:
    """Return False: the first line does not show the format.

    Parameters
    ----------
    line : Line
        The first line.

    Returns
    -------
    marked : bool
        False.
    """
    return False


def as_text(value: float) -> str:
    """Return the shortest text that reads as the same number.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    text : str
        Without a fraction if it is an integer.
    """
    return str(int(value)) if value == int(value) else repr(float(value))


def check_count(header: Line, what: str, promised: int, found: int) -> None:
    """Raise if a file does not hold as many entries as its header says.

    Parameters
    ----------
    header : Line
        The line that says it.
    what : str
        What is counted.
    promised, found : int
        How many.
    """
    if promised != found:
        header.fail(f"the header promises {promised} {what}, the file holds {found}.")
