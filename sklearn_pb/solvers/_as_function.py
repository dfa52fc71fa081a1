"""A callable as a pseudo-Boolean function."""

from __future__ import annotations

from typing import Any

from ..functions import BlackBoxFunction, PseudoBooleanFunction


def as_function(function: Any, n_variables: int | None = None) -> PseudoBooleanFunction:
    """Return the pseudo-Boolean function that was given as one, or as a callable.

    Parameters
    ----------
    function : PseudoBooleanFunction or callable
        J. A callable is given a batch of points, a tensor (n, d) of zeros and ones,
        and returns their n costs.
    n_variables : int, default=None
        The number d of variables; needed for a callable only.

    Returns
    -------
    function : PseudoBooleanFunction
        The same, or a `BlackBoxFunction` of the callable.

    Raises
    ------
    ValueError
        If `n_variables` is missing, or is not that of the function.
    TypeError
        If it is neither of the two.
    """
    if isinstance(function, PseudoBooleanFunction):
        if n_variables not in (None, function.n_variables):
            raise ValueError(
                f"n_variables={n_variables!r} contradicts the function, a "
                f"{type(function).__name__} of {function.n_variables} variables; "
                "leave it out."
            )
        return function
    if hasattr(function, "bind"):
        raise TypeError(
            f"function={function!r} is an objective that needs data: pass "
            "function.bind(X, y), or use PBMinimizer."
        )
    if not callable(function):
        raise TypeError(
            f"function={function!r} must be a PseudoBooleanFunction or a callable; for "
            "a matrix give QuadraticFunction(matrix)."
        )
    if n_variables is None:
        raise ValueError(
            f"n_variables=None: a callable such as {function!r} does not say how many "
            "variables it has; give a positive integer."
        )
    return BlackBoxFunction(function, n_variables)
