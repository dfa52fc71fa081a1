"""Groups of weights against loops over their entries."""

import math

import pytest
import torch

from sklearn_pb.quantizers import PrecisionGroups

GRANULARITIES = ["parameter", "block", "channel", "layer"]
SHAPES = [(5,), (4, 6), (3, 2, 3, 3), (2, 40), (1, 1)]


def group_of(groups, index):
    """The group of one entry, from the definition."""
    shape, axis = groups.shape, groups.axis
    rest = [size for i, size in enumerate(shape) if i != axis]
    position = 0  # within the channel, in row-major order
    for size, at in zip(rest, (*index[:axis], *index[axis + 1 :]), strict=True):
        position = position * size + at
    width = math.prod(rest)
    if groups.granularity == "block":
        return index[axis] * math.ceil(width / groups.block_size) + (
            position // groups.block_size
        )
    if groups.granularity == "parameter":
        flat = 0
        for size, at in zip(shape, index, strict=True):
            flat = flat * size + at
        return flat
    return index[axis] if groups.granularity == "channel" else 0


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("block_size", [4, 16])
def test_against_the_definition(shape, granularity, axis, block_size):
    if axis >= len(shape):
        axis = 0
    groups = PrecisionGroups(shape, granularity, axis=axis, block_size=block_size)
    n = groups.n_groups
    spread = groups.spread(torch.arange(n)).expand(shape)
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    sums = torch.zeros(n, dtype=torch.float64)
    counts = torch.zeros(n)
    for index in torch.cartesian_prod(*(torch.arange(s) for s in shape)).view(
        -1, len(shape)
    ):
        place = tuple(index.tolist())
        group = group_of(groups, place)
        assert int(spread[place]) == group
        sums[group] += tensor[place]
        counts[group] += 1
    torch.testing.assert_close(groups.sums(tensor), sums)
    assert torch.equal(groups.counts(), counts)
    assert counts.min() >= 1  # no group is empty


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_sums_are_the_slopes_of_what_is_spread(granularity):
    groups = PrecisionGroups((3, 4, 5), granularity, axis=1, block_size=4)
    values = torch.randn(groups.n_groups, requires_grad=True)
    slopes = torch.randn(3, 4, 5)
    (groups.spread(values) * slopes).sum().backward()
    torch.testing.assert_close(groups.sums(slopes), values.grad)


def test_a_transposed_convolution_has_its_channels_second():
    groups = PrecisionGroups((2, 3, 2, 2), "channel", axis=1)
    assert groups.n_groups == 3
    assert groups.spread(torch.arange(3)).shape == (1, 3, 1, 1)
    assert groups.counts().tolist() == [8.0, 8.0, 8.0]


def test_the_last_block_of_a_channel_may_be_short():
    groups = PrecisionGroups((2, 20), "block")
    assert groups.n_groups == 4
    assert groups.counts().tolist() == [16.0, 4.0, 16.0, 4.0]
    spread = groups.spread(torch.arange(4))
    assert spread[1].tolist() == [2] * 16 + [3] * 4


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_single_number(granularity):
    groups = PrecisionGroups((), granularity)
    assert groups.n_groups == 1 and groups.counts().tolist() == [1.0]
    tensor = torch.tensor(3.0)
    assert groups.spread(torch.tensor([2.0])).expand(()) == 2.0
    assert groups.sums(tensor).tolist() == [3.0]


@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_an_empty_tensor(granularity):
    groups = PrecisionGroups((0, 3), granularity)
    sums = groups.sums(torch.zeros(0, 3))
    assert sums.shape == (groups.n_groups,) and float(sums.sum()) == 0.0


def test_errors_name_what_is_wrong():
    with pytest.raises(ValueError, match="granularity='row' is unknown"):
        PrecisionGroups((2, 3), "row")
    with pytest.raises(ValueError, match=r"axis=2 must be an integer in \[0, 1\]"):
        PrecisionGroups((2, 3), axis=2)
    with pytest.raises(ValueError, match="block_size=0"):
        PrecisionGroups((2, 3), "block", block_size=0)
