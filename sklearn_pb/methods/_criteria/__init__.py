"""Criteria: which variables deserve to be kept."""

from __future__ import annotations

from collections.abc import Callable

from ...utils import check_choice
from ._base import Criterion, RunningMean
from ._norms import L1Norm, L2Norm, Lamp
from ._random_scores import RandomScores
from ._slopes import Fisher, Movement, Snip, Taylor

CRITERIA: dict[str, Callable[[], Criterion]] = {
    "fisher": Fisher,
    "l1": L1Norm,
    "l2": L2Norm,
    "lamp": Lamp,
    "movement": Movement,
    "random": RandomScores,
    "snip": Snip,
    "taylor": Taylor,
}

__all__ = [
    "CRITERIA",
    "Criterion",
    "Fisher",
    "L1Norm",
    "L2Norm",
    "Lamp",
    "Movement",
    "RandomScores",
    "RunningMean",
    "Snip",
    "Taylor",
    "resolve_criterion",
]


def resolve_criterion(criterion: str | Criterion) -> Criterion:
    """Return a checked criterion for a string or an object.

    Parameters
    ----------
    criterion : str or Criterion
        A name of `CRITERIA`, or an object of `sklearn_pb.methods`.

    Returns
    -------
    criterion : Criterion
        A new object for a name, else the one given.

    Raises
    ------
    ValueError
        If the name is unknown or a setting is out of its range.
    TypeError
        If it is neither a string nor a criterion.
    """
    if isinstance(criterion, str):
        check_choice(criterion, "criterion", CRITERIA)
        return CRITERIA[criterion]()
    if not isinstance(criterion, Criterion):
        raise TypeError(
            f"criterion={criterion!r} must be a string or a Criterion, such as "
            "sklearn_pb.methods.Taylor()."
        )
    criterion.check()
    return criterion
