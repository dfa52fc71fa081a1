"""Constraints: how many ones a mask keeps, or what a one costs."""

from ._base import Constraint, ConstraintRun
from ._hardening import split_count, top_k_mask
from ._l0_penalty import L0Penalty, PenaltyState
from ._measured_quota import CostQuota, MeasuredQuota
from ._quadratic_pull import QuadraticPull
from ._quota import CellQuota, Quota
from ._simplex import project_capped_simplex
from ._sparsity_projection import SparsityProjection
from ._steering import steered_price
from ._velocity import velocity_multipliers
from ._velocity_constraint import VelocityConstraint

__all__ = [
    "CellQuota",
    "Constraint",
    "ConstraintRun",
    "CostQuota",
    "L0Penalty",
    "MeasuredQuota",
    "PenaltyState",
    "QuadraticPull",
    "Quota",
    "SparsityProjection",
    "VelocityConstraint",
    "project_capped_simplex",
    "split_count",
    "steered_price",
    "top_k_mask",
    "velocity_multipliers",
]
