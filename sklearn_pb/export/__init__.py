"""Pruned networks as smaller and faster ones, and how much smaller and faster."""

from ._macs import LayerMacs, count_macs, weight_uses

__all__ = [
    "LayerMacs",
    "count_macs",
    "weight_uses",
]
