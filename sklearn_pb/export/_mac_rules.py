"""How many multiply-adds a call of a torch function costs, and for which weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

# What one call costs: pairs of a tensor and its multiply-adds. None in place of the
# tensor stands for products of activations with activations.
Costs = list[tuple[torch.Tensor | None, int]]
Rule = Callable[[tuple[Any, ...], dict[str, Any], Any], Costs]


def _argument(
    args: tuple[Any, ...], kwargs: dict[str, Any], index: int, name: str
) -> Any:
    return args[index] if index < len(args) else kwargs[name]


def _rows(tensor: torch.Tensor) -> int:
    """Number of vectors along the last axis."""
    return tensor.numel() // max(tensor.shape[-1], 1)


def _linear(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    weight = _argument(args, kwargs, 1, "weight")
    return [(weight, weight.numel() * _rows(_argument(args, kwargs, 0, "input")))]


def _bilinear(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    weight = _argument(args, kwargs, 2, "weight")
    return [(weight, weight.numel() * _rows(_argument(args, kwargs, 0, "input1")))]


def _convolution(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    weight = _argument(args, kwargs, 1, "weight")
    return [(weight, weight.numel() * (output.numel() // max(weight.shape[0], 1)))]


def _transposed_convolution(
    args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> Costs:
    """Each weight meets each input position once; what padding crops is counted."""
    weight = _argument(args, kwargs, 1, "weight")
    positions = _argument(args, kwargs, 0, "input").numel() // max(weight.shape[0], 1)
    return [(weight, weight.numel() * positions)]


def _product(first: int) -> Rule:
    """Return the rule of a matrix product whose factors begin at tensor `first`."""

    def rule(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
        tensors = [x for x in (*args, *kwargs.values()) if torch.is_tensor(x)]
        factors = tensors[first : first + 2]
        return _of_one_factor(factors, output.numel() * factors[0].shape[-1])

    return rule


def _reversed_product(
    args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> Costs:
    return _of_one_factor(args, output.numel() * args[1].shape[-1])


def _of_one_factor(factors: Sequence[Any], macs: int) -> Costs:
    """Charge the factor that is a parameter, if one is."""
    parameters = [factor for factor in factors if owner_of(factor) is not None]
    return [(parameters[0] if parameters else None, macs)]


def _einsum(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    factors = args[1:] if len(args) > 2 or torch.is_tensor(args[1]) else args[1]
    from torch.utils.flop_counter import FlopCounterMode  # imports all of Triton

    with FlopCounterMode(display=False) as counter:
        torch.einsum(args[0], *factors)
    return _of_one_factor(factors, counter.get_total_flops() // 2)


def _recurrent(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    """Weights stand third, or fourth where the lengths of packed sequences precede."""
    weights = args[2] if isinstance(args[2], (list, tuple)) else args[3]
    steps = _rows(args[0])
    return [(weight, weight.numel() * steps) for weight in weights if weight.ndim == 2]


def _recurrent_cell(
    args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> Costs:
    return [(weight, weight.numel() * _rows(args[0])) for weight in args[2:4]]


def _attention(args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Costs:
    query = _argument(args, kwargs, 0, "query")
    key = _argument(args, kwargs, 1, "key")
    value = _argument(args, kwargs, 2, "value")
    pairs = _rows(query) * key.shape[-2]
    return [(None, pairs * (query.shape[-1] + value.shape[-1]))]


def _multi_head_attention(
    args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
) -> Costs:
    """Sequences come first: query (L, N, E), key and value (S, N, E)."""
    rows = [_rows(sequence) for sequence in args[:3]]
    width = args[0].shape[-1]
    if kwargs.get("use_separate_proj_weight"):
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        weights = [kwargs[name] for name in names]
        costs: Costs = [(w, w.numel() * n) for w, n in zip(weights, rows, strict=True)]
    else:
        costs = [(args[5], width * width * sum(rows))]
    costs.append((args[11], args[11].numel() * rows[0]))
    extra = (args[7] is not None) + bool(args[9])  # bias_k, add_zero_attn
    pairs = rows[0] * (args[1].shape[0] + extra)
    return [*costs, (None, 2 * pairs * width)]


def owner_of(tensor: Any) -> torch.nn.Parameter | None:
    """Return the parameter that a tensor is, or is a view of.

    Parameters
    ----------
    tensor : torch.Tensor
        Any tensor.

    Returns
    -------
    parameter : torch.nn.Parameter or None
        None for results of arithmetic.
    """
    for candidate in (tensor, tensor._base):
        if isinstance(candidate, torch.nn.Parameter):
            return candidate
    return None


RULES: dict[str, Rule] = {
    "linear": _linear,
    "bilinear": _bilinear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolution),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        _transposed_convolution,
    ),
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm", "mv"), _product(0)),
    **dict.fromkeys(("addmm", "baddbmm"), _product(1)),
    "__rmatmul__": _reversed_product,
    "einsum": _einsum,
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    **dict.fromkeys(
        ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), _recurrent_cell
    ),
    "scaled_dot_product_attention": _attention,
    "multi_head_attention_forward": _multi_head_attention,
}
