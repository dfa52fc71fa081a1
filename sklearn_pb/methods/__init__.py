"""Methods: how a search over masks becomes training."""

from ._base import Method, Search, SearchSpace
from ._continuation import Continuation
from ._criteria import (
    CRITERIA,
    Criterion,
    Fisher,
    L1Norm,
    L2Norm,
    Lamp,
    Movement,
    RandomScores,
    Snip,
    Taylor,
    resolve_criterion,
)
from ._fixed import FixedMask, redrawn
from ._gradual import Gradual
from ._logit_search import LogitSearch
from ._monte_carlo import MonteCarlo
from ._one_shot import OneShot
from ._presets import PRESETS, resolve_method
from ._straight_through import StraightThrough
from ._weights import Weights

__all__ = [
    "CRITERIA",
    "PRESETS",
    "Continuation",
    "Criterion",
    "Fisher",
    "FixedMask",
    "Gradual",
    "L1Norm",
    "L2Norm",
    "Lamp",
    "LogitSearch",
    "Method",
    "MonteCarlo",
    "Movement",
    "OneShot",
    "RandomScores",
    "Search",
    "SearchSpace",
    "Snip",
    "StraightThrough",
    "Taylor",
    "Weights",
    "redrawn",
    "resolve_criterion",
    "resolve_method",
]
