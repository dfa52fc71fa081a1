import numpy as np
import pytest
import torch

from sklearn_pb.functions import (
    MisleadingHill,
    QuadraticDistance,
    SteepBarriers,
    enumerate_points,
    tabulate,
)
from sklearn_pb.testing import check_function

KINDS = [SteepBarriers, MisleadingHill, QuadraticDistance]


def barriers(z):
    """Example 6 of Silva (2023), case by case."""
    if z < 0.125:
        return -1 - 2 * z
    if z < 0.13:
        return -51 + 398 * z
    if z < 0.87:
        return 1 - 2 * z
    if z < 0.875:
        return -347 + 398 * z
    return 3 - 2 * z


def hill(z):
    """Example 7 of Silva (2023), case by case."""
    if z < 0.4:
        return 2 - 12.5 * (z - 0.4) ** 2
    return 2 - (z - 0.4) ** 2 / 0.36


CURVES = {
    SteepBarriers: barriers,
    MisleadingHill: hill,
    QuadraticDistance: lambda z: (z - 0.499) ** 2,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_is_that_of_the_example(kind):
    z = np.r_[np.linspace(0, 1, 2001), 0.125, 0.13, 0.87, 0.875, 0.4]
    expected = [CURVES[kind](value) for value in z]
    np.testing.assert_allclose(kind()(z[:, None]).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 5])
def test_contract(kind, d):
    check_function(kind(n_variables=d))


@pytest.mark.parametrize("kind", KINDS)
def test_more_variables_add_up(kind):
    Z = torch.rand(20, 3, dtype=torch.float64)
    single = kind()
    expected = sum(single(Z[:, i : i + 1]) for i in range(3))
    torch.testing.assert_close(kind(n_variables=3)(Z), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_is_the_solution_by_enumeration(kind):
    values = tabulate(kind(n_variables=4)).values
    assert values.argmin() == 0
    assert (values == values[0]).sum() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("kind", "at_zero"), [(SteepBarriers, -1), (MisleadingHill, 0)]
)
def test_the_costs_of_the_corners_are_exact(kind, at_zero, dtype):
    assert kind()(torch.tensor([[0.0], [1.0]], dtype=dtype)).tolist() == [at_zero, 1]


def continuation(J, learning_rates, x0=0.0):
    """Gradient descent on J(sigma(x / tau)), tau falling from 1 to 1/200.

    100 steps at each temperature, as in figure 3.4, with all learning rates at once.
    Returns 1[x > 0] for each.
    """
    learning_rates = torch.tensor(learning_rates, dtype=torch.float64)[:, None]
    x = torch.full_like(learning_rates, x0)
    for beta in np.geomspace(1, 200, 20):
        for _ in range(100):
            x.requires_grad_()
            (slope,) = torch.autograd.grad(J(torch.sigmoid(beta * x)).sum(), x)
            x = (x - learning_rates * slope).detach()
    return (x > 0).int()[:, 0].tolist()


def test_barriers_need_a_learning_rate_that_meets_them():
    """Small steps stop at the second barrier, very large ones go over it."""
    small, right, large = [0.0001, 0.001, 0.01], [0.1, 0.2, 0.5], [1.0, 3.0]
    ends = continuation(SteepBarriers(), small + right + large)
    assert ends == [1, 1, 1, 0, 0, 0, 1, 1]


def test_the_hill_sends_continuation_to_the_wrong_end_whatever_the_learning_rate():
    assert continuation(MisleadingHill(), [0.001, 0.1, 1.0, 30.0]) == [1, 1, 1, 1]


def test_a_start_left_of_the_top_saves_continuation():
    left = np.log(0.4 / 0.6) - 0.01
    assert continuation(MisleadingHill(), [0.01, 0.1, 1.0], x0=left) == [0, 0, 0]


def test_so_does_one_right_of_it_where_the_temperature_outruns_small_steps():
    """The source asks for x_init < logit(0.4); with x < 0 the annealing helps too."""
    right = np.log(0.4 / 0.6) + 0.01
    assert continuation(MisleadingHill(), [0.01, 0.1, 1.0], x0=right) == [0, 1, 1]


@pytest.mark.parametrize("kind", [SteepBarriers, MisleadingHill])
def test_the_expected_cost_does_not_mislead(kind):
    """The same descent on the multilinear extension finds the solution."""
    assert continuation(tabulate(kind()), [0.001, 0.1, 1.0]) == [0, 0, 0]


@pytest.mark.parametrize("start", [0.01, 0.3, 0.5, 0.99])
def test_straight_through_is_drawn_to_the_target(start):
    """Its expected step, the mean slope at samples, is 2 (theta - C)."""
    target, theta = 0.499, start
    J = QuadraticDistance(target)
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64, requires_grad=True)
    at_zero, at_one = torch.autograd.grad(J(ends).sum(), ends)[0][:, 0].tolist()
    for _ in range(300):
        theta -= 0.05 * ((1 - theta) * at_zero + theta * at_one)
    assert theta == pytest.approx(target)
    at_zero, at_one = J(ends.detach()).tolist()
    assert at_one - at_zero == pytest.approx(1 - 2 * target)  # the exact gradient


@pytest.mark.parametrize("kind", KINDS)
def test_its_quadratic_has_another_relaxation(kind):
    J = kind(n_variables=3)
    quadratic = J.to_quadratic()
    points = next(enumerate_points(3, dtype=torch.float64))
    torch.testing.assert_close(quadratic(points), J(points))
    half = torch.full((1, 3), 0.45, dtype=torch.float64)
    torch.testing.assert_close(quadratic(half), tabulate(J)(half))
    assert abs(quadratic(half) - J(half)) > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_variables_is_checked(kind):
    with pytest.raises(ValueError, match="n_variables must be at least 1, got 0"):
        kind(n_variables=0)


@pytest.mark.parametrize(
    ("target", "error"), [("half", TypeError), (np.nan, ValueError)]
)
def test_the_target_is_checked(target, error):
    with pytest.raises(error, match="target"):
        QuadraticDistance(target)
