"""Pseudo-Boolean optimisation at the size of a neural network, for scikit-learn."""

from ._version import __version__
from .budget import Budget
from .estimators import MaskPruner

__all__ = ["Budget", "MaskPruner", "__version__"]
