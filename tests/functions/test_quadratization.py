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
    quadratize,
    tabulate,
)


def random_polynomial(seed, degree, d=5, n=4):
    rng = np.random.default_rng(seed)
    terms = {tuple(rng.choice(d, degree, replace=False).tolist()): rng.normal()}
    for _ in range(n - 1):
        size = int(rng.integers(1, degree + 1))
        terms[tuple(rng.choice(d, size, replace=False).tolist())] = rng.normal()
    return PolynomialFunction(terms, d)


def least_over_auxiliaries(result):
    """The minimum for each original point, by enumeration of all points."""
    costs = tabulate(result.function).values
    return costs.reshape(-1, 2**result.n_original).min(0).values


@pytest.mark.parametrize("degree", [3, 4, 5])
@pytest.mark.parametrize("seed", range(100))
def test_the_minimum_over_auxiliaries_is_the_original(seed, degree):
    J = random_polynomial(seed, degree)
    result = quadratize(J)
    assert isinstance(result.function, QuadraticFunction)
    assert result.function.n_variables == 5 + len(result.pairs)
    torch.testing.assert_close(least_over_auxiliaries(result), tabulate(J).values)


@pytest.mark.parametrize("seed", range(20))
def test_extended_points_cost_the_same(seed):
    J = random_polynomial(seed, 4)
    result = quadratize(J)
    Z = next(enumerate_points(5, dtype=torch.float64))
    extended = result.extend(Z)
    torch.testing.assert_close(result.function(extended), J(Z))
    assert torch.equal(result.restrict(extended), Z)


@pytest.mark.parametrize("seed", range(10))
def test_restricted_points_cost_no_more(seed):
    J = random_polynomial(seed, 4)
    result = quadratize(J)
    Z = next(enumerate_points(result.function.n_variables, dtype=torch.float64))
    assert (J(result.restrict(Z)) <= result.function(Z) + 1e-9).all()


def test_shared_pairs_are_replaced_once():
    terms = {(0, 1, k): 1.0 for k in range(2, 9)}
    assert quadratize(PolynomialFunction(terms)).pairs == [(0, 1)]
    assert len(quadratize(PolynomialFunction({(0, 1, 2, 3, 4): 1.0})).pairs) == 3


def test_a_penalty_of_ones_own():
    J = PolynomialFunction({(0, 1, 2): -1.0})
    large, small = quadratize(J, penalty=7.0), quadratize(J, penalty=0.1)
    assert large.function.Q[0, 1].item() == 3.5
    torch.testing.assert_close(least_over_auxiliaries(large), tabulate(J).values)
    assert (least_over_auxiliaries(small) < tabulate(J).values - 0.1).any()


def test_other_families():
    for J in (LABS(5), MaxSAT([[1, 2, 3], [-1, -2, 3, -4]])):
        result = quadratize(J)
        torch.testing.assert_close(least_over_auxiliaries(result), tabulate(J).values)


def test_quadratic_functions_need_no_auxiliaries():
    J = QuadraticFunction([[1.0, 2.0], [0.0, -1.0]])
    result = quadratize(J)
    assert result.function is J and result.pairs == []
    J = PolynomialFunction({(0, 1): 1.0, 2: 3.0})
    assert quadratize(J).pairs == []
    quadratic = tabulate(quadratize(J).function)
    torch.testing.assert_close(quadratic.values, tabulate(J).values)


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"to_polynomial\(\), but BlackBoxFunction"):
        quadratize(BlackBoxFunction(lambda Z: Z.sum(1), 3))
    J = PolynomialFunction({(0, 1, 2): 1.0})
    with pytest.raises(ValueError, match="penalty=0"):
        quadratize(J, penalty=0)
    result = quadratize(J)
    with pytest.raises(ValueError, match="must have 3 columns"):
        result.extend(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="must have 4 columns"):
        result.restrict(torch.zeros(2, 3))
