"""Weights of which at most n of every m are kept, as sparse tensor cores run them."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..exceptions import ExportError
from ..utils import check_number


def is_n_of_m(weight: torch.Tensor, n: int, m: int, axis: int = 1) -> bool:
    """Return whether at most n of every m consecutive weights are not zero.

    Parameters
    ----------
    weight : torch.Tensor
        Any shape and device.
    n, m : int
        How many of how many, n at most m.
    axis : int, default=1
        Along which axis; 1 is the inputs of a linear layer. If m does not divide its
        length, the last cell is shorter and may hold n as well.

    Returns
    -------
    fits : bool
        True for an empty tensor.

    Raises
    ------
    TypeError, ValueError
        If n or m is no positive integer, n is greater than m, or there is no such axis.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import is_n_of_m
    >>> weight = torch.tensor([[1.0, 0.0, 0.0, 2.0], [0.0, 3.0, 4.0, 5.0]])
    >>> is_n_of_m(weight[:1], 2, 4), is_n_of_m(weight, 2, 4)
    (True, False)
    """
    check_number(m, "m", low=1, integer=True)
    check_number(n, "n", low=1, high=m, integer=True)
    check_number(axis, "axis", low=-weight.ndim, high=weight.ndim - 1, integer=True)
    kept = (weight != 0).movedim(axis, -1)
    cells = F.pad(kept, (0, -kept.shape[-1] % m)).unflatten(-1, (-1, m))
    return bool((cells.sum(-1) <= n).all())


def to_semi_structured(module: nn.Module) -> nn.Module:
    """Return a copy whose linear layers of 2:4 weights run on sparse tensor cores.

    A linear layer is converted if its weights satisfy 2:4 and torch knows a kernel for
    their type and shape: 16-bit floats whose sides are multiples of 16 in general, see
    `torch.sparse.to_sparse_semi_structured`. The others stay dense.

    Parameters
    ----------
    module : nn.Module
        The network, on a GPU with sparse tensor cores (compute capability 8.0).

    Returns
    -------
    sparse : nn.Module
        A copy in eval mode, for inference.

    Raises
    ------
    RuntimeError
        If torch finds no CUDA device.
    ValueError
        If a parameter is not on a CUDA device.
    ExportError
        If no layer could be converted; it tells why of each.

    See Also
    --------
    is_n_of_m : The condition.
    sparsify : For the CPU, and zeros anywhere.
    """
    if not torch.cuda.is_available():
        raise RuntimeError(
            "to_semi_structured needs a CUDA device, and torch finds none here; "
            "sparsify makes sparse layers for the CPU."
        )
    elsewhere = {str(p.device) for p in module.parameters() if not p.is_cuda}
    if elsewhere:
        raise ValueError(
            f"module has parameters on {', '.join(sorted(elsewhere))}; move it to the "
            "GPU first, with module.cuda()."
        )
    sparse = copy.deepcopy(module).eval()
    reasons = {
        name: _convert(layer)
        for name, layer in sparse.named_modules()
        if type(layer) is nn.Linear
    }
    if all(reasons.values()):
        lines = [f"{name}: {reason}" for name, reason in reasons.items()]
        raise ExportError(
            "No linear layer could be converted to 2:4. "
            + ("; ".join(lines) or "There is none.")
        )
    return sparse


def _convert(layer: Any) -> str:
    """Convert a linear layer, or return why not."""
    if not is_n_of_m(layer.weight, 2, 4):
        return "more than 2 of 4 weights are not zero"
    weight = layer.weight.detach().contiguous()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*SparseSemiStructuredTensor")
        try:
            packed = torch.sparse.to_sparse_semi_structured(weight)
        except (RuntimeError, NotImplementedError) as error:
            return str(error).partition("\n")[0]
    layer.weight = nn.Parameter(packed, requires_grad=False)
    return ""
