"""Reach a sparsity through a parameter that only influences it."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ..utils import check_number
from ._mask_pruner import MaskPruner


def fit_to_sparsity(
    pruner: MaskPruner,
    X: Any,
    y: Any,
    sparsity: float,
    *,
    parameter: str = "method__s_init",
    bounds: tuple[float, float] = (-1.0, 1.0),
    tolerance: float = 0.01,
    max_fits: int = 10,
) -> MaskPruner:
    """Fit a pruner again and again until it is as sparse as wanted by itself.

    A bisection over one parameter that changes the sparsity monotonically. Nothing is
    cut to a number of weights: what is found is a mask that the method itself would
    have ended with.

    Parameters
    ----------
    pruner : MaskPruner
        With ``sparsity=None`` and an object as method; it is not changed. Give it a
        fixed price, such as ``constraint=L0Penalty(1e-8)``, or the price follows the
        first slopes.
    X : array-like of shape (n, ...)
        Inputs.
    y : array-like of shape (n,)
        Labels or values.
    sparsity : float
        Fraction of zeros wanted, in (0, 1).
    parameter : str, default="method__s_init"
        What is varied: the start of the soft mask of continuation,
        "constraint__strength" or another one.
    bounds : tuple of (float, float), default=(-1.0, 1.0)
        Values of the parameter to search between; each end is fitted once.
    tolerance : float, default=0.01
        How far from `sparsity` is near enough.
    max_fits : int, default=10
        Number of fits at most, at least 2.

    Returns
    -------
    fitted : MaskPruner
        The fitted one that came nearest.

    Raises
    ------
    ValueError
        If the pruner already has a sparsity, or both bounds are on the same side of
        the one wanted.

    Warns
    -----
    ConvergenceWarning
        If no fit came within the tolerance.

    Notes
    -----
    Savarese (2025), section 4.4: the start s of the soft masks controls the sparsity
    of continuous sparsification, the lower the sparser.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_pb import MaskPruner
    >>> from sklearn_pb.constraints import L0Penalty
    >>> from sklearn_pb.estimators import fit_to_sparsity
    >>> from sklearn_pb.methods import Continuation
    >>> X, y = load_iris(return_X_y=True)
    >>> price = L0Penalty(1e-3)
    >>> pruner = MaskPruner(method=Continuation(), constraint=price, random_state=0)
    >>> fitted = fit_to_sparsity(pruner, X, y, 0.75, bounds=(-0.5, 0.5))
    >>> 0.74 <= fitted.sparsity_ <= 0.76
    True
    """
    _check(pruner, sparsity, bounds, tolerance, max_fits)
    _check_parameter(pruner, parameter)

    def fit(value: float) -> MaskPruner:
        return clone(pruner).set_params(**{parameter: value}).fit(X, y)

    low, high = sorted(bounds)
    ends = [fit(low), fit(high)]
    first, last = (end.sparsity_ for end in ends)
    if not min(first, last) - tolerance <= sparsity <= max(first, last) + tolerance:
        raise ValueError(
            f"bounds={bounds!r} of {parameter} give sparsities {first:.4f} and "
            f"{last:.4f}; sparsity={sparsity!r} must lie between them."
        )
    best = min(ends, key=lambda end: abs(end.sparsity_ - sparsity))
    for _ in range(max_fits - 2):
        if abs(best.sparsity_ - sparsity) <= tolerance:
            return best
        middle = (low + high) / 2
        fitted = fit(middle)
        best = min((best, fitted), key=lambda end: abs(end.sparsity_ - sparsity))
        if (fitted.sparsity_ < sparsity) == (first < last):
            low = middle
        else:
            high = middle
    if abs(best.sparsity_ - sparsity) > tolerance:
        warnings.warn(
            f"{max_fits} fits came to a sparsity of {best.sparsity_:.4f} at best, "
            f"{sparsity!r} was wanted; more fits or tighter bounds may help.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return best


def _check(
    pruner: MaskPruner,
    sparsity: float,
    bounds: tuple[float, float],
    tolerance: float,
    max_fits: int,
) -> None:
    check_number(sparsity, "sparsity", low=0, high=1, low_open=True, high_open=True)
    check_number(tolerance, "tolerance", low=0, low_open=True)
    check_number(max_fits, "max_fits", low=2, integer=True)
    for bound in bounds:
        check_number(bound, "bounds")
    if pruner.sparsity is not None:
        raise ValueError(
            f"the pruner has sparsity={pruner.sparsity!r}, which it would be cut to; "
            "it must be None."
        )
    if getattr(pruner.constraint, "sparsity", None) is not None:
        raise ValueError(
            f"constraint={pruner.constraint!r} has a sparsity of its own, which the "
            "mask would be cut to; it must be without."
        )


def _check_parameter(pruner: MaskPruner, parameter: str) -> None:
    if parameter not in pruner.get_params():
        raise ValueError(
            f"parameter={parameter!r} is none of the pruner's; parameters of a method "
            "or constraint need it to be an object, such as method=Continuation()."
        )
    if pruner.checkpoint is not None:
        raise ValueError(
            f"checkpoint={pruner.checkpoint!r} is for one run, and here are several; "
            "it must be None."
        )
