"""The scikit-learn estimators."""

from ._fit_to_sparsity import fit_to_sparsity
from ._mask_pruner import MaskPruner
from ._network_estimator import NetworkEstimator
from ._pb_minimizer import PBMinimizer
from ._transfer import transfer_architecture

__all__ = [
    "MaskPruner",
    "NetworkEstimator",
    "PBMinimizer",
    "fit_to_sparsity",
    "transfer_architecture",
]
