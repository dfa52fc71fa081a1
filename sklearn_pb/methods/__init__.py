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
from ._magnitude import GradualMagnitude, Magnitude
from ._monte_carlo import MonteCarlo
from ._one_shot import OneShot
from ._presets import PRESETS, resolve_method
from ._prob_mask import MJ, ProbMask
from ._relaxed import Relaxed
from ._sampled_masks import SampledMasks
from ._soft_mask import SoftMask, SoftStepNumbers
from ._straight_through import StraightThrough
from ._thresholded import Thresholded
from ._top_scores import TopScores
from ._two_temperature import TwoTemperature
from ._weights import Weights

__all__ = [
    "CRITERIA",
    "MJ",
    "PRESETS",
    "Continuation",
    "Criterion",
    "Fisher",
    "FixedMask",
    "Gradual",
    "GradualMagnitude",
    "L1Norm",
    "L2Norm",
    "Lamp",
    "LogitSearch",
    "Magnitude",
    "Method",
    "MonteCarlo",
    "Movement",
    "OneShot",
    "ProbMask",
    "RandomScores",
    "Relaxed",
    "SampledMasks",
    "Search",
    "SearchSpace",
    "Snip",
    "SoftMask",
    "SoftStepNumbers",
    "StraightThrough",
    "Taylor",
    "Thresholded",
    "TopScores",
    "TwoTemperature",
    "Weights",
    "redrawn",
    "resolve_criterion",
    "resolve_method",
]
