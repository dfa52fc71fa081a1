"""Attention with heads taken out computes what the masked whole computes."""

import copy
import pickle

import pytest
import torch
from torch import nn

from sklearn_pb.export import CompactAttention, trace_heads

N_SAMPLES, N_QUERIES, N_KEYS, N_HEADS = 3, 5, 7, 4
KEPT = [0, 2, 3]


def draw(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def make(**options):
    """An attention whose second head is cleared, and the one without it."""
    options = {"embed_dim": 8, "num_heads": N_HEADS, **options}
    whole = nn.MultiheadAttention(**options).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.normal_(generator=generator)
    [group] = trace_heads(whole)
    group.clear_(whole, torch.arange(N_HEADS) == 1)
    return whole, CompactAttention(whole, KEPT)


def tokens(whole):
    query, key, value = (
        draw(N_SAMPLES, length, width).double()
        for length, width in (
            (N_QUERIES, whole.embed_dim),
            (N_KEYS, whole.kdim),
            (N_KEYS, whole.vdim),
        )
    )
    value = value.flip(1)
    if whole.batch_first:
        return query, key, value
    return tuple(x.transpose(0, 1) for x in (query, key, value))


def masks(kind):
    padding = torch.arange(N_KEYS) >= torch.tensor([[7], [5], [2]])
    pairs = torch.ones(N_QUERIES, N_KEYS).triu(2).bool()
    of_heads = draw(N_SAMPLES * N_HEADS, N_QUERIES, N_KEYS).double()
    some = (of_heads > 1) & (torch.arange(N_KEYS) > 0)
    return {
        "none": {},
        "padding": {"key_padding_mask": padding},
        "added padding": {"key_padding_mask": -3.0 * padding.double()},
        "pairs": {"attn_mask": pairs},
        "added pairs": {"attn_mask": of_heads[0]},
        "heads": {"attn_mask": of_heads},
        "heads and padding": {"attn_mask": some, "key_padding_mask": padding},
    }[kind]


def compare(whole, smaller, inputs, **options):
    for need_weights in (False, True):
        options["need_weights"] = need_weights
        output, weights = whole(*inputs, average_attn_weights=False, **options)
        ours, our_weights = smaller(*inputs, average_attn_weights=False, **options)
        assert torch.allclose(ours, output, rtol=0, atol=1e-12)
        if not need_weights:
            assert weights is None
            assert our_weights is None
            continue
        kept = weights[..., KEPT, :, :]
        assert torch.allclose(our_weights, kept, rtol=0, atol=1e-12)
        _, average = smaller(*inputs, **options)
        assert torch.allclose(average, kept.mean(-3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"kdim": 5, "vdim": 6},
        {"kdim": 5, "bias": False},
        {"add_bias_kv": True},
        {"add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("mask", ["none", "heads and padding"])
def test_every_form_of_attention(options, batch_first, mask):
    whole, smaller = make(batch_first=batch_first, **options)
    compare(whole, smaller, tokens(whole), **masks(mask))


@pytest.mark.parametrize(
    "mask", ["padding", "added padding", "pairs", "added pairs", "heads"]
)
def test_every_mask(mask):
    whole, smaller = make(batch_first=True)
    compare(whole, smaller, tokens(whole), **masks(mask))


@pytest.mark.parametrize("batch_first", [True, False])
def test_one_sample_without_an_axis(batch_first):
    whole, smaller = make(batch_first=batch_first)
    query, key, value = tokens(make(batch_first=True)[0])
    mask = masks("heads and padding")
    compare(
        whole,
        smaller,
        (query[0], key[0], value[0]),
        attn_mask=mask["attn_mask"][:N_HEADS],
        key_padding_mask=mask["key_padding_mask"][1],
    )


def test_queries_with_nothing_to_attend_to():
    whole, smaller = make(batch_first=True)
    inputs = tokens(whole)
    mask = {"attn_mask": torch.ones(N_QUERIES, N_KEYS).bool()}
    for need_weights in (False, True):
        expected, _ = whole(*inputs, need_weights=need_weights, **mask)
        ours, _ = smaller(*inputs, need_weights=need_weights, **mask)
        assert torch.allclose(ours, expected, equal_nan=True)


def test_masks_for_the_kept_heads():
    whole, smaller = make(batch_first=True)
    mask = masks("heads")["attn_mask"]
    kept = mask.unflatten(0, (N_SAMPLES, -1))[:, KEPT].flatten(0, 1)
    inputs = tokens(whole)
    expected, _ = smaller(*inputs, attn_mask=mask)
    assert torch.equal(smaller(*inputs, attn_mask=kept)[0], expected)


def test_causal_hint():
    whole, smaller = make(batch_first=True)
    query, _, _ = tokens(whole)
    mask = nn.Transformer.generate_square_subsequent_mask(N_QUERIES).double()
    options = {"attn_mask": mask, "is_causal": True}
    compare(whole, smaller, (query, query, query), **options)
    with pytest.raises(ValueError, match="attn_mask"):
        smaller(query, query, query, is_causal=True)


def test_dropout_acts_on_weights_in_training_only():
    whole, smaller = make(batch_first=True, dropout=0.5)
    inputs = tokens(whole)
    assert torch.equal(smaller(*inputs)[0], smaller(*inputs)[0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, weights = smaller.train()(*inputs, average_attn_weights=False)
    zeros = (weights == 0).double().mean()
    assert 0.3 < zeros < 0.7
    assert smaller.training


@pytest.mark.parametrize("kdim", [None, 5])
def test_parameters_are_those_of_the_kept_heads(kdim):
    whole, smaller = make(kdim=kdim, add_bias_kv=True)
    before = sum(parameter.numel() for parameter in whole.parameters())
    after = sum(parameter.numel() for parameter in smaller.parameters())
    # A head has two rows of q, k, v with bias, two of bias_k and bias_v, two columns.
    widths = 8 + 8 + 8 if kdim is None else 8 + kdim + 8
    assert before - after == 2 * (widths + 3) + 2 * 2 + 2 * 8
    assert {p.data_ptr() for p in whole.parameters()}.isdisjoint(
        {p.data_ptr() for p in smaller.parameters()}
    )
    assert smaller.num_heads == 3
    assert smaller.heads == (0, 2, 3)


def test_frozen_parameters_stay_frozen():
    whole, _ = make()
    whole.in_proj_weight.requires_grad_(False)
    frozen = {
        name
        for name, parameter in CompactAttention(whole, [0]).named_parameters()
        if not parameter.requires_grad
    }
    assert frozen == {"q_proj_weight", "k_proj_weight", "v_proj_weight"}


def test_copies_pickles_and_loads():
    whole, smaller = make(batch_first=True)
    inputs = tokens(whole)
    expected = smaller(*inputs)[0]
    other = copy.deepcopy(smaller)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(smaller.state_dict())
    for same in (other, pickle.loads(pickle.dumps(smaller))):
        assert torch.equal(same(*inputs)[0], expected)


def test_gradients_are_those_of_the_kept_heads():
    whole, smaller = make(batch_first=True)
    inputs = tokens(whole)
    for attention in (whole, smaller):
        attention(*inputs)[0].square().sum().backward()
    rows = torch.arange(8).view(N_HEADS, 2)[KEPT].flatten()
    theirs, ours = whole.in_proj_weight.grad[rows], smaller.q_proj_weight.grad
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    theirs, ours = whole.out_proj.weight.grad[:, rows], smaller.out_proj.weight.grad
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)
