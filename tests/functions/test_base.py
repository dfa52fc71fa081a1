"""What every function promises, whatever it computes."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris

from sklearn_pb.exceptions import ObjectiveError
from sklearn_pb.functions import (
    BlackBoxFunction,
    ExponentialTabularLoss,
    NNLoss,
    PseudoBooleanFunction,
    QuadraticFunction,
    SubsetSelection,
    TabularFunction,
)


def count_ones(Z):
    return Z.sum(1)


FUNCTIONS = {
    "tabular": lambda: TabularFunction(np.arange(16.0) ** 2),
    "exponential": lambda: ExponentialTabularLoss(5, random_state=0),
    "network": lambda: NNLoss(6, random_state=0),
    "quadratic": lambda: QuadraticFunction(np.arange(16.0).reshape(4, 4)),
    "sparse": lambda: QuadraticFunction(sparse.eye_array(5), linear=np.ones(5)),
    "black box": lambda: BlackBoxFunction(count_ones, 3, relaxable=True),
    "linear subset": lambda: SubsetSelection("linear").bind(
        *load_diabetes(return_X_y=True)
    ),
    "logistic subset": lambda: SubsetSelection().bind(*load_iris(return_X_y=True)),
}


@pytest.fixture(params=FUNCTIONS, name="J")
def make_function(request):
    return FUNCTIONS[request.param]()


def random_points(J, n=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, (n, J.n_variables), generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_cost_a_row_in_the_dtype_of_the_points(J, dtype):
    costs = J(random_points(J).to(dtype))
    assert costs.shape == (7,)
    assert costs.dtype == dtype


def test_integers_booleans_and_arrays_are_points_too(J):
    Z = random_points(J)
    expected = J(Z.double())
    for points in (Z, Z.bool(), Z.numpy(), Z.numpy().astype(float)):
        torch.testing.assert_close(
            J(points).double(), expected, rtol=1e-4, atol=1e-4, check_dtype=False
        )


def test_rows_are_independent_of_each_other(J):
    Z = random_points(J).double()
    one_by_one = torch.cat([J(row[None]) for row in Z])
    torch.testing.assert_close(J(Z), one_by_one, rtol=1e-5, atol=1e-5)


def test_no_rows_give_no_costs(J):
    assert J(torch.zeros(0, J.n_variables)).shape == (0,)


def test_pickles_and_copies_give_the_same_costs(J):
    Z = random_points(J).double()
    expected = J(Z)
    for other in (pickle.loads(pickle.dumps(J)), copy.deepcopy(J)):
        assert torch.equal(other(Z), expected)


def test_gradients_flow_through_relaxable_functions(J):
    assert J.relaxable
    Z = torch.rand(3, J.n_variables, requires_grad=True)
    J(Z).sum().backward()
    assert torch.isfinite(Z.grad).all()
    assert (Z.grad != 0).any()


@pytest.mark.parametrize("shape", [(3, 99), (4,), (2, 3, 4)])
def test_points_of_another_shape_are_refused(J, shape):
    with pytest.raises(ValueError, match=rf"\(n, {J.n_variables}\)"):
        J(torch.zeros(shape))


class Broken(PseudoBooleanFunction):
    """Returns what it was made with."""

    n_variables = 2

    def __init__(self, costs):
        self.costs = torch.tensor(costs)

    def _evaluate(self, Z):
        return self.costs


def test_a_wrong_number_of_costs_is_named():
    with pytest.raises(ObjectiveError, match=r"Broken.*\(3,\) for 2 rows.*\(2,\)"):
        Broken([1.0, 2.0, 3.0])(torch.zeros(2, 2))


def test_a_cost_that_is_not_finite_is_named_with_its_row():
    with pytest.raises(ObjectiveError, match="Broken returned the cost nan for row 1"):
        Broken([1.0, float("nan")])(torch.zeros(2, 2))
