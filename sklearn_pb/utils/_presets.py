"""From a name or an object that a user gives to a checked object of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sklearn.base import clone

from ._validation import check_choice


def resolve_preset(
    value: Any,
    name: str,
    presets: Mapping[str, Callable[[], Any]],
    kind: type,
    room: str,
) -> Any:
    """Return a checked object for the name of a preset or an object.

    Parameters
    ----------
    value : object
        What the user gave.
    name : str
        The parameter, for messages.
    presets : mapping of str to callable
        What makes the object of each name.
    kind : type
        The class of objects, which have `check`.
    room : str
        Where they can be found, for messages.

    Returns
    -------
    resolved : object of `kind`
        A new object; the one given is not changed.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is neither a string nor such an object.
    """
    if isinstance(value, str):
        check_choice(value, name, presets)
        resolved = presets[value]()
    elif isinstance(value, kind):
        resolved = clone(value)
    else:
        raise TypeError(f"{name}={value!r} must be a string or an object of {room}.")
    resolved.check()
    return resolved
