"""The scikit-learn estimators."""

from ._fit_to_sparsity import fit_to_sparsity
from ._mask_pruner import MaskPruner
from ._mixed_precision_quantizer import MixedPrecisionQuantizer
from ._network_estimator import NetworkEstimator
from ._pb_minimizer import PBMinimizer
from ._sparse_ticket_finder import SparseTicketFinder
from ._transfer import transfer_architecture

__all__ = [
    "MaskPruner",
    "MixedPrecisionQuantizer",
    "NetworkEstimator",
    "PBMinimizer",
    "SparseTicketFinder",
    "fit_to_sparsity",
    "transfer_architecture",
]
