"""Reports and plots: what was pruned at what price, and the noise of gradients."""

from ._gradient_variance import GradientVariance, gradient_variance
from ._layer_sparsity import LayerSparsityDisplay
from ._report_display import ReportDisplay
from ._sparsity_table import format_sparsity_table, sparsity_table
from ._tradeoff import TradeoffDisplay
from ._transfer_display import TransferDisplay
from ._true_gradient import GradientTrajectory, true_gradient_trajectory
from ._variance_display import VarianceDisplay

__all__ = [
    "GradientTrajectory",
    "GradientVariance",
    "LayerSparsityDisplay",
    "ReportDisplay",
    "TradeoffDisplay",
    "TransferDisplay",
    "VarianceDisplay",
    "format_sparsity_table",
    "gradient_variance",
    "sparsity_table",
    "true_gradient_trajectory",
]
