"""Codes in the integer types of ONNX, which have 2, 4, 8 or 16 bits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..exceptions import ExportError
from ..quantizers import QuantizedTensor


@dataclass(frozen=True)
class IntegerType:
    """A signed integer type of ONNX.

    Parameters
    ----------
    name : str
        As in ``onnx.TensorProto``.
    bits : int
        Of one number.
    opset : int
        The first version of the operators in which DequantizeLinear takes it.
    """

    name: str
    bits: int
    opset: int

    def holds(self, low: int, high: int) -> bool:
        """Return whether numbers from `low` to `high` can be written."""
        end = 1 << (self.bits - 1)
        return -end <= low and high < end

    def packed(self, codes: np.ndarray) -> bytes:
        """Return numbers as ONNX stores them, the first in a byte's lowest bits."""
        flat = codes.reshape(-1)
        if self.bits >= 8:
            return flat.astype(f"<i{self.bits // 8}").tobytes()
        per_byte = 8 // self.bits
        fields = np.zeros(-(-flat.size // per_byte) * per_byte, dtype=np.uint8)
        fields[: flat.size] = flat & ((1 << self.bits) - 1)
        shifts = self.bits * np.arange(per_byte, dtype=np.uint8)
        shifted = fields.reshape(-1, per_byte) << shifts
        return np.bitwise_or.reduce(shifted, axis=1).astype(np.uint8).tobytes()


TYPES = (
    IntegerType("INT2", 2, 25),
    IntegerType("INT4", 4, 21),
    IntegerType("INT8", 8, 13),
    IntegerType("INT16", 16, 21),
)


def integer_type(quantized: QuantizedTensor) -> IntegerType | None:
    """Return the narrowest type that codes fit into and that runs here.

    Parameters
    ----------
    quantized : QuantizedTensor
        The codes.

    Returns
    -------
    integer : IntegerType or None
        None if there are no codes, or some need more than 16 bits. INT2 only where
        onnxruntime is installed and runs it.
    """
    codes = quantized.codes
    if not codes.numel():
        return None
    low, high = int(codes.min()), int(codes.max())
    for integer in TYPES:
        if integer.holds(low, high) and (integer.bits > 2 or runs_int2()):
            return integer
    return None


def onnx_weight_bytes(quantized: Mapping[str, QuantizedTensor]) -> int:
    """Return how many bytes codes and steps take in an ONNX file.

    Each tensor is stored in the narrowest of INT2, INT4, INT8 and INT16 that holds all
    of its codes; what does not fit stays in float32. INT2, which onnxruntime has had
    since operators of version 25, is used only where the installed onnx and onnxruntime
    run it, and INT4 in its place elsewhere.

    Parameters
    ----------
    quantized : mapping of str to QuantizedTensor
        The quantized weights by parameter name.

    Returns
    -------
    n_bytes : int
        Without the rest of the file: its graph, names and other parameters.

    See Also
    --------
    to_quantized_onnx : Writes the file.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import onnx_weight_bytes
    >>> from sklearn_pb.quantizers import QuantizedTensor
    >>> codes = torch.tensor([[-7, 1, 3], [5, 0, 7]], dtype=torch.int32)
    >>> bits = torch.tensor(3, dtype=torch.uint8)
    >>> weight = QuantizedTensor(codes, torch.tensor(0.25), bits)
    >>> onnx_weight_bytes({"weight": weight})  # six of 4 bits, and a float
    7
    """
    total = 0
    for weight in quantized.values():
        integer = integer_type(weight)
        if integer is None:
            total += 4 * weight.codes.numel()
        else:
            total += -(-weight.codes.numel() * integer.bits // 8)
            total += 4 * weight.step.numel()
    return total


def axis_of_step(name: str, quantized: QuantizedTensor) -> int | None:
    """Return the axis that steps vary along.

    Parameters
    ----------
    name : str
        The parameter, for the error.
    quantized : QuantizedTensor
        The codes with their steps.

    Returns
    -------
    axis : int or None
        None for a single step.

    Raises
    ------
    ExportError
        If steps vary along several axes.
    """
    step = quantized.step
    offset = quantized.codes.ndim - step.ndim
    axes = [axis + offset for axis, size in enumerate(step.shape) if size > 1]
    if len(axes) > 1:
        raise ExportError(
            f"the steps of {name!r}, of shape {tuple(step.shape)}, vary along several "
            "axes; ONNX has one step for a tensor or for each index of one axis."
        )
    return axes[0] if axes else None


def dequantized(name: str, quantized: QuantizedTensor, integer: IntegerType) -> Any:
    """Return codes and steps as ONNX stores them, and the operator that joins them.

    Parameters
    ----------
    name : str
        What the weights are called in the graph.
    quantized : QuantizedTensor
        The weights.
    integer : IntegerType
        What codes are stored in.

    Returns
    -------
    codes, step : onnx.TensorProto
        The initializers.
    node : onnx.NodeProto
        The DequantizeLinear.
    """
    from onnx import TensorProto, helper, numpy_helper

    names = [f"{name}_codes", f"{name}_step"]
    axis = axis_of_step(name, quantized)
    step = quantized.step.cpu().reshape(() if axis is None else (-1,))
    codes = helper.make_tensor(
        names[0],
        getattr(TensorProto, integer.name),
        tuple(quantized.shape),
        integer.packed(quantized.codes.cpu().numpy()),
        raw=True,
    )
    options: dict[str, Any] = {} if axis is None else {"axis": axis}
    node = helper.make_node("DequantizeLinear", names, [name], **options)
    return codes, numpy_helper.from_array(step.numpy(), names[1]), node


@functools.cache
def runs_int2() -> bool:
    """Return whether onnx writes integers of two bits and onnxruntime runs them.

    Returns
    -------
    runs : bool
        Tried once, on a graph of one operator; False without onnxruntime.
    """
    codes = torch.tensor([-1, 0, 1], dtype=torch.int32)
    bits = torch.ones(3, dtype=torch.uint8)
    weight = QuantizedTensor(codes, torch.tensor(0.5), bits)
    try:
        import onnxruntime
        from onnx import TensorProto, helper

        *initializers, node = dequantized("w", weight, TYPES[0])
        output = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3])
        graph = helper.make_graph([node], "probe", [], [output], initializers)
        operators = [helper.make_opsetid("", TYPES[0].opset)]
        model = helper.make_model(
            graph,
            opset_imports=operators,
            ir_version=helper.find_min_ir_version_for(operators),
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        (got,) = session.run(None, {})
    except Exception:  # whatever a release raises that does not know the type
        return False
    return bool(np.array_equal(got, weight.dequantize().numpy()))
