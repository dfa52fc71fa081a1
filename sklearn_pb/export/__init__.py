"""Pruned networks as smaller and faster ones, and how much smaller and faster."""

from ._attention import CompactAttention
from ._channels import ChannelGroup, trace_channels
from ._compact import compact
from ._heads import trace_heads
from ._macs import LayerMacs, count_macs, weight_uses

__all__ = [
    "ChannelGroup",
    "CompactAttention",
    "LayerMacs",
    "compact",
    "count_macs",
    "trace_channels",
    "trace_heads",
    "weight_uses",
]
