"""Magnitude pruning: the baselines with the criterion that everybody means."""

from __future__ import annotations

from collections.abc import Callable

from ._gradual import Gradual
from ._one_shot import OneShot


class Magnitude(OneShot):
    """Keep the weights that are largest when the network is cut.

    `OneShot` with the criterion "l2": the absolute value of a single weight, the root
    mean square of a block, a channel or a head.

    Parameters
    ----------
    at : float, default=1.0
        When to cut, as the fraction of the search done, in [0, 1]: 1 is at its end, 0
        before any training.

    Notes
    -----
    Needs a sparsity. Train, cut, train on: Han et al. (2015), with one round.

    Examples
    --------
    >>> from sklearn_pb.methods import Magnitude
    >>> Magnitude(at=0.5)
    Magnitude(at=0.5)
    """

    criterion = "l2"

    def __init__(self, *, at: float = 1.0) -> None:
        self.at = at


class GradualMagnitude(Gradual):
    """Cut the smallest weights little by little: gradual magnitude pruning, GMP.

    `Gradual` with the criterion "l2": the absolute value of a single weight, the root
    mean square of a block, a channel or a head.

    Parameters
    ----------
    n_prunings : int, default=100
        Number of cuts spread over the search, the last one at its end.
    schedule : callable or None, default=None
        Maps the progress in [0, 1] to the part of the final zeros that is to be cut by
        then, in [0, 1], and 1 to 1; None is ``CubicSparsity(1.0)``, fast at first. See
        `sklearn_pb.schedules`.
    regrow : bool, default=False
        Whether what was cut competes again at the next cut. Otherwise a weight once
        cut stays cut.

    Notes
    -----
    Needs a sparsity. The cubic schedule is that of Zhu and Gupta (2017); Silva (2023),
    equation (7.1).

    Examples
    --------
    >>> from sklearn_pb.methods import GradualMagnitude
    >>> GradualMagnitude(n_prunings=20)
    GradualMagnitude(n_prunings=20)
    """

    criterion = "l2"

    def __init__(
        self,
        *,
        n_prunings: int = 100,
        schedule: Callable[[float], float] | None = None,
        regrow: bool = False,
    ) -> None:
        self.n_prunings = n_prunings
        self.schedule = schedule
        self.regrow = regrow
