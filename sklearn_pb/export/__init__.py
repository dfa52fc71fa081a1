"""Pruned networks as smaller and faster ones, and how much smaller and faster."""

from ._channels import ChannelGroup, trace_channels
from ._heads import trace_heads
from ._macs import LayerMacs, count_macs, weight_uses

__all__ = [
    "ChannelGroup",
    "LayerMacs",
    "count_macs",
    "trace_channels",
    "trace_heads",
    "weight_uses",
]
