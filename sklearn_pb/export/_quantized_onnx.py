"""Quantized networks as ONNX files whose weights are integers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..exceptions import ExportError
from ..quantizers import QuantizedTensor
from ._onnx import check_folder, to_onnx
from ._onnx_integers import IntegerType, axis_of_step, dequantized, integer_type
from ._onnx_running import largest_difference
from ._running import as_arguments


@dataclass(frozen=True)
class QuantizedOnnx:
    """What was written to an ONNX file of a quantized network.

    Parameters
    ----------
    types : dict of str to str
        What each quantized parameter is stored in: "INT2", "INT4", "INT8" or "INT16",
        or "FLOAT" where codes have more than 16 bits. Parameters that the network does
        not use are not in the file, and not here.
    weight_bytes : int
        Codes and steps of these parameters in the file.
    float_weight_bytes : int
        The same parameters in float32.
    file_bytes : int
        The whole file.
    float_file_bytes : int
        The same file if these parameters were in float32.
    opset : int
        Version of the set of operators.
    max_error : float or None
        Largest difference to the outputs of the network; None without onnxruntime.

    Examples
    --------
    >>> from sklearn_pb.export import QuantizedOnnx
    >>> QuantizedOnnx({"weight": "INT4"}, 250, 1800, 400, 2000, 21, 1e-7).compression
    5.0
    """

    types: dict[str, str]
    weight_bytes: int
    float_weight_bytes: int
    file_bytes: int
    float_file_bytes: int
    opset: int
    max_error: float | None

    @property
    def compression(self) -> float:
        """How many times smaller the file is than that with weights in float32."""
        return self.float_file_bytes / self.file_bytes


def to_quantized_onnx(
    module: nn.Module,
    quantized: Mapping[str, QuantizedTensor],
    example_inputs: Any,
    path: str | os.PathLike[str],
    *,
    dynamic_batch: bool = True,
) -> QuantizedOnnx:
    """Write a quantized network as an ONNX file whose weights are integers.

    Codes are stored in the narrowest of INT2, INT4, INT8 and INT16 that holds all those
    of a parameter. DequantizeLinear multiplies them by their steps, which gives the
    weights bit for bit, and the rest of the graph is that of the network: in float32,
    batch norms included. INT2 is used only where the installed onnx and onnxruntime run
    it; INT4 takes its place elsewhere.

    If onnxruntime is installed, the file is run on the example inputs and, with a
    dynamic batch, on twice as many. Nothing is left at `path` if it does not compute
    the same.

    Parameters
    ----------
    module : nn.Module
        The network, with the weights that `quantized` stands for.
    quantized : mapping of str to QuantizedTensor
        The quantized weights by qualified parameter name. A tied weight may go by any
        of its names.
    example_inputs : torch.Tensor, tuple or list
        One batch: the input, or the inputs in order, all of them tensors.
    path : str or path-like
        The file.
    dynamic_batch : bool, default=True
        Whether the first axis of each input and output may get another length. False
        fixes it.

    Returns
    -------
    written : QuantizedOnnx
        Types, sizes, and the difference to the outputs of the network.

    Raises
    ------
    FileNotFoundError
        If the folder of the file does not exist.
    TypeError
        If the inputs are not tensors in order.
    ValueError
        If `quantized` names no parameter, or the parameter has other values.
    ExportError
        If a quantized parameter is not of float32, its steps vary along several axes,
        the network cannot be written as ONNX, or the file does not compute the same.
    ImportError
        If onnx is not installed.

    See Also
    --------
    onnx_session : Runs such a file exactly, which onnxruntime's defaults do not.
    onnx_weight_bytes : The size of the weights, without writing them.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import to_quantized_onnx
    >>> from sklearn_pb.quantizers import QuantizedTensor
    >>> codes = torch.randint(-1, 2, (8, 64), dtype=torch.int32)
    >>> bits = (codes != 0).to(torch.uint8)
    >>> weight = QuantizedTensor(codes, torch.tensor(0.1), bits)
    >>> layer = torch.nn.Linear(64, 8, bias=False)
    >>> layer.weight.data = weight.dequantize()
    >>> written = to_quantized_onnx(
    ...     layer, {"weight": weight}, torch.zeros(1, 64), "net.onnx"
    ... )  # doctest: +SKIP
    >>> written.types, written.weight_bytes  # doctest: +SKIP
    ({'weight': 'INT2'}, 132)
    """
    check_folder(path)
    names = _checked_names(module, quantized)
    onnx = _load_onnx()
    integers = {name: integer_type(weight) for name, weight in quantized.items()}
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "network.onnx"
        to_onnx(
            module,
            example_inputs,
            draft,
            dynamic_batch=dynamic_batch,
            fold_constants=False,
        )
        model = _with_operators(onnx.load(draft), integers)
        float_bytes = model.ByteSize()
        places = _places(model.graph, quantized, names)
        weight_bytes, float_weight_bytes = _replace(
            model.graph, quantized, places, integers
        )
        onnx.checker.check_model(model)
        onnx.save(model, draft)
        inputs = as_arguments(example_inputs)[0]
        max_error = largest_difference(module, inputs, draft, dynamic_batch)
        shutil.move(draft, path)
    types = {name: integers[name] for name in quantized if name in places}
    return QuantizedOnnx(
        {name: kind.name if kind else "FLOAT" for name, kind in types.items()},
        weight_bytes,
        float_weight_bytes,
        os.path.getsize(path),
        float_bytes,
        _operators(model).version,
        max_error,
    )


def _checked_names(
    module: nn.Module, quantized: Mapping[str, QuantizedTensor]
) -> dict[str, set[str]]:
    """Return all names of each quantized parameter, or raise if it is not that."""
    every = dict(module.named_parameters(remove_duplicate=False))
    names = {}
    for name, weight in quantized.items():
        if name not in every:
            raise ValueError(
                f"quantized has {name!r}, which is no parameter of module."
            )
        values = every[name].detach().cpu()
        if values.dtype != torch.float32:
            raise ExportError(
                f"{name!r} of module is of {values.dtype}; in ONNX, integers with "
                "their steps stand for weights of float32."
            )
        if not torch.equal(values, weight.dequantize().cpu()):
            raise ValueError(
                f"{name!r} of module must have the values that "
                "quantized[...].dequantize() gives."
            )
        axis_of_step(name, weight)
        names[name] = {other for other, p in every.items() if p is every[name]}
    return names


def _load_onnx() -> Any:
    try:
        import onnx
        import onnx.version_converter  # which onnx does not import by itself
    except ImportError as error:
        raise ImportError(
            "Writing quantized ONNX files needs the package onnx; install it with: "
            "pip install sklearn-pb[export]"
        ) from error
    return onnx


def _operators(model: Any) -> Any:
    """Return the entry with the version of ONNX's own operators."""
    return next(entry for entry in model.opset_import if not entry.domain)


def _with_operators(model: Any, integers: Mapping[str, IntegerType | None]) -> Any:
    """Return a model of the versions that the integers need, without idle text."""
    from onnx import helper, version_converter

    needed = max((kind.opset for kind in integers.values() if kind), default=0)
    if _operators(model).version < needed:
        try:
            model = version_converter.convert_version(model, needed)
        except Exception as error:
            raise ExportError(
                f"the graph cannot be converted to operators of version {needed}, "
                f"which its integers need: {error}"
            ) from error
    own = helper.make_opsetid("", _operators(model).version)
    model.ir_version = helper.find_min_ir_version_for([own])
    del model.graph.value_info[:]
    for node in model.graph.node:
        for field in ("name", "doc_string", "metadata_props"):
            node.ClearField(field)
    return model


def _places(
    graph: Any, quantized: Mapping[str, QuantizedTensor], names: dict[str, set[str]]
) -> dict[str, str]:
    """Return which initializer holds each parameter, if one does.

    The exporter merges parameters that are equal under one of their names, so where
    none of a parameter's own is found, the same values under another name are it.
    """
    held = {tensor.name: tensor for tensor in graph.initializer}
    places = {}
    for name, weight in quantized.items():
        found = next((other for other in held if other in names[name]), None)
        if found is None:
            found = next((n for n, t in held.items() if _is_equal(t, weight)), None)
        elif not _is_equal(held[found], weight):
            raise ExportError(f"{name!r} was changed on its way into the graph.")
        if found is not None:
            places[name] = found
    return places


def _is_equal(tensor: Any, weight: QuantizedTensor) -> bool:
    from onnx import numpy_helper

    if tuple(tensor.dims) != tuple(weight.shape):
        return False
    return np.array_equal(numpy_helper.to_array(tensor), weight.dequantize().cpu())


def _replace(
    graph: Any,
    quantized: Mapping[str, QuantizedTensor],
    places: Mapping[str, str],
    integers: Mapping[str, IntegerType | None],
) -> tuple[int, int]:
    """Put codes, steps and operators in place; return the bytes of before and after."""
    nodes = []
    after = before = 0
    for place in dict.fromkeys(places.values()):
        name = next(name for name, found in places.items() if found == place)
        integer, size = integers[name], 4 * quantized[name].codes.numel()
        before += size
        if integer is None:
            after += size
            continue
        codes, step, node = dequantized(place, quantized[name], integer)
        after += len(codes.raw_data) + len(step.raw_data)
        del graph.initializer[[t.name for t in graph.initializer].index(place)]
        graph.initializer.extend([codes, step])
        nodes.append(node)
    nodes += list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    return after, before
