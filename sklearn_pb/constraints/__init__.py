"""Constraints on the mask: how many ones, and at what price."""

from ._l0_penalty import L0Penalty, PenaltyState

__all__ = ["L0Penalty", "PenaltyState"]
