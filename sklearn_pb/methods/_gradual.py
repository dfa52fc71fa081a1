"""Gradual pruning: cut a little, train, cut again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..schedules import CubicSparsity
from ..utils import check_number
from ._base import SearchSpace
from ._criteria import Criterion
from ._ranking import RankingMethod, RankingSearch


class Gradual(RankingMethod):
    """Cut a network little by little, by a criterion.

    Parameters
    ----------
    criterion : str or Criterion, default="l2"
        What is kept: "random", "l1", "l2", "lamp", "taylor", "snip", "fisher",
        "movement", or an object such as ``Taylor(power=2)``.
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
    equation (7.1). With the magnitudes of the weights it is `GradualMagnitude`.

    Examples
    --------
    >>> from sklearn_pb.methods import Gradual
    >>> Gradual("taylor", n_prunings=20)
    Gradual(criterion='taylor', n_prunings=20)
    """

    def __init__(
        self,
        criterion: str | Criterion = "l2",
        *,
        n_prunings: int = 100,
        schedule: Callable[[float], float] | None = None,
        regrow: bool = False,
    ) -> None:
        self.criterion = criterion
        self.n_prunings = n_prunings
        self.schedule = schedule
        self.regrow = regrow

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        super().check()
        check_number(self.n_prunings, "n_prunings", low=1, integer=True)
        if not isinstance(self.regrow, bool):
            raise TypeError(f"regrow={self.regrow!r} must be True or False.")
        self._check_schedule()

    def _check_schedule(self) -> None:
        if self.schedule is None:
            return
        if not callable(self.schedule):
            raise TypeError(
                f"schedule={self.schedule!r} must be None or a callable, such as "
                "sklearn_pb.schedules.CubicSparsity(1.0)."
            )
        for progress, low in ((0.0, 0), (0.5, 0), (1.0, 1)):
            value, name = self.schedule(progress), f"schedule({progress})"
            check_number(value, name, low=low, high=1)

    def start(self, space: SearchSpace) -> GradualSearch:
        """Begin a search."""
        return GradualSearch(space, self)


class GradualSearch(RankingSearch):
    """A run of `Gradual`.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with a sparsity, and weights if the criterion needs them.
    method : Gradual
        The hyperparameters.
    """

    def __init__(self, space: SearchSpace, method: Gradual) -> None:
        super().__init__(space, method, regrow=method.regrow)
        self._schedule = method.schedule or CubicSparsity(1.0)
        self._n_prunings = method.n_prunings
        self._done = 0

    def advance(self, progress: float) -> None:
        """Begin a step, with a cut if one is due."""
        super().advance(progress)
        due = int(progress * self._n_prunings)
        if due > self._done and self._ready():
            self._done = due
            fraction = self._schedule(due / self._n_prunings)
            self._cut(fraction, final=due == self._n_prunings)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with the cuts done."""
        return {**super().state_dict(), "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._done = state["done"]
