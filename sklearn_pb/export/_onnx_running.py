"""ONNX files, run beside the networks they were written from."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..exceptions import ExportError
from ._graph import tensors_of
from ._running import run

TOLERANCE = 1e-4  # of the largest output; what is wrong differs by far more
# Without its rules for quantized graphs, onnxruntime computes constants, also weights.
EXACT = ("session.disable_quant_qdq", "1")


def onnx_session(path: str | os.PathLike[str], *, n_threads: int | None = None) -> Any:
    """Open an ONNX file with onnxruntime, on the CPU, so that it computes exactly.

    Quantized weights become float32 once, when the file is opened, so that the network
    is as fast, and as large in memory, as one that was never quantized. Left to its
    defaults, onnxruntime multiplies codes by steps in each run, which takes several
    times longer, or joins that to the product which the weights go into, and then
    rounds the activations to 8 bits: outputs differ by nearly a hundredth.

    Parameters
    ----------
    path : str or path-like
        The file.
    n_threads : int, default=None
        Threads of an operator; None leaves it to onnxruntime.

    Returns
    -------
    session : onnxruntime.InferenceSession
        Its inputs are called ``input_0``, ``input_1`` and so on.

    Raises
    ------
    ImportError
        If onnxruntime is not installed.

    See Also
    --------
    to_onnx, to_quantized_onnx : Functions that write such files.

    Examples
    --------
    >>> from sklearn_pb.export import onnx_session
    >>> session = onnx_session("net.onnx")  # doctest: +SKIP
    >>> session.run(None, {"input_0": x})  # doctest: +SKIP
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            "Running ONNX files needs the package onnxruntime; install it with: "
            "pip install sklearn-pb[export]"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised
    options.add_session_config_entry(*EXACT)
    if n_threads is not None:
        options.intra_op_num_threads = n_threads
    return onnxruntime.InferenceSession(
        os.fspath(path), options, providers=["CPUExecutionProvider"]
    )


def largest_difference(
    module: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    path: str | os.PathLike[str],
    dynamic_batch: bool,
) -> float | None:
    """Return the largest difference between outputs of a file and of a network.

    Parameters
    ----------
    module : nn.Module
        The network.
    inputs : tuple of torch.Tensor
        One batch.
    path : str or path-like
        The file.
    dynamic_batch : bool
        Whether to run both on twice the batch, too.

    Returns
    -------
    difference : float or None
        None without onnxruntime.

    Raises
    ------
    ExportError
        If shapes differ, or outputs by more than a ten-thousandth of the largest.
    """
    try:
        session = onnx_session(path)
    except ImportError:
        return None
    batches = [inputs]
    if dynamic_batch:
        batches.append(tuple(torch.cat([x, x]) for x in inputs))
    return max(_largest_error(module, batch, session.run) for batch in batches)


def _largest_error(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], run_file: Callable[..., Any]
) -> float:
    wanted = [output.cpu() for output in tensors_of(run(module, inputs))]
    names = {f"input_{i}": x.detach().cpu().numpy() for i, x in enumerate(inputs)}
    errors = [0.0]
    for output, array in zip(wanted, run_file(None, names), strict=True):
        got = torch.from_numpy(array)
        if got.shape != output.shape:
            raise ExportError(
                f"an output of the file has shape {tuple(got.shape)}, that of the "
                f"network {tuple(output.shape)}"
            )
        if output.numel():
            errors.append(float((got - output).abs().max()))
            if not errors[-1] <= TOLERANCE * max(1.0, float(output.abs().max())):
                raise ExportError(f"outputs of the file differ by {errors[-1]:.2g}")
    return max(errors)
