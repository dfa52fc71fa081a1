"""Strings are shorthands for methods; here they are resolved, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..gradients import ESTIMATORS
from ..utils import resolve_preset
from ._base import Method
from ._continuation import Continuation
from ._gradual import Gradual
from ._magnitude import GradualMagnitude, Magnitude
from ._monte_carlo import MonteCarlo
from ._one_shot import OneShot
from ._prob_mask import MJ, ProbMask
from ._relaxed import Relaxed
from ._straight_through import StraightThrough
from ._thresholded import Thresholded
from ._top_scores import TopScores
from ._two_temperature import TwoTemperature

PRESETS: dict[str, Callable[[], Method]] = {
    **{name: partial(MonteCarlo, gradient=name) for name in ESTIMATORS},
    "concrete": partial(Relaxed, "concrete"),
    "continuation": Continuation,
    "continuous": Continuation,
    "edge-popup": TopScores,
    "fisher": partial(Gradual, "fisher"),
    "gmp": GradualMagnitude,
    "hard-concrete": partial(Relaxed, "hard-concrete"),
    "lamp": partial(OneShot, "lamp"),
    "magnitude": Magnitude,
    "magnitude-l1": partial(OneShot, "l1"),
    "mj": MJ,
    "piggyback": Thresholded,
    "probmask": ProbMask,
    "random": partial(OneShot, "random", at=0.0),
    "snip": partial(OneShot, "snip", at=0.0),
    "straight-through": StraightThrough,
    "taylor": partial(Gradual, "taylor"),
    "two-temperature": TwoTemperature,
}


def resolve_method(method: str | Method) -> Method:
    """Return a checked method of its own for a string or an object.

    Parameters
    ----------
    method : str or Method
        A preset's name, or an object of `sklearn_pb.methods`.

    Returns
    -------
    method : Method
        A new object; the one given is not changed.

    Raises
    ------
    ValueError
        If the name is unknown or a hyperparameter is out of its range.
    TypeError
        If it is neither a string nor a method.
    """
    return resolve_preset(method, "method", PRESETS, Method, "sklearn_pb.methods")
