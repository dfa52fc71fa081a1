"""Heads of attention as groups that one mask variable each can switch off."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from ._attention import CompactAttention
from ._channels import ChannelGroup
from ._layers import qualified, tied_layers


def trace_heads(module: nn.Module) -> list[ChannelGroup]:
    """Find the attention heads of a network that can be masked and then removed.

    Parameters
    ----------
    module : nn.Module
        The network; it is not changed.

    Returns
    -------
    groups : list of ChannelGroup
        One for each ``nn.MultiheadAttention`` of two heads or more, also within
        ``nn.TransformerEncoderLayer``; not for subclasses, nor where weights are tied
        or parametrized. A head governs its rows of the projections of query, key and
        value, of their biases, and of ``bias_k`` and ``bias_v``; without them it adds
        nothing to the output, which reads it by columns of ``out_proj``.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import trace_heads
    >>> [group] = trace_heads(torch.nn.MultiheadAttention(8, 2, bias=False))
    >>> [(name, axis, index.tolist()) for name, axis, index in group.slices]
    [('in_proj_weight', 0, [0, 0, 0, 0, 1, 1, 1, 1, 0, ..., 1, 1, 1])]
    """
    tied = tied_layers(module)
    return [
        ChannelGroup(
            name,
            layer.num_heads,
            _slices(name, layer),
            ((qualified(name, "out_proj.weight"), 1, _head_of_rows(layer)),),
        )
        for name, layer in module.named_modules()
        if type(layer) is nn.MultiheadAttention
        and layer.num_heads > 1
        and not tied & {layer, layer.out_proj}
    ]


def cut_heads(
    module: nn.Module, removals: Iterable[tuple[ChannelGroup, torch.Tensor]]
) -> nn.Module:
    """Return a network, changed in place, without some heads.

    Parameters
    ----------
    module : nn.Module
        The network that was traced, or a copy of it.
    removals : iterable of (ChannelGroup, torch.BoolTensor of shape (n_heads,))
        Groups of `trace_heads` with the heads to remove; some heads stay in each.

    Returns
    -------
    module : nn.Module
        The same, or the new attention if the network is nothing else.
    """
    for group, removed in removals:
        whole = module.get_submodule(group.name)
        assert isinstance(whole, nn.MultiheadAttention)
        kept = (~removed).nonzero().flatten().tolist()
        smaller = CompactAttention(whole, kept)
        if whole is module:
            return smaller
        for name, part in list(module.named_modules(remove_duplicate=False)):
            if part is whole:
                holder, _, attribute = name.rpartition(".")
                setattr(module.get_submodule(holder), attribute, smaller)
    return module


def unpack_sentences_(module: nn.Module, removals: Iterable[ChannelGroup]) -> None:
    """Let encoders pass padded sentences on as they are, if they are to lose heads.

    Whole attention can read them packed, and leaves zeros where the padding was;
    compact attention cannot, and what is there in its output has no meaning.
    """
    changed = {module.get_submodule(group.name) for group in removals}
    for part in module.modules():
        if isinstance(part, nn.TransformerEncoder) and changed & set(part.modules()):
            part.use_nested_tensor = False


def _slices(
    name: str, layer: nn.MultiheadAttention
) -> tuple[tuple[str, int, torch.Tensor], ...]:
    heads = _head_of_rows(layer)
    axes = {
        "in_proj_weight": 0,
        "q_proj_weight": 0,
        "k_proj_weight": 0,
        "v_proj_weight": 0,
        "in_proj_bias": 0,
        "bias_k": 2,
        "bias_v": 2,
    }
    held = dict(layer.named_parameters(recurse=False))
    return tuple(
        (
            qualified(name, part),
            axis,
            heads.repeat(held[part].shape[axis] // len(heads)),
        )
        for part, axis in axes.items()
        if part in held
    )


def _head_of_rows(layer: nn.MultiheadAttention) -> torch.Tensor:
    return torch.arange(layer.num_heads).repeat_interleave(layer.head_dim)
