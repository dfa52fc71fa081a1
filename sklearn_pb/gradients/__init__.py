"""Gradient estimators of E[J(z)]: pure functions of (J, logits, stream)."""

from ._arms import arms
from ._base import GradientEstimate
from ._exact import exact
from ._loorf import loorf
from ._reinforce import reinforce
from ._straight_through import straight_through

ESTIMATORS = {
    "arms": arms,
    "exact": exact,
    "loorf": loorf,
    "reinforce": reinforce,
}

__all__ = [
    "ESTIMATORS",
    "GradientEstimate",
    "arms",
    "exact",
    "loorf",
    "reinforce",
    "straight_through",
]
