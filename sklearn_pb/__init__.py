"""Pseudo-Boolean optimisation at the size of a neural network, for scikit-learn."""

from ._version import __version__
from .budget import Budget
from .estimators import (
    MaskPruner,
    MixedPrecisionQuantizer,
    PBMinimizer,
    SparseTicketFinder,
)
from .solvers import minimize

__all__ = [
    "Budget",
    "MaskPruner",
    "MixedPrecisionQuantizer",
    "PBMinimizer",
    "SparseTicketFinder",
    "__version__",
    "minimize",
]
