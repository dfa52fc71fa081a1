import itertools

import numpy as np
import pytest
import torch

from sklearn_pb.functions import (
    BlackBoxFunction,
    QuadraticFunction,
    TabularFunction,
    enumerate_points,
    tabulate,
)


def random_table(d, seed=0):
    return np.random.default_rng(seed).normal(size=2**d)


def multilinear_sum(values, theta):
    """The extension as the definition has it: a sum over the vertices."""
    total = 0.0
    for h, value in enumerate(values):
        bits = [(h >> i) & 1 for i in range(len(theta))]
        total += value * np.prod(
            [t if b else 1 - t for b, t in zip(bits, theta, strict=True)]
        )
    return total


def test_bit_i_of_the_index_is_variable_i():
    values = random_table(4)
    J = TabularFunction(values)
    for z in itertools.product((0, 1), repeat=4):
        h = sum(bit * 2**i for i, bit in enumerate(z))
        assert J(np.array([z], dtype=float)).item() == values[h]


@pytest.mark.parametrize("d", [1, 2, 5])
def test_relaxed_points_get_the_sum_over_all_vertices(d):
    values = random_table(d)
    theta = np.random.default_rng(1).random((6, d))
    expected = [multilinear_sum(values, row) for row in theta]
    np.testing.assert_allclose(TabularFunction(values)(theta).numpy(), expected)


def test_binary_points_cost_the_same_with_and_without_a_gradient():
    J = TabularFunction(random_table(6))
    Z = next(enumerate_points(6, dtype=torch.float64))
    assert torch.equal(J(Z.clone().requires_grad_()).detach(), J(Z))
    assert torch.equal(J(Z), J.values)


def test_the_extension_in_chunks_is_the_same(monkeypatch):
    J = TabularFunction(random_table(6))
    theta = torch.rand(50, 6, dtype=torch.float64)
    whole = J(theta)
    monkeypatch.setattr("sklearn_pb.functions._tabular._CHUNK_CELLS", 3 * 2**6)
    assert torch.equal(J(theta), whole)


def test_gradient_and_its_gradient():
    J = TabularFunction(random_table(4))
    theta = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(J, theta)
    assert torch.autograd.gradgradcheck(J, theta)


def test_the_partial_derivative_is_the_mean_of_the_flips():
    values = random_table(3)
    theta = torch.tensor([[0.2, 0.7, 0.4]], dtype=torch.float64, requires_grad=True)
    J = TabularFunction(values)
    (gradient,) = torch.autograd.grad(J(theta).sum(), theta)
    for i in range(3):
        high, low = theta.detach().clone(), theta.detach().clone()
        high[0, i], low[0, i] = 1.0, 0.0
        assert gradient[0, i].item() == pytest.approx((J(high) - J(low)).item())


def test_flip_deltas_are_differences():
    J = TabularFunction(random_table(5))
    z = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    flipped = (z[None] - torch.eye(5)).abs()
    torch.testing.assert_close(J.flip_deltas(z), J(flipped) - J(z[None]))


def test_the_table_is_a_copy():
    values = random_table(2)
    J = TabularFunction(values)
    values[:] = 0.0
    assert (J.values != 0).all()


def test_a_list_keeps_its_precision():
    assert TabularFunction([0.1, 0.2]).values.tolist() == [0.1, 0.2]


@pytest.mark.parametrize("values", [[1.0], [1.0] * 3, np.ones((2, 2)), []])
def test_a_length_that_is_no_power_of_two_is_refused(values):
    with pytest.raises(ValueError, match=r"2\^d costs"):
        TabularFunction(values)


def test_costs_must_be_finite():
    with pytest.raises(ValueError, match=r"values\[2\] = inf"):
        TabularFunction([0.0, 1.0, np.inf, 2.0])


@pytest.mark.parametrize("chunk_size", [None, 1, 3, 8, 100])
def test_points_come_in_order_whatever_the_chunks(chunk_size):
    chunks = list(enumerate_points(3, chunk_size=chunk_size))
    expected = [z[::-1] for z in itertools.product((0.0, 1.0), repeat=3)]
    assert torch.cat(chunks).tolist() == [list(z) for z in expected]
    assert max(map(len, chunks)) <= (chunk_size or 8)


def test_a_chunk_of_a_huge_cube_is_cheap():
    chunk = next(enumerate_points(60, chunk_size=5, dtype=torch.float64))
    assert chunk.shape == (5, 60)
    assert chunk.dtype == torch.float64


@pytest.mark.parametrize("d", [0, -1, 63])
def test_enumeration_has_a_range(d):
    with pytest.raises(ValueError, match=f"n_variables must be between 1 and 62.*{d}"):
        enumerate_points(d)


def test_enumeration_wants_integers_and_rows():
    with pytest.raises(TypeError, match=r"n_variables must be an integer, got 2\.5"):
        enumerate_points(2.5)
    with pytest.raises(ValueError, match="chunk_size must be at least 1, got 0"):
        enumerate_points(2, chunk_size=0)


def test_tabulate_is_the_function():
    rng = np.random.default_rng(0)
    J = QuadraticFunction(rng.normal(size=(7, 7)), linear=rng.normal(size=7))
    table = tabulate(J)
    Z = torch.rand(9, 7, dtype=torch.float64)
    torch.testing.assert_close(table(Z), J(Z))
    assert table.n_variables == 7


def test_tabulate_refuses_many_variables_and_names_both_numbers():
    J = BlackBoxFunction(lambda Z: Z.sum(1), 21)
    with pytest.raises(ValueError, match=r"n_variables=21.*max_variables=20"):
        tabulate(J)
    with pytest.raises(ValueError, match=r"n_variables=21.*max_variables=5"):
        tabulate(J, max_variables=5)
