"""From sparsity, scope and unit of count to how many variables are kept."""

import re

import pytest
import torch
from torch import nn

from sklearn_pb.masks import (
    Blocks,
    Channels,
    NofM,
    SingleWeights,
    build_quota,
    check_sparsity,
    erk_counts,
    network_measure,
    prunable_parameters,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.Flatten(),
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3),
    )  # fmt: skip


EXAMPLE = torch.randn(2, 1, 8, 8)


def lay_out(granularity):
    module = network()
    return module, granularity.layout(module, prunable_parameters(module), EXAMPLE)


def select(quota, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return quota.select(torch.rand(quota.n_variables, generator=generator))


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_the_total_is_exact(scope, sparsity):
    _, layout = lay_out(SingleWeights())
    quota = build_quota(layout, SingleWeights(), sparsity=sparsity, scope=scope)
    kept = select(quota)
    d = layout.n_variables
    assert kept.sum() == sum(quota.counts) == d - round(sparsity * d)


def test_a_layer_keeps_its_share():
    _, layout = lay_out(SingleWeights())
    quota = build_quota(layout, SingleWeights(), sparsity=0.75, scope="layer")
    for mask, size in zip(
        select(quota).split(layout.layers), layout.layers, strict=True
    ):
        assert mask.sum() == pytest.approx(size / 4, abs=1)


def test_densities_follow_the_erdos_renyi_kernel_rule():
    _, layout = lay_out(SingleWeights())
    counts = erk_counts(layout, 0.9)
    shapes = [p.shape for p in layout.placements]
    shares = [sum(shape) / shape.numel() for shape in shapes]
    densities = [k / size for k, size in zip(counts, layout.layers, strict=True)]
    ratios = [
        density / share
        for density, share in zip(densities, shares, strict=True)
        if density < 1
    ]
    assert len(ratios) >= 2
    assert max(ratios) == pytest.approx(min(ratios), rel=0.1)
    full = [
        share for density, share in zip(densities, shares, strict=True) if density == 1
    ]
    assert all(share * max(ratios) >= 0.99 for share in full)


def test_a_mapping_says_it_layer_by_layer():
    _, layout = lay_out(SingleWeights())
    quota = build_quota(layout, SingleWeights(), sparsity={"0.*": 0.5, "[46].*": 0.75})
    assert quota.counts == (36, 288, 512, 24)
    assert [int(m.sum()) for m in select(quota).split(layout.layers)] == [
        36,
        288,
        512,
        24,
    ]


@pytest.mark.parametrize("unit", ["parameters", "macs"])
@pytest.mark.parametrize("granularity", [SingleWeights(), Channels()])
@pytest.mark.parametrize("sparsity", [0.3, 0.6])
def test_a_measured_budget_is_met_and_used(granularity, unit, sparsity):
    module, layout = lay_out(granularity)
    measure = network_measure(unit, module, layout, EXAMPLE)
    quota = build_quota(layout, granularity, sparsity=sparsity, measure=measure)
    generator = torch.Generator().manual_seed(1)
    scores = torch.rand(layout.n_variables, generator=generator)
    mask = quota.select(scores)
    assert measure(mask) <= (1 - sparsity) * measure.full * (1 + 1e-6)
    mask[torch.where(mask, -1.0, scores).argmax()] = True  # the next best one
    assert measure(mask) > (1 - sparsity) * measure.full


@pytest.mark.parametrize("unit", ["parameters", "macs"])
@pytest.mark.parametrize("granularity", [SingleWeights(), Channels()])
@pytest.mark.parametrize("sparsity", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("scope", ["layer", "erk"])
def test_layers_share_a_measured_budget(scope, sparsity, granularity, unit):
    module, layout = lay_out(granularity)
    measure = network_measure(unit, module, layout, EXAMPLE)
    quota = build_quota(
        layout, granularity, sparsity=sparsity, scope=scope, measure=measure
    )
    scores = torch.rand(layout.n_variables, generator=torch.Generator().manual_seed(1))
    mask = quota.select(scores)
    limit = (1 - sparsity) * measure.full
    assert measure(mask) <= limit * (1 + 1e-6)
    counts = [int(part.sum()) for part in mask.split(layout.layers)]
    assert counts == pytest.approx(quota.counts, abs=1)
    for kept, score in zip(
        mask.split(layout.layers), scores.split(layout.layers), strict=True
    ):
        assert not kept.any() or kept.all() or score[kept].min() > score[~kept].max()
    # The shares are those that the same number of ones has without a measure.
    d = layout.n_variables
    same = build_quota(layout, granularity, sparsity=1 - sum(counts) / d, scope=scope)
    assert counts == pytest.approx(same.counts, abs=1)


def test_a_mapping_counts_what_the_layer_takes():
    module, layout = lay_out(Blocks(4, 4))
    measure = network_measure("macs", module, layout, EXAMPLE)
    shares = {"0.*": 0.5, "4.*": 0.75}
    quota = build_quota(layout, Blocks(4, 4), sparsity=shares, measure=measure)
    kept = layout.masks(select(quota).float())
    # 72 weights in blocks of 16 or, at the edge, 4; and 2048 in blocks of 16.
    assert 36 - 16 < kept["0.weight"].sum() <= 36
    assert kept["4.weight"].sum() == 512
    assert kept["2.weight"].all() and kept["6.weight"].all()


def test_a_layer_without_multiply_adds_has_no_share_of_them():
    module = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 3))
    layout = SingleWeights().layout(module, prunable_parameters(module))
    example = torch.zeros(2, 2, dtype=torch.long)
    measure = network_measure("macs", module, layout, example)
    with pytest.raises(
        ValueError, match=r"\['0.weight'\], which have no multiply-adds"
    ):
        build_quota(layout, SingleWeights(), sparsity={"0.*": 0.5}, measure=measure)
    quota = build_quota(layout, SingleWeights(), sparsity={"2.*": 0.5}, measure=measure)
    assert quota.counts == (20, 12)


def test_parameters_are_counted_as_a_smaller_network_has_them():
    module, layout = lay_out(Channels())
    measure = network_measure("parameters", module, layout, EXAMPLE)
    assert measure.full == sum(p.numel() for p in module.parameters())
    assert layout.layer_names == ("0", "2", "4")
    mask = torch.ones(layout.n_variables)
    mask[:3] = 0  # of 8
    mask[8:9] = 0  # of 4
    mask[12:22] = 0  # of 32
    smaller = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.Conv2d(5, 3, 3), nn.Linear(48, 22), nn.Linear(22, 3)
    )
    assert measure(mask) == sum(p.numel() for p in smaller.parameters())


def test_multiply_adds_are_those_of_a_smaller_network():
    module, layout = lay_out(Channels())
    measure = network_measure("macs", module, layout, EXAMPLE)
    assert measure.full == 72 * 36 + 288 * 16 + 64 * 32 + 96
    mask = torch.ones(layout.n_variables)
    mask[:4] = 0
    assert measure(mask) == 36 * 36 + 144 * 16 + 64 * 32 + 96


def test_the_costs_of_weights_are_how_often_they_are_used():
    module, layout = lay_out(SingleWeights())
    costs = network_measure("macs", module, layout, EXAMPLE).costs()
    parts = [part.unique() for part in costs.split(layout.layers)]
    assert [len(part) for part in parts] == [1] * 4
    assert parts[0] / parts[2] == pytest.approx(36)
    assert parts[1] / parts[3] == pytest.approx(16)
    assert costs.mean() == pytest.approx(1)


def test_no_layer_loses_its_last_channel():
    _, layout = lay_out(Channels())
    quota = build_quota(layout, Channels(), sparsity=0.9)
    scores = torch.cat([torch.zeros(8), torch.ones(4), 2 * torch.ones(32)])
    kept = [int(m.sum()) for m in quota.select(scores).split(layout.layers)]
    assert kept == [1, 1, 2]


@pytest.mark.parametrize(
    "granularity, options, message",
    [
        (
            NofM(2, 4),
            {"sparsity": 0.9},
            "contradicts granularity=NofM(n=2, m=4), which",
        ),
        (NofM(2, 4), {"sparsity": None, "scope": "layer"}, "needs scope='global'"),
        (
            SingleWeights(),
            {"sparsity": {"9.*": 0.5}},
            "sparsity names ['9.*'], but the",
        ),
        (
            SingleWeights(),
            {"sparsity": {"0.*": 0.5}, "scope": "erk"},
            "so scope='erk' has no effect; it must be 'global'",
        ),
    ],
)
def test_parts_that_do_not_go_together(granularity, options, message):
    _, layout = lay_out(granularity)
    with pytest.raises(ValueError, match=re.escape(message)):
        build_quota(layout, granularity, **options)


def test_a_budget_below_what_is_not_masked_is_refused():
    module = network()
    names = prunable_parameters(module, include="0")
    layout = SingleWeights().layout(module, names)
    measure = network_measure("parameters", module, layout, EXAMPLE)
    with pytest.raises(
        ValueError, match=r"sparsity=0.5 of the parameters cannot be re"
    ):
        build_quota(layout, SingleWeights(), sparsity=0.5, measure=measure)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, {"0": 1.5}])
def test_sparsities_are_fractions(sparsity):
    with pytest.raises(ValueError, match="must be a number in"):
        check_sparsity(sparsity)
