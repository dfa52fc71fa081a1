"""Constraints: how many ones a mask keeps, or what a one costs."""

from ._base import Constraint, ConstraintRun
from ._hardening import split_count, top_k_mask
from ._l0_penalty import L0Penalty, PenaltyState
from ._quota import CellQuota, MeasuredQuota, Quota

__all__ = [
    "CellQuota",
    "Constraint",
    "ConstraintRun",
    "L0Penalty",
    "MeasuredQuota",
    "PenaltyState",
    "Quota",
    "split_count",
    "top_k_mask",
]
