"""Pruned networks as smaller and faster ones, and how much smaller and faster."""

from ._attention import CompactAttention
from ._channels import ChannelGroup, trace_channels
from ._compact import compact
from ._heads import trace_heads
from ._latency import Latency, measure_latency
from ._macs import LayerMacs, count_macs, sum_uses, weight_uses
from ._onnx import to_onnx
from ._onnx_integers import onnx_weight_bytes
from ._onnx_running import onnx_session
from ._packed import load_packed, packed_metadata, save_packed
from ._quantized_file import QuantizedFile, load_quantized, save_quantized
from ._quantized_onnx import QuantizedOnnx, to_quantized_onnx
from ._quantized_sizes import LayerSizes, QuantizedSizes, quantized_sizes
from ._report import report
from ._report_tables import LayerReport, NetworkReport, Report
from ._semi_structured import is_n_of_m, to_semi_structured
from ._sparse_layers import SparseConv, SparseLinear
from ._sparsify import LayoutChoice, layout_choices, sparsify

__all__ = [
    "ChannelGroup",
    "CompactAttention",
    "Latency",
    "LayerMacs",
    "LayerReport",
    "LayerSizes",
    "LayoutChoice",
    "NetworkReport",
    "QuantizedFile",
    "QuantizedOnnx",
    "QuantizedSizes",
    "Report",
    "SparseConv",
    "SparseLinear",
    "compact",
    "count_macs",
    "is_n_of_m",
    "layout_choices",
    "load_packed",
    "load_quantized",
    "measure_latency",
    "onnx_session",
    "onnx_weight_bytes",
    "packed_metadata",
    "quantized_sizes",
    "report",
    "save_packed",
    "save_quantized",
    "sparsify",
    "sum_uses",
    "to_onnx",
    "to_quantized_onnx",
    "to_semi_structured",
    "trace_channels",
    "trace_heads",
    "weight_uses",
]
