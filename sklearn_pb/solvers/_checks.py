"""What is refused before a search begins: each check names both parties."""

from __future__ import annotations

from typing import Any

import torch

from ..budget import Budget
from ..constraints import L0Penalty
from ..functions import PseudoBooleanFunction
from ..gradients import ESTIMATORS, exact
from ..methods import PRESETS, Method
from ..utils import check_number

MOST_ENUMERABLE = 20


def check_fits(
    method: Method, given: Any, function: PseudoBooleanFunction, budget: Budget
) -> None:
    """Raise unless a method can minimise a function within a budget.

    Parameters
    ----------
    method : Method
        The method.
    given : str or Method
        How the user called it.
    function : PseudoBooleanFunction
        The function.
    budget : Budget
        The limits.

    Raises
    ------
    ValueError
        If the method needs something that the function does not have.
    """
    if method.needs_weights:
        raise ValueError(
            f"method={given!r} ranks the weights of a network, and a pseudo-Boolean "
            f"function has none; use one of {_presets(function.relaxable)}."
        )
    if method.needs_relaxable and not function.relaxable:
        raise ValueError(
            f"method={given!r} needs a cost that is differentiable on [0, 1]^d, and "
            f"{function._label} is not (relaxable=False); use one of "
            f"{_presets(False)}, or declare the function relaxable if it is."
        )
    if _enumerates(method):
        _check_enumerable(given, function.n_variables, budget)


def _presets(relaxable: bool) -> str:
    """Names of the methods that minimise a function."""
    methods = {name: make() for name, make in PRESETS.items()}
    return ", ".join(
        repr(name)
        for name, method in methods.items()
        if not method.needs_weights and (relaxable or not method.needs_relaxable)
    )


def _enumerates(method: Method) -> bool:
    gradient = getattr(method, "gradient", None)
    return gradient is exact or ESTIMATORS.get(str(gradient)) is exact


def _check_enumerable(given: Any, d: int, budget: Budget) -> None:
    if d > MOST_ENUMERABLE:
        raise ValueError(
            f"method={given!r} enumerates all 2^d points, and n_variables={d} is too "
            f"large for that: at most {MOST_ENUMERABLE}. Use 'loorf' or 'arms'."
        )
    for name in ("evaluations", "no_improvement"):
        limit = getattr(budget, name)
        if limit is not None and limit <= 2**d:
            raise ValueError(
                f"method={given!r} enumerates 2^{d} = {2**d} points in each step, and "
                f"Budget.{name}={limit} is not more than that. Use 'loorf' or 'arms', "
                "or raise the limit."
            )


def check_budget(budget: Budget | None, default: Budget) -> Budget:
    """Return a budget that makes sense, or raise.

    Parameters
    ----------
    budget : Budget or None
        What was asked for.
    default : Budget
        Stands in for None.

    Returns
    -------
    budget : Budget
        The limits.

    Raises
    ------
    TypeError
        If it is not a budget.
    """
    if budget is None:
        return default
    if not isinstance(budget, Budget):
        raise TypeError(
            f"budget={budget!r} must be a Budget or None, such as "
            "Budget(evaluations=1000)."
        )
    return budget.check()


def check_price(constraint: L0Penalty | None) -> float:
    """Return the price of a one, or raise if it is not known beforehand.

    Parameters
    ----------
    constraint : L0Penalty or None
        The constraint of a minimisation.

    Returns
    -------
    price : float
        0 without a constraint.

    Raises
    ------
    TypeError, ValueError
        If it is not an L0Penalty with a number as its strength.
    """
    if constraint is None:
        return 0.0
    if not isinstance(constraint, L0Penalty):
        raise TypeError(f"constraint={constraint!r} must be an L0Penalty or None.")
    if constraint.strength == "auto":
        raise ValueError(
            "L0Penalty.strength='auto' leaves open what is to be minimised; give a "
            "number, the price of a one in units of the cost."
        )
    check_number(constraint.strength, "L0Penalty.strength", low=0)
    return float(constraint.strength)


def check_device(device: torch.device | str) -> torch.device:
    """Return a device that exists, or raise.

    Parameters
    ----------
    device : torch.device or str
        What was asked for.

    Returns
    -------
    device : torch.device
        The same as an object.

    Raises
    ------
    ValueError
        If torch does not know it or the machine does not have it.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device={device!r} cannot be used: {error}") from error
    return torch.device(device)
