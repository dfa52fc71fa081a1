"""Random masks with the counts of given ones."""

import numpy as np
import pytest
import torch

from sklearn_pb.masks import reshuffled


@pytest.fixture(name="masks")
def make_masks():
    generator = torch.Generator().manual_seed(0)
    return {
        "conv": torch.rand(8, 3, 3, 3, generator=generator) < 0.3,
        "hidden": torch.rand(20, 30, generator=generator) < 0.05,
        "nothing": torch.zeros(4, 4, dtype=torch.bool),
        "whole": torch.ones(5, 2, dtype=torch.bool),
    }


def counts(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def test_layers_keep_their_counts_and_shapes(masks):
    before = {name: mask.clone() for name, mask in masks.items()}
    drawn = reshuffled(masks, random_state=0)
    assert counts(drawn) == counts(masks)
    assert list(drawn) == list(masks)
    for name, mask in drawn.items():
        assert mask.shape == masks[name].shape
        assert mask.dtype == torch.bool
        assert torch.equal(masks[name], before[name])
    assert not torch.equal(drawn["conv"], masks["conv"])
    assert not torch.equal(drawn["hidden"], masks["hidden"])


def test_global_keeps_the_sum_alone(masks):
    drawn = reshuffled(masks, random_state=0, by="global")
    assert sum(counts(drawn).values()) == sum(counts(masks).values())
    assert counts(drawn)["whole"] < 10
    assert counts(drawn) != counts(masks)


def test_the_seed_decides(masks):
    first, again, other = (reshuffled(masks, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in masks)
    assert not torch.equal(first["conv"], other["conv"])
    random_state = np.random.RandomState(0)
    one, two = (reshuffled(masks, random_state) for _ in range(2))
    assert not torch.equal(one["conv"], two["conv"])


def test_a_changed_result_leaves_its_neighbours_alone(masks):
    drawn = reshuffled(masks, 0)
    kept = counts(drawn)
    drawn["conv"].fill_(True)
    assert counts(drawn) == {**kept, "conv": drawn["conv"].numel()}


def test_nothing_stays_nothing():
    assert reshuffled({}) == {}


def test_unknown_choice():
    with pytest.raises(ValueError, match=r"by='rows' is unknown; .* global, layer"):
        reshuffled({}, by="rows")
