import itertools

import numpy as np
import pytest
import torch

from sklearn_pb.functions import DeceptiveFunction, SaddleFunction, tabulate
from sklearn_pb.testing import check_function


def by_definition(z, solution, m, M0, dM):
    distance = int((z != solution).sum())
    return m if distance == 0 else M0 - distance * dM / len(z)


def test_table_4_1():
    m, M0, dM = -7.0, 2.0, 3.0
    values = tabulate(DeceptiveFunction(3, m, M0, dM)).values.tolist()
    two, one = M0 - 2 * dM / 3, M0 - dM / 3
    assert values == pytest.approx([M0 - dM, two, two, one, two, one, one, m])


@pytest.mark.parametrize("solution", [None, [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]])
def test_costs_are_those_of_the_theorem(solution):
    m, M0, dM = -0.3, 1.5, 1.25
    J = DeceptiveFunction(5, m, M0, dM, solution=solution)
    Z = np.array(list(itertools.product([0, 1], repeat=5)), dtype=float)
    best = np.ones(5) if solution is None else np.array(solution)
    expected = [by_definition(z, best, m, M0, dM) for z in Z]
    np.testing.assert_allclose(J(Z).numpy(), expected, rtol=1e-12)
    np.testing.assert_array_equal(Z[np.argmin(J(Z).numpy())], best)
    np.testing.assert_array_equal(Z[np.argsort(J(Z).numpy())[1]], 1 - best)


@pytest.mark.parametrize("d", [1, 2, 9])
def test_contract(d):
    check_function(DeceptiveFunction(d))
    check_function(DeceptiveFunction(d, -4.0, solution=np.arange(d) % 2))


@pytest.mark.parametrize("d", [1, 2, 6])
def test_flip_deltas_everywhere(d):
    J = DeceptiveFunction(d, -2.0, solution=np.arange(d) % 2)
    table = tabulate(J)
    for point in itertools.product([0.0, 1.0], repeat=d):
        z = torch.tensor(point)
        torch.testing.assert_close(J.flip_deltas(z), table.flip_deltas(z))


def test_relaxed_points_get_the_expected_cost():
    J = DeceptiveFunction(6, -2.0, solution=[1, 0, 0, 1, 1, 0])
    Z = torch.rand(10, 6, dtype=torch.float64)
    Z[0, :2] = torch.tensor([0.0, 1.0])  # zeros in the product
    Z.requires_grad_()
    expected = tabulate(J)(Z)
    torch.testing.assert_close(J(Z), expected)
    (slope,) = torch.autograd.grad(J(Z).sum(), Z)
    (exact,) = torch.autograd.grad(expected.sum(), Z)
    torch.testing.assert_close(slope, exact)


def exact_agreement(J, theta):
    """The left-hand side of (4.20), both gradients from the tables of all points."""
    theta = theta.clone().requires_grad_()
    (cost,) = torch.autograd.grad(tabulate(J)(theta[None]).sum(), theta)
    solution = J.solution
    chance = (theta * solution + (1 - theta) * (1 - solution)).prod()
    (ascent,) = torch.autograd.grad(chance, theta)
    return -cost * ascent


@pytest.mark.parametrize("seed", range(30))
def test_sign_condition_of_theorem_5(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 9))
    M0, dM = rng.normal(), rng.exponential()
    gap = np.exp(rng.uniform(np.log(0.01), np.log(30)))
    J = DeceptiveFunction(d, M0 - dM - gap, M0, dM, solution=rng.integers(0, 2, size=d))
    for sharpness in (0.3, 1.0, 3.0):
        logits = torch.from_numpy(sharpness * rng.normal(size=d))
        theta = torch.sigmoid(logits)
        expected = exact_agreement(J, theta) >= 0
        assert torch.equal(J.points_to_solution(theta), expected)


@pytest.mark.parametrize("d", [1, 3, 7])
def test_the_bound_is_where_the_gradient_vanishes(d):
    theta = torch.linspace(0.55, 0.95, d, dtype=torch.float64)
    M0, dM = 0.5, 2.0
    bounds = DeceptiveFunction(d, -100.0, M0, dM).largest_minimum(theta)
    for i, bound in enumerate(bounds.tolist()):
        for shift, sign in [(-1e-3, 1), (1e-3, -1)]:
            m = bound + shift
            if m < M0 - dM:
                agreement = exact_agreement(DeceptiveFunction(d, m, M0, dM), theta)
                assert torch.sign(agreement[i]) == sign


@pytest.mark.parametrize("error", [0.1, 0.4])
def test_corollary_6(error):
    """The bound falls like (1 / (1 - eps))^d / d."""
    J = {d: DeceptiveFunction(d, -5.0, 1.0, 2.0) for d in (4, 8, 200)}
    for d, function in J.items():
        same = torch.full((d,), 1 - error, dtype=torch.float64)
        bound = 1.0 - 2.0 / (d * (1 - error) ** (d - 1))
        torch.testing.assert_close(
            function.largest_minimum(same), torch.full_like(same, bound)
        )
        # Where variables are more uncertain still, less is enough to fail.
        lower = same - torch.linspace(0, 0.3, d, dtype=torch.float64)
        assert (function.largest_minimum(lower) <= bound + 1e-12).all()
    theta = torch.full((200,), 1 - error)
    assert not J[200].points_to_solution(theta).any()


def test_descent_on_the_exact_expected_cost_leaves_a_close_solution():
    """Section 4.3.2: for large d it fails even from a start near the solution."""

    def end(d):
        J = DeceptiveFunction(d)
        theta = torch.full((1, d), 0.85, dtype=torch.float64)
        for _ in range(400):
            theta.requires_grad_()
            (slope,) = torch.autograd.grad(J(theta).sum(), theta)
            theta = (theta - 0.5 * slope).detach().clamp(0, 1)
        return theta[0]

    assert torch.equal(end(5), torch.ones(5, dtype=torch.float64))
    assert torch.equal(end(40), torch.zeros(40, dtype=torch.float64))


def test_other_variables_that_are_surely_wrong():
    J = DeceptiveFunction(3)
    bounds = J.largest_minimum(torch.tensor([0.0, 0.9, 0.9]))
    assert bounds[0] == pytest.approx(1 - 1 / (3 * 0.81))
    assert torch.isneginf(bounds[1:]).all()


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"m": 0.0}, ValueError, r"m=0\.0 must be less than M0 - dM = 0\.0"),
        ({"dM": 0.0}, ValueError, "dM=0"),
        ({"M0": None}, TypeError, "M0=None"),
        ({"solution": [1, 0]}, ValueError, "n_variables=3 zeros and ones"),
        ({"solution": [1, 0, 0.5]}, ValueError, r"0\.5"),
    ],
)
def test_bad_parameters_are_named(keywords, error, message):
    with pytest.raises(error, match=message):
        DeceptiveFunction(3, **keywords)


@pytest.mark.parametrize("theta", [[0.5, 0.5], [0.5, 0.5, 1.5]])
def test_bad_probabilities_are_named(theta):
    with pytest.raises(ValueError, match="probabilities"):
        DeceptiveFunction(3).points_to_solution(np.array(theta))


def test_saddle():
    """Example 9 of Silva (2023)."""
    J = SaddleFunction(-1.0, 2.0)
    assert J.values.tolist() == [2.0, -1.0, -1.0, 2.0]
    check_function(J)


@pytest.mark.parametrize("off", [0.0, 1e-3])
def test_exact_descent_stays_on_the_saddle_and_leaves_beside_it(off):
    J = SaddleFunction()
    theta = torch.tensor([[0.5, 0.5 + off]], dtype=torch.float64)
    for _ in range(200):
        theta.requires_grad_()
        (slope,) = torch.autograd.grad(J(theta).sum(), theta)
        theta = (theta - 0.1 * slope).detach().clamp(0, 1)
    expected = [[0.5, 0.5]] if off == 0 else [[0.0, 1.0]]
    assert theta.tolist() == expected


def test_saddle_costs_are_checked():
    with pytest.raises(ValueError, match=r"low=1\.0 must be less than high=1\.0"):
        SaddleFunction(1.0, 1.0)
