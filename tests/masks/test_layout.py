"""Choice and order of the masked parameters."""

import pytest
import torch
from torch import nn

from sklearn_pb.exceptions import NothingToPruneError
from sklearn_pb.masks import SingleWeights, prunable_parameters


def prunable_layout(module, *selectors, **options):
    names = prunable_parameters(module, *selectors, **options)
    return SingleWeights().layout(module, names)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3)
    )


def test_default_takes_parameters_with_two_or_more_axes():
    layout = prunable_layout(network())
    assert layout.names == ("0.weight", "3.weight")
    assert layout.layers == (18, 24)
    assert layout.n_variables == 42


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ("0.*", None, ("0.weight",)),
        ("3", None, ("3.weight",)),
        (None, "3.weight", ("0.weight",)),
        (nn.Linear, None, ("3.weight",)),
        ([nn.Linear, "0.*"], None, ("0.weight", "3.weight")),
        (None, [nn.Conv2d], ("3.weight",)),
        ("*", nn.Linear, ("0.weight",)),
    ],
)
def test_include_and_exclude(include, exclude, names):
    assert prunable_layout(network(), include, exclude).names == names


def test_nothing_left_is_an_error_that_lists_what_there_was():
    with pytest.raises(NothingToPruneError, match=r"include='lstm\*'.*0\.weight"):
        prunable_layout(network(), include="lstm*")


def test_tied_parameters_appear_once():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].weight = module[0].weight
    assert prunable_layout(module).n_variables == 16


def test_attention_keeps_its_packed_projection():
    names = prunable_layout(nn.MultiheadAttention(4, 2)).names
    assert "in_proj_weight" in names


def test_zeros_by_layer():
    layout = prunable_layout(network())  # 18 and 24 weights
    kept = torch.ones(42)
    kept[:9], kept[18:24] = 0, 0.5
    assert layout.layer_sparsity(kept) == {"0.weight": 0.5, "3.weight": 0.125}
    assert layout.layer_sparsity(kept > 0) == {"0.weight": 0.5, "3.weight": 0.0}


def test_split_gives_views_in_the_shapes_of_the_parameters():
    layout = prunable_layout(network())
    flat = torch.arange(42.0)
    parts = layout.spread(flat)
    assert parts["3.weight"].shape == (3, 8)
    assert parts["0.weight"].flatten().tolist() == list(range(18))
    parts["0.weight"].zero_()
    assert flat[:18].eq(0).all()
