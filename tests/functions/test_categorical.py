import itertools
import math

import numpy as np
import pytest
import torch

from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import CategoricalFunction, enumerate_points, tabulate
from sklearn_pb.testing import check_function

SIZES = [[2], [3], [5, 2], [6, 1, 7], [8, 4], [1, 9]]


def cost(C):
    """Any function that tells all categories apart."""
    steps = torch.tensor([1.0, 13.0, 101.0])[: C.shape[1]]
    return ((C + 1) ** 2 * steps).sum(1).sin()


@pytest.mark.parametrize("sizes", SIZES)
def test_number_of_bits(sizes):
    J = CategoricalFunction(cost, sizes)
    bits = tuple(math.ceil(math.log2(K)) for K in sizes)
    assert J.n_bits == bits
    assert J.n_variables == sum(bits)


@pytest.mark.parametrize("sizes", SIZES)
def test_all_points_against_all_categories(sizes):
    J = CategoricalFunction(cost, sizes)
    Z = next(enumerate_points(J.n_variables))
    categories = J.decode(Z)
    everything = set(itertools.product(*(range(K) for K in sizes)))
    assert set(map(tuple, categories.tolist())) == everything
    torch.testing.assert_close(J(Z), cost(categories))
    best = cost(torch.tensor(sorted(everything))).min()
    torch.testing.assert_close(J(Z).min(), best)


@pytest.mark.parametrize("sizes", SIZES)
def test_codes_are_binary_numbers_and_spare_ones_start_over(sizes):
    J = CategoricalFunction(cost, sizes)
    Z = next(enumerate_points(J.n_variables)).numpy()
    stop = np.cumsum(J.n_bits)
    for column, (K, b, end) in enumerate(zip(sizes, J.n_bits, stop, strict=True)):
        code = Z[:, end - b : end] @ (2 ** np.arange(b))
        assert np.array_equal(J.decode(Z)[:, column].numpy(), code % K)


@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_decode_undoes_encode(sizes, spare):
    J = CategoricalFunction(cost, sizes)
    categories = list(itertools.product(*(range(K) for K in sizes)))
    Z = J.encode(categories, spare=spare)
    assert Z.shape == (len(categories), J.n_variables)
    assert J.decode(Z).tolist() == [list(row) for row in categories]


def test_spare_codes():
    J = CategoricalFunction(cost, [5])
    first, second = J.encode([[2], [4]]), J.encode([[2], [4]], spare=True)
    assert first.tolist() == [[0, 1, 0], [0, 0, 1]]  # 2 and 4
    assert second.tolist() == [[1, 1, 1], [0, 0, 1]]  # 7, and 4 has no other code


def test_powers_of_two_have_one_code_each():
    J = CategoricalFunction(cost, [8, 4])
    Z = next(enumerate_points(5))
    assert torch.equal(J.encode(J.decode(Z)), Z)


@pytest.mark.parametrize("input", ["torch", "numpy"])
def test_contract(input):
    def function(C):
        assert isinstance(C, torch.Tensor if input == "torch" else np.ndarray)
        assert str(C.dtype).endswith("int64")
        return (C**2).sum(1)

    check_function(CategoricalFunction(function, [5, 3, 9], input=input))


def test_a_table_of_categories():
    table = np.random.default_rng(0).normal(size=(5, 7))
    J = CategoricalFunction(lambda C: table[C[:, 0], C[:, 1]], [5, 7], input="numpy")
    values = tabulate(J).values
    number = values.argmin().item()
    z = [(number >> i) & 1 for i in range(6)]
    best = np.unravel_index(table.argmin(), table.shape)
    assert tuple(J.decode(np.array([z]))[0].tolist()) == best
    assert values.min() == table.min()


def test_very_many_categories():
    K = 2**62 - 3
    J = CategoricalFunction(lambda C: C[:, 0] / K, [K])
    assert J.n_variables == 62
    assert J.decode(J.encode([[K - 1]])).item() == K - 1
    assert J.decode(torch.ones(1, 62)).item() == 2


def test_relaxed_points_are_refused():
    with pytest.raises(ValueError, match="zeros and ones"):
        CategoricalFunction(cost, [4])(torch.tensor([[0.5, 1.0]]))


def test_costs_are_checked():
    J = CategoricalFunction(lambda C: C[:, 0] / 0, [4])
    with pytest.raises(ObjectiveError, match=r"CategoricalFunction\(<lambda>\)"):
        J(torch.ones(1, 2))


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ([0, 2], ValueError, r"n_categories\[0\]=0"),
        ([2, 2.5], TypeError, r"n_categories\[1\]=2\.5"),
        (4, TypeError, "sequence of integers, got 4"),
        ([1, 1], ValueError, "nothing to choose"),
        ([], ValueError, "nothing to choose"),
    ],
)
def test_bad_numbers_of_categories_are_named(sizes, error, message):
    with pytest.raises(error, match=message):
        CategoricalFunction(cost, sizes)


@pytest.mark.parametrize("categories", [[[3, 0]], [[-1, 0]], [[0.5, 0]], [[1]], [1, 0]])
def test_bad_categories_are_named(categories):
    with pytest.raises(ValueError, match="categories"):
        CategoricalFunction(cost, [3, 2]).encode(categories)


def test_bad_points_are_named():
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        CategoricalFunction(cost, [3, 2]).decode(np.zeros((1, 4)))
