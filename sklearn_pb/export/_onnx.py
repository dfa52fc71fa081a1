"""Networks as ONNX files, run once beside the original."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import inspect
import io
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ..exceptions import ExportError
from ..utils import check_number
from ._graph import tensors_of
from ._onnx_running import largest_difference
from ._running import as_arguments, run
from ._sparse_layers import SparseConv, SparseLinear


def to_onnx(
    module: nn.Module,
    example_inputs: Any,
    path: str | os.PathLike[str],
    *,
    dynamic_batch: bool = True,
    opset: int | None = None,
    fold_constants: bool = True,
) -> float | None:
    """Write a network as an ONNX file, and run that file beside the network.

    torch's tracing exporter is tried first and its newer one, which needs onnxscript,
    where that fails. If onnxruntime is installed, the file is run on the example inputs
    and, with a dynamic batch, on twice as many.

    Parameters
    ----------
    module : nn.Module
        The network; compact ones are welcome, those with sparse layers are not, because
        runtimes of ONNX have no such layers.
    example_inputs : torch.Tensor, tuple or list
        One batch: the input, or the inputs in order, all of them tensors.
    path : str or path-like
        The file.
    dynamic_batch : bool, default=True
        Whether the first axis of each input and output may get another length. False
        fixes it.
    opset : int, default=None
        Version of the set of operators; None takes torch's default.
    fold_constants : bool, default=True
        Whether what can be computed now is: transposed weights, weights with a batch
        norm in them. With False every weight stands in the file as it is, under its
        own name.

    Returns
    -------
    max_error : float or None
        Largest difference to the outputs of the network; None without onnxruntime.

    Raises
    ------
    FileNotFoundError
        If the folder of the file does not exist.
    TypeError
        If the inputs are not tensors in order.
    ExportError
        If the network has sparse layers, if torch cannot export it, or if the file does
        not compute the same.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import to_onnx
    >>> to_onnx(torch.nn.Linear(4, 2), torch.zeros(1, 4), "net.onnx")  # doctest: +SKIP
    0.0
    """
    check_folder(path)
    inputs = _checked_inputs(example_inputs)
    if opset is not None:
        check_number(opset, "opset", low=1, integer=True)
    if any(isinstance(part, (SparseLinear, SparseConv)) for part in module.modules()):
        raise ExportError(
            "module has sparse layers, which ONNX does not know; export the network "
            "that sparsify was given."
        )
    n_outputs = len(tensors_of(run(module, inputs)))
    options: dict[str, Any] = {
        "input_names": [f"input_{i}" for i in range(len(inputs))],
        "output_names": [f"output_{i}" for i in range(n_outputs)],
        "opset_version": opset,
    }
    errors = []
    for export in (_trace, _capture):
        try:
            with torch.enable_grad(), _quiet():
                export(
                    _trainable(module),
                    inputs,
                    path,
                    options,
                    dynamic_batch,
                    fold_constants,
                )
            return largest_difference(module, inputs, path, dynamic_batch)
        except ImportError:
            raise
        except Exception as error:
            errors.append(f"{export.__name__[1:]}: {_first_line(error)}")
    hint = " With dynamic_batch=False it may succeed." if dynamic_batch else ""
    raise ExportError(
        f"{type(module).__name__} cannot be written as ONNX: {'; '.join(errors)}.{hint}"
    )


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise unless the folder of a file exists.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    folder = os.path.dirname(os.fspath(path)) or os.curdir
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"path={os.fspath(path)!r} is in a folder that does not exist: {folder!r}."
        )


def _checked_inputs(example_inputs: Any) -> tuple[torch.Tensor, ...]:
    args, kwargs = as_arguments(example_inputs)
    if kwargs or not all(isinstance(arg, torch.Tensor) for arg in args):
        raise TypeError(
            "example_inputs of to_onnx must be a tensor or a tuple of tensors, because "
            "the inputs of an ONNX file have an order and no other types."
        )
    return args


def _trace(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: str | os.PathLike[str],
    options: dict[str, Any],
    dynamic_batch: bool,
    fold_constants: bool,
) -> None:
    """Write what a traced call did."""
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options = options | {"dynamo": False}
    if dynamic_batch:
        names = [*options["input_names"], *options["output_names"]]
        options = options | {"dynamic_axes": {name: {0: "batch"} for name in names}}
    if not fold_constants:  # the mode of training is what leaves batch norms alone
        mode = torch.onnx.TrainingMode.PRESERVE
        options = options | {"do_constant_folding": False, "training": mode}
    torch.onnx.export(module, inputs, os.fspath(path), **options)


def _capture(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: str | os.PathLike[str],
    options: dict[str, Any],
    dynamic_batch: bool,
    fold_constants: bool,
) -> None:
    """Write what `torch.export` made of the code."""
    if importlib.util.find_spec("onnxscript") is None:
        raise ExportError("onnxscript is not installed")
    if dynamic_batch:
        batch = torch.export.Dim("batch", min=1)
        options = options | {"dynamic_shapes": tuple({0: batch} for _ in inputs)}
    if not fold_constants:
        options = options | {"optimize": False}
    options = options | {"dynamo": True, "external_data": False, "verbose": False}
    torch.onnx.export(module, inputs, os.fspath(path), **options)


def _trainable(module: nn.Module) -> nn.Module:
    """Return a copy that keeps out of torch's fused encoders, which ONNX lacks."""
    twin = copy.deepcopy(module).eval()
    for parameter in twin.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    return twin


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters from warning of their own future and logging their steps."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition("\x1b")[0][:200].strip(" .")
