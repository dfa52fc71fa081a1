"""The scikit-learn estimators."""

from ._mask_pruner import MaskPruner
from ._network_estimator import NetworkEstimator
from ._pb_minimizer import PBMinimizer

__all__ = ["MaskPruner", "NetworkEstimator", "PBMinimizer"]
