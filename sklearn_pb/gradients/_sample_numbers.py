"""Whether an estimator can work with the number of samples that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._base import GradientEstimate, traits_of


def check_n_samples(
    n_samples: Any, estimator: Callable[..., GradientEstimate], name: str
) -> None:
    """Raise if `n_samples` contradicts the traits of an estimator.

    Parameters
    ----------
    n_samples : int
        What was asked for.
    estimator : callable
        The estimator, with its traits.
    name : str
        How users call it.

    Raises
    ------
    TypeError
        If n_samples is no integer.
    ValueError
        If there are too few samples, or an odd number of what comes in pairs.
    """
    traits = traits_of(estimator)
    fewest, even = traits.fewest_samples, traits.even_samples
    allowed = f"{'even and ' if even else ''}at least {fewest}"
    if not isinstance(n_samples, (int, np.integer)):
        raise TypeError(
            f"n_samples={n_samples!r} is not an integer; for {name!r} it must be "
            f"{allowed}."
        )
    if n_samples < fewest:
        raise ValueError(
            f"n_samples={n_samples} is too small for {name!r}; it must be {allowed}."
        )
    if even and n_samples % 2:
        raise ValueError(
            f"n_samples={n_samples} is odd, but {name!r} evaluates pairs; it must be "
            f"{allowed}."
        )
