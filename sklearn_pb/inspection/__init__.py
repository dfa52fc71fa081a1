"""Reports and plots: what was pruned or quantized at what price, and noise."""

from ._bits_tradeoff import BitsTradeoffDisplay
from ._code_histogram import CodeHistogramDisplay
from ._gradient_variance import GradientVariance, gradient_variance
from ._layer_bits import LayerBitsDisplay
from ._layer_sparsity import LayerSparsityDisplay
from ._report_display import ReportDisplay
from ._sparsity_table import format_sparsity_table, sparsity_table
from ._ticket_curves import TicketCurve
from ._ticket_layers_display import TicketLayersDisplay
from ._tickets_display import TicketsDisplay
from ._tradeoff import TradeoffDisplay
from ._transfer_display import TransferDisplay
from ._true_gradient import GradientTrajectory, true_gradient_trajectory
from ._variance_display import VarianceDisplay

__all__ = [
    "BitsTradeoffDisplay",
    "CodeHistogramDisplay",
    "GradientTrajectory",
    "GradientVariance",
    "LayerBitsDisplay",
    "LayerSparsityDisplay",
    "ReportDisplay",
    "TicketCurve",
    "TicketLayersDisplay",
    "TicketsDisplay",
    "TradeoffDisplay",
    "TransferDisplay",
    "VarianceDisplay",
    "format_sparsity_table",
    "gradient_variance",
    "sparsity_table",
    "true_gradient_trajectory",
]
