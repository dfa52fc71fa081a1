"""Methods: how a search over masks becomes training."""

from ._base import Method, Search, SearchSpace
from ._continuation import Continuation
from ._logit_search import LogitSearch
from ._magnitude import GradualMagnitude, Magnitude
from ._monte_carlo import MonteCarlo
from ._presets import PRESETS, resolve_method
from ._straight_through import StraightThrough
from ._weights import Weights

__all__ = [
    "PRESETS",
    "Continuation",
    "GradualMagnitude",
    "LogitSearch",
    "Magnitude",
    "Method",
    "MonteCarlo",
    "Search",
    "SearchSpace",
    "StraightThrough",
    "Weights",
    "resolve_method",
]
