"""Gradient estimators of E[J(z)]: pure functions of (J, logits, stream)."""

from collections.abc import Callable

from ._arm import arm
from ._arms import arms
from ._arms_gaussian import arms_gaussian
from ._base import GradientEstimate, Traits, traits_of, with_traits
from ._beta_star import beta_star
from ._control_variate import ControlVariate, EstimatorRun, LearnedEstimator
from ._disarm import disarm
from ._double_control_variate import (
    DoubleControlVariate,
    double_control_variate,
    shrunk_double_control_variate,
)
from ._exact import exact
from ._loorf import loorf
from ._muprop import muprop
from ._pathwise import Pathwise, concrete, hard_concrete
from ._rebar import Rebar, rebar
from ._reinforce import reinforce
from ._relax import Relax, relax
from ._straight_through import straight_through

ESTIMATORS: dict[str, Callable[..., GradientEstimate]] = {
    "arm": arm,
    "arms": arms,
    "arms-gaussian": arms_gaussian,
    "beta-star": beta_star,
    "concrete": concrete,
    "disarm": disarm,
    "double-cv": double_control_variate,
    "double-cv-shrunk": shrunk_double_control_variate,
    "exact": exact,
    "hard-concrete": hard_concrete,
    "loorf": loorf,
    "muprop": muprop,
    "rebar": rebar,
    "reinforce": reinforce,
    "relax": relax,
}

__all__ = [
    "ESTIMATORS",
    "ControlVariate",
    "DoubleControlVariate",
    "EstimatorRun",
    "GradientEstimate",
    "LearnedEstimator",
    "Pathwise",
    "Rebar",
    "Relax",
    "Traits",
    "arm",
    "arms",
    "arms_gaussian",
    "beta_star",
    "concrete",
    "disarm",
    "double_control_variate",
    "exact",
    "hard_concrete",
    "loorf",
    "muprop",
    "rebar",
    "reinforce",
    "relax",
    "shrunk_double_control_variate",
    "straight_through",
    "traits_of",
    "with_traits",
]
