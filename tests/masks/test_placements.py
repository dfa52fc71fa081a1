"""Each placement against one another way to say the same: a matrix of memberships."""

import pytest
import torch

from sklearn_pb.masks import Singles, Slices, Tiles

SHAPE = torch.Size([5, 3, 2])
PLACEMENTS = {
    "singles": Singles("w", SHAPE, 4),
    "tiles": Tiles("w", SHAPE, 4, (2, 4)),
    "slices": Slices("w", SHAPE, 0, torch.tensor([4, 5, -1, 4, 7])),
    "second axis": Slices("w", SHAPE, 1, torch.tensor([6, 6, 5])),
}
D = 40


def membership(placement):
    """One row a variable, one column a weight, by hand."""
    member = torch.zeros(D, *SHAPE, dtype=torch.bool)
    for o in range(5):
        for i in range(3):
            for k in range(2):
                column = 2 * i + k
                variable = {
                    "Singles": 4 + 6 * o + column,
                    "Tiles": 4 + (o // 2) * 2 + column // 4,
                }.get(type(placement).__name__)
                if variable is None:
                    variable = int(placement.index[(o, i, k)[placement.axis]])
                if variable >= 0:
                    member[variable, o, i, k] = True
    return member


@pytest.mark.parametrize("name", PLACEMENTS)
def test_spread_gives_each_weight_its_variable(name):
    placement = PLACEMENTS[name]
    variables = torch.rand(D)
    spread = placement.spread(variables).expand(SHAPE)
    member = membership(placement)
    for index in torch.cartesian_prod(*(torch.arange(n) for n in SHAPE)).tolist():
        owners = member[(slice(None), *index)].nonzero().flatten()
        expected = variables[owners[0]] if len(owners) else torch.tensor(1.0)
        assert spread[tuple(index)] == expected


@pytest.mark.parametrize("name", PLACEMENTS)
def test_sums_are_over_the_weights_of_a_variable(name):
    placement = PLACEMENTS[name]
    values = torch.rand(SHAPE, dtype=torch.float64)
    totals = torch.ones(D, dtype=torch.float64)
    placement.add_sums_(values, totals)
    expected = 1 + (membership(placement) * values).flatten(1).sum(1)
    torch.testing.assert_close(totals, expected)


@pytest.mark.parametrize("shape, block", [((8, 8), (4, 4)), ((3, 5), (1, 16))])
def test_blocks_at_the_edges_are_smaller(shape, block):
    tiles = Tiles("w", torch.Size(shape), 0, block)
    totals = torch.zeros(tiles.grid[0] * tiles.grid[1])
    tiles.add_sums_(torch.ones(shape), totals)
    assert totals.sum() == shape[0] * shape[1]
    assert totals.max() <= block[0] * block[1]
