"""Reports and plots of what was pruned, and at what price."""

from ._layer_sparsity import LayerSparsityDisplay
from ._sparsity_table import format_sparsity_table, sparsity_table
from ._tradeoff import TradeoffDisplay

__all__ = [
    "LayerSparsityDisplay",
    "TradeoffDisplay",
    "format_sparsity_table",
    "sparsity_table",
]
