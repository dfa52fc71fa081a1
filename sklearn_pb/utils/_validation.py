"""Checks whose errors name the parameter, the value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real


def check_number(
    value: object,
    name: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
    integer: bool = False,
) -> None:
    """Raise unless a value is a finite number in a range.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    low, high : float, default=-inf, inf
        The range.
    low_open, high_open : bool, default=False
        Whether a bound itself is excluded.
    integer : bool, default=False
        Whether only integers are allowed.

    Raises
    ------
    TypeError
        If the value is not a number of the wanted kind.
    ValueError
        If it is outside the range, or not finite.
    """
    kind = Integral if integer else Real
    interval = (
        f"{'(' if low_open or low == -math.inf else '['}{low}, "
        f"{high}{')' if high_open or high == math.inf else ']'}"
    )
    allowed = f"{'an integer' if integer else 'a number'} in {interval}"
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"{name}={value!r} must be {allowed}.")
    number = float(value)
    inside = (number > low if low_open else number >= low) and (
        number < high if high_open else number <= high
    )
    if not (math.isfinite(number) and inside):
        raise ValueError(f"{name}={value!r} must be {allowed}.")


def check_choice(value: object, name: str, choices: Iterable[str]) -> None:
    """Raise unless a value is one of the choices.

    Parameters
    ----------
    value : object
        What was given.
    name : str
        The parameter it was given for.
    choices : iterable of str
        What is allowed.

    Raises
    ------
    ValueError
        If the value is none of them.
    """
    names = sorted(choices)
    if not isinstance(value, str) or value not in names:
        raise ValueError(
            f"{name}={value!r} is unknown; it must be one of {', '.join(names)}."
        )
