"""The price of ones on top of any function, whatever that function can do."""

import numpy as np
import pytest
import torch

from sklearn_pb.functions import (
    LABS,
    BlackBoxFunction,
    MaxSAT,
    PolynomialFunction,
    QuadraticFunction,
    enumerate_points,
    with_price,
)
from sklearn_pb.testing import check_function

FUNCTIONS = {
    "quadratic": lambda: QuadraticFunction(np.arange(16.0).reshape(4, 4) - 7),
    "polynomial": lambda: PolynomialFunction({(): 1.0, (0, 1, 2): -4.0, (1, 3): 2.0}),
    "clauses": lambda: MaxSAT([[1, -2, 3], [-1, 4], [2, -4]]),
    "sequence": lambda: LABS(4),
    "black box": lambda: BlackBoxFunction(lambda Z: (Z.sum(1) - 2) ** 2, 4),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_one_costs_its_price(name):
    J = FUNCTIONS[name]()
    priced = with_price(J, 0.75)
    points = next(enumerate_points(4)).double()
    torch.testing.assert_close(priced(points), J(points) + 0.75 * points.sum(1))
    assert priced.has_flips == J.has_flips
    check_function(priced)


@pytest.mark.parametrize("name", ["polynomial", "clauses", "sequence"])
def test_terms_stay_known(name):
    J = FUNCTIONS[name]()
    points = next(enumerate_points(4)).double()
    polynomial = with_price(J, 0.75).to_polynomial()
    torch.testing.assert_close(polynomial(points), J(points) + 0.75 * points.sum(1))


def test_a_quadratic_function_stays_one_and_no_price_changes_nothing():
    J = FUNCTIONS["quadratic"]()
    assert isinstance(with_price(J, 0.75), QuadraticFunction)
    assert with_price(J, 0.0) is J


def test_without_terms_there_is_no_polynomial():
    assert not hasattr(with_price(FUNCTIONS["black box"](), 1.0), "to_polynomial")
