"""Multi-head attention with some of the heads taken out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

_PROJECTIONS = ("q_proj_weight", "k_proj_weight", "v_proj_weight")


class CompactAttention(nn.Module):
    """Some heads of an ``nn.MultiheadAttention``, called like the whole.

    Where the projections of the other heads are zero, the output is that of the whole.

    Parameters
    ----------
    attention : nn.MultiheadAttention
        Attention with all its heads; its values are copied.
    heads : sequence of int
        The heads to keep, at least one, counted from 0.

    Attributes
    ----------
    heads : tuple of int
        Numbers that the kept heads had.
    num_heads : int
        How many they are.

    Notes
    -----
    The weights that ``need_weights=True`` returns are those of the kept heads or their
    average. A three-dimensional ``attn_mask`` may be for all heads that there were or
    for the kept ones.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.export import CompactAttention
    >>> whole = torch.nn.MultiheadAttention(12, 3, batch_first=True)
    >>> attention = CompactAttention(whole, [0, 2])
    >>> x = torch.ones(1, 5, 12)
    >>> output, weights = attention(x, x, x, average_attn_weights=False)
    >>> tuple(output.shape), tuple(weights.shape)
    ((1, 5, 12), (1, 2, 5, 5))
    """

    q_proj_weight: nn.Parameter
    k_proj_weight: nn.Parameter
    v_proj_weight: nn.Parameter
    bias_k: nn.Parameter | None
    bias_v: nn.Parameter | None

    # nn.TransformerEncoderLayer looks at these two and calls us instead of its own
    # kernel, which needs heads that fill the embedding.
    _qkv_same_embed_dim = False
    in_proj_weight = None

    def __init__(self, attention: nn.MultiheadAttention, heads: Sequence[int]) -> None:
        super().__init__()
        self.heads, self.num_heads = tuple(heads), len(heads)
        self.n_heads_before = attention.num_heads
        self.embed_dim, self.head_dim = attention.embed_dim, attention.head_dim
        self.kdim, self.vdim = attention.kdim, attention.vdim
        self.dropout, self.batch_first = attention.dropout, attention.batch_first
        self.add_zero_attn = attention.add_zero_attn
        self.training = attention.training
        rows = torch.arange(self.embed_dim).view(-1, self.head_dim)[list(heads)]
        rows = rows.flatten()
        parts = [rows + part * self.embed_dim for part in range(3)]
        packed = attention.in_proj_weight
        for name, part in zip(_PROJECTIONS, parts, strict=True):
            weight = (
                _taken(getattr(attention, name), 0, rows)
                if packed is None
                else _taken(packed, 0, part)
            )
            self.register_parameter(name, weight)
        self.in_proj_bias = _taken(attention.in_proj_bias, 0, torch.cat(parts))
        self.bias_k = _taken(attention.bias_k, 2, rows)
        self.bias_v = _taken(attention.bias_v, 2, rows)
        self.out_proj = nn.Linear(len(rows), self.embed_dim, device="meta")
        for name, axis, part in (("weight", 1, rows), ("bias", 0, slice(None))):
            parameter = _taken(getattr(attention.out_proj, name), axis, part)
            self.out_proj.register_parameter(name, parameter)

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attend; the arguments are those of ``nn.MultiheadAttention``.

        Parameters
        ----------
        query, key, value : torch.Tensor
            Of shape (n_samples, length, features) with ``batch_first``, otherwise
            (length, n_samples, features), or (length, features) for one sample.
        key_padding_mask : torch.Tensor of shape (n_samples, n_keys), default=None
            Keys to ignore (bool), or what is added to their scores.
        need_weights : bool, default=True
            Whether to return the weights.
        attn_mask : torch.Tensor, default=None
            Pairs not to attend to (bool), or what is added to the scores; of shape
            (n_queries, n_keys) or (n_samples * n_heads, n_queries, n_keys).
        average_attn_weights : bool, default=True
            Whether the weights are averaged over the kept heads.
        is_causal : bool, default=False
            A hint that `attn_mask` is causal, which is not made use of.

        Returns
        -------
        output : torch.Tensor
            Of the shape of `query`.
        weights : torch.Tensor or None
            Of shape (n_samples, n_queries, n_keys), or with an axis of heads after the
            samples; without the samples where there is one without an axis.

        Raises
        ------
        ValueError
            With `is_causal` but no `attn_mask`.
        """
        if is_causal and attn_mask is None:
            raise ValueError("is_causal=True is a hint about attn_mask, which is None.")
        is_batch = query.dim() == 3
        if not is_batch:
            query, key, value = query[None], key[None], value[None]
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        q, k, v = self._project(query, key, value)
        mask = self._merge_masks(attn_mask, key_padding_mask, q)
        attended, weights = self._attend(q, k, v, mask, need_weights)
        output = self.out_proj(attended.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not is_batch:
            return output[0], None if weights is None else weights[0]
        return output if self.batch_first else output.transpose(0, 1), weights

    def _project(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
    ) -> list[torch.Tensor]:
        """Return queries, keys and values, (n_samples, n_heads, length, head_dim)."""
        biases: Sequence[torch.Tensor | None] = [None] * 3
        if self.in_proj_bias is not None:
            biases = self.in_proj_bias.chunk(3)
        q = F.linear(query, self.q_proj_weight, biases[0])
        k = F.linear(key, self.k_proj_weight, biases[1])
        v = F.linear(value, self.v_proj_weight, biases[2])
        if self.bias_k is not None and self.bias_v is not None:
            k = torch.cat([k, self.bias_k.expand(len(k), -1, -1)], 1)
            v = torch.cat([v, self.bias_v.expand(len(v), -1, -1)], 1)
        if self.add_zero_attn:
            k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
        return [x.unflatten(2, (self.num_heads, -1)).transpose(1, 2) for x in (q, k, v)]

    def _merge_masks(
        self,
        attn_mask: torch.Tensor | None,
        key_padding_mask: torch.Tensor | None,
        q: torch.Tensor,
    ) -> torch.Tensor | None:
        """Return what is added to the scores, broadcast to their four axes."""
        merged: list[torch.Tensor] = []
        if attn_mask is not None:
            mask = _additive(attn_mask, q)
            if mask.dim() == 3:
                mask = mask.unflatten(0, (len(q), -1))
                if mask.shape[1] != self.num_heads:
                    mask = mask[:, list(self.heads)]
            merged.append(mask)
        if key_padding_mask is not None:
            mask = _additive(key_padding_mask, q)
            merged.append(mask.view(len(q), 1, 1, -1))
        if not merged:
            return None
        n_more = int(self.bias_k is not None) + int(self.add_zero_attn)
        return F.pad(sum(merged[1:], merged[0]), (0, n_more))

    def _attend(
        self,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        mask: torch.Tensor | None,
        need_weights: bool,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, dropout), None
        scores = (q * math.sqrt(1.0 / self.head_dim)) @ k.transpose(-2, -1)
        weights = (scores if mask is None else scores + mask).softmax(-1)
        weights = F.dropout(weights, dropout)
        return weights @ v, weights


def _taken(
    parameter: torch.Tensor | None, axis: int, rows: torch.Tensor | slice
) -> nn.Parameter | None:
    """Return the rows of a parameter as one of their own."""
    if parameter is None:
        return None
    index = (slice(None),) * axis + (rows,)
    return nn.Parameter(parameter.detach()[index].clone(), parameter.requires_grad)


def _additive(mask: torch.Tensor, scores_like: torch.Tensor) -> torch.Tensor:
    """Return a mask as what is added to scores."""
    if mask.dtype != torch.bool:
        return mask.to(scores_like)
    added = torch.zeros_like(mask, dtype=scores_like.dtype)
    return added.masked_fill_(mask, -math.inf)
