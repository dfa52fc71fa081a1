import numpy as np
import pytest
import torch

from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import BlackBoxFunction, remembered, with_price

Z = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("convert", "input"),
    [
        (lambda costs: costs, "torch"),
        (lambda costs: costs, "numpy"),
        (lambda costs: costs.tolist(), "torch"),
        (lambda costs: costs.numpy(), "torch"),
        (lambda costs: [float(cost) for cost in costs], "numpy"),
        (lambda costs: costs.int(), "torch"),
        (lambda costs: costs.astype(int), "numpy"),
    ],
)
def test_tensors_arrays_and_lists_are_costs(convert, input):
    J = BlackBoxFunction(lambda Z: convert(Z.sum(1)), 3, input=input)
    costs = J(Z)
    assert costs.dtype == Z.dtype
    assert costs.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("input", "kind"), [("torch", torch.Tensor), ("numpy", np.ndarray)]
)
def test_the_callable_gets_what_it_wants(input, kind):
    seen = []

    def function(Z):
        seen.append(Z)
        return Z.sum(1)

    BlackBoxFunction(function, 3, input=input)(Z)
    assert isinstance(seen[0], kind)


def test_a_callable_cannot_write_into_the_points():
    def function(Z):
        Z[:] = 0.0
        return Z.sum(1)

    with pytest.raises(ValueError, match="read-only"):
        BlackBoxFunction(function, 3, input="numpy")(Z)


def test_gradients_of_a_relaxable_callable():
    J = BlackBoxFunction(lambda Z: (Z**2).sum(1), 3, relaxable=True)
    points = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(J, points)


def test_a_relaxable_callable_must_not_detach():
    J = BlackBoxFunction(lambda Z: Z.detach().sum(1), 3, relaxable=True)
    with pytest.raises(ObjectiveError, match=r"relaxable=True.*no gradient"):
        J(Z.clone().requires_grad_())
    assert J(Z).tolist() == [2.0, 1.0]


def scalar(Z):
    return Z.sum()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (scalar, r"BlackBoxFunction\(scalar\) returned costs of shape \(\) for 2 rows"),
        (lambda Z: Z, r"shape \(2, 3\) for 2 rows; it must return shape \(2,\)"),
        (lambda Z: [1.0], r"shape \(1,\) for 2 rows"),
        (lambda Z: [1.0, np.nan], "returned the cost nan for row 1"),
        (lambda Z: np.array([np.inf, 0.0]), "returned the cost inf for row 0"),
        (lambda Z: None, r"returned None \(NoneType\)"),
        (lambda Z: ["low", "high"], r"returned \['low', 'high'\] \(list\)"),
        (lambda Z: [[1.0], [1.0, 2.0]], r"one real number a row"),
        (lambda Z: Z.sum(1) * 1j, "torch.complex64 costs"),
    ],
)
def test_what_is_not_one_finite_number_a_row_is_named(function, message):
    with pytest.raises(ObjectiveError, match=message):
        BlackBoxFunction(function, 3)(Z)


def test_errors_of_the_callable_pass_unchanged():
    def function(Z):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        BlackBoxFunction(function, 3)(Z)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "message"),
    [
        ((3, 3), {}, TypeError, "function must be callable.*got 3 of type int"),
        ((len, 0), {}, ValueError, "n_variables must be at least 1, got 0"),
        ((len, "3"), {}, TypeError, "n_variables must be an integer, got '3'"),
        ((len, 3), {"input": "jax"}, ValueError, "input must be one of.*'jax'"),
        ((len, 3), {"dtype": "double"}, TypeError, "dtype='double' must be a floating"),
        ((len, 3), {"dtype": torch.int64}, TypeError, "dtype=torch.int64 must be"),
        (
            (len, 3),
            {"input": "numpy", "relaxable": True},
            ValueError,
            "relaxable=True needs input='torch'",
        ),
    ],
)
def test_bad_parameters_are_named(arguments, keywords, error, message):
    with pytest.raises(error, match=message):
        BlackBoxFunction(*arguments, **keywords)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, torch.get_default_dtype()),
        ({"input": "numpy"}, torch.float64),
        ({"dtype": torch.float64}, torch.float64),
        ({"input": "numpy", "dtype": torch.float32}, torch.float32),
    ],
)
def test_the_dtype_that_searches_give_points_in(keywords, expected):
    J = BlackBoxFunction(lambda Z: Z.sum(1), 3, **keywords)
    assert J.points_dtype == expected
    assert remembered(J).points_dtype == with_price(J, 1.0).points_dtype == expected
