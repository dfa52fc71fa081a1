"""What is refused before a search begins: each check names both parties."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..budget import Budget
from ..constraints import L0Penalty
from ..functions import PseudoBooleanFunction
from ..gradients import ESTIMATORS, traits_of
from ..methods import PRESETS, Method
from ..utils import check_number
from ._base import Solver


def check_fits(
    method: Method | Solver, given: Any, function: PseudoBooleanFunction
) -> None:
    """Raise unless a method can minimise a function.

    Parameters
    ----------
    method : Method or Solver
        The method.
    given : str, Method or Solver
        How the user called it.
    function : PseudoBooleanFunction
        The function.

    Raises
    ------
    ValueError
        If the method needs something that the function does not have.
    """
    if isinstance(method, Solver):
        method.check_fits(function)
        return
    if method.needs_weights:
        raise ValueError(
            f"method={given!r} ranks the weights of a network, and a pseudo-Boolean "
            f"function has none; use one of {_presets(function.relaxable)}."
        )
    if method.needs_sparsity:
        raise ValueError(
            f"method={given!r} keeps a number of ones that is fixed beforehand, and "
            "the points of a pseudo-Boolean function have as many as they like; use "
            f"one of {_presets(function.relaxable)}."
        )
    if method.needs_relaxable and not function.relaxable:
        raise ValueError(
            f"method={given!r} needs a cost that is differentiable on [0, 1]^d, and "
            f"{function._label} is not (relaxable=False); use one of "
            f"{_presets(False)}, or declare the function relaxable if it is."
        )
    most = _most_variables(method)
    if most is not None and function.n_variables > most:
        raise ValueError(
            f"method={given!r} enumerates all 2^d points, and n_variables="
            f"{function.n_variables} is too large for that: at most {most}. Use "
            "'loorf' or 'arms'."
        )


def _presets(relaxable: bool) -> str:
    """Names of the methods that minimise a function."""
    methods = {name: make() for name, make in PRESETS.items()}
    return ", ".join(
        repr(name)
        for name, method in methods.items()
        if not (method.needs_weights or method.needs_sparsity)
        and (relaxable or not method.needs_relaxable)
    )


def _most_variables(method: Method | Solver) -> int | None:
    gradient = getattr(method, "gradient", None)
    if gradient is None:
        return None
    return traits_of(ESTIMATORS.get(gradient, gradient)).most_variables


def check_enough(
    method: Method | Solver, given: Any, function: PseudoBooleanFunction, budget: Budget
) -> None:
    """Raise if a method that enumerates could not do so once within the budget.

    Parameters
    ----------
    method : Method or Solver
        The method; it fits the function.
    given : str, Method or Solver
        How the user called it.
    function : PseudoBooleanFunction
        The function.
    budget : Budget
        The limits.

    Raises
    ------
    ValueError
        If one step of the method is more than the budget allows.
    """
    if _most_variables(method) is None:
        return
    d = function.n_variables
    for name in ("evaluations", "no_improvement"):
        limit = getattr(budget, name)
        if limit is not None and limit <= 2**d:
            raise ValueError(
                f"method={given!r} enumerates 2^{d} = {2**d} points in each step, and "
                f"Budget.{name}={limit} is not more than that. Use 'loorf' or 'arms', "
                "or raise the limit."
            )


def check_initial(initial: Any, d: int) -> np.ndarray | None:
    """Return a warm start as probabilities, or raise.

    Parameters
    ----------
    initial : array-like of shape (d,) or None
        A solution (zeros and ones) or probabilities.
    d : int
        The number of variables.

    Returns
    -------
    probabilities : numpy.ndarray of float64, shape (d,), or None
        In [0, 1].

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is outside [0, 1].
    TypeError
        If it does not hold numbers.
    """
    if initial is None:
        return None
    try:
        theta = np.array(initial, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"initial={initial!r} must hold numbers in [0, 1].") from error
    if theta.shape != (d,):
        raise ValueError(
            f"initial has shape {theta.shape}, but the function has {d} variables: "
            f"give a solution or probabilities of shape ({d},)."
        )
    if not ((theta >= 0) & (theta <= 1)).all():
        raise ValueError(
            "initial must hold zeros and ones, or probabilities in [0, 1]; got values "
            f"from {theta.min()} to {theta.max()}."
        )
    return theta


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


def check_reports(callback: Any, verbose: Any) -> None:
    """Raise unless a callback can be called and a verbosity is a number.

    Parameters
    ----------
    callback : callable or None
        What is called with each record.
    verbose : int or bool
        How much is printed.

    Raises
    ------
    TypeError
        If one of them is something else.
    ValueError
        If `verbose` is negative.
    """
    if callback is not None and not callable(callback):
        raise TypeError(
            f"callback={callback!r} must be callable with the record of a step, or "
            "None."
        )
    if not isinstance(verbose, bool):
        check_number(verbose, "verbose", low=0, integer=True)


def check_n_jobs(n_jobs: Any) -> None:
    """Raise unless a number of workers is one.

    Parameters
    ----------
    n_jobs : int or None
        As joblib counts: -1 means all processors.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is 0.
    """
    if n_jobs is not None:
        check_number(n_jobs, "n_jobs", integer=True)
        if n_jobs == 0:
            raise ValueError("n_jobs=0 must be a positive integer, -1 or None.")
