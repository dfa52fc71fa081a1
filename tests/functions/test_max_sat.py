import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import MaxSAT, enumerate_points, tabulate


def random_clauses(rng, d, n, longest=4):
    return [
        (rng.choice([-1, 1], k) * rng.integers(1, d + 1, k)).tolist()
        for k in rng.integers(0, longest + 1, n)
    ]


def violated(clauses, z):
    """Whether each clause is violated, as a clause is read."""
    return [not any((lit > 0) == bool(z[abs(lit) - 1]) for lit in c) for c in clauses]


@pytest.mark.parametrize("seed", range(60))
def test_costs_are_the_weights_of_violated_clauses(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 7))
    soft, hard = (random_clauses(rng, d, int(n)) for n in rng.integers(0, 12, 2))
    weights = rng.integers(0, 5, len(soft)) if seed % 2 else rng.random(len(soft))
    J = MaxSAT(soft, weights, hard, n_variables=d)
    assert J.hard_weight == pytest.approx(sum(weights) + 1)
    for z in next(enumerate_points(d, dtype=torch.float64)):
        broken = violated(hard, z)
        cost = np.dot(weights, violated(soft, z)) + J.hard_weight * sum(broken)
        assert J(z[None]).item() == pytest.approx(cost)
        assert J.n_violated(z[None]).item() == sum(violated(soft + hard, z))
        assert J.n_hard_violated(z[None]).item() == sum(broken)
        assert (J(z[None]).item() < J.hard_weight) == (sum(broken) == 0)


@pytest.mark.parametrize("seed", range(30))
def test_the_polynomial_is_equal(seed):
    rng = np.random.default_rng(seed)
    J = MaxSAT(random_clauses(rng, 6, 9, 6), None, random_clauses(rng, 6, 2), 6)
    Z = next(enumerate_points(6, dtype=torch.float64))
    torch.testing.assert_close(J.to_polynomial()(Z), J(Z))


def test_relaxed_points_get_the_expected_cost():
    J = MaxSAT([[1, -2, 3], [-1, 4], [2]], [2.0, 1.0, 0.5], [[-3, -4]])
    theta = np.random.default_rng(0).random((5, 4))
    np.testing.assert_allclose(J(theta).numpy(), tabulate(J)(theta).numpy())


@pytest.mark.parametrize("large", [2.0**53, 2.0**60 + 2**10, 1e30, 1e307])
def test_a_hard_clause_exceeds_soft_ones_of_any_size(large):
    J = MaxSAT([[1], [1, 2], [1, 3]], [large, 0.1, large / 3], hard=[[-1]])
    feasible, broken = J(torch.tensor([[0.0, 0, 0], [1, 1, 1]]).double()).tolist()
    assert feasible < J.hard_weight <= broken
    assert MaxSAT([[1]], [2.0**29]).hard_weight == 2.0**29 + 1


def test_without_weights_a_clause_costs_one():
    J = MaxSAT([[1], [1, 2], [-2]])
    assert J.weights.tolist() == [1.0, 1.0, 1.0]
    assert J(torch.zeros(1, 2)).item() == 2.0


def test_repeated_and_complementary_literals():
    once, twice = MaxSAT([[1, -2]]), MaxSAT([[1, -2, 1, -2]])
    Z = next(enumerate_points(2))
    assert torch.equal(once(Z), twice(Z))
    assert (MaxSAT([[1, -2, -1]])(Z) == 0).all()
    assert (MaxSAT([[], [1, -1]], n_variables=2)(Z) == 1).all()


def test_long_clauses_are_not_expanded():
    literals = list(range(1, 61))
    J = MaxSAT([literals])
    points = np.zeros((2, 60))
    points[1, 30] = 1
    assert J(points).tolist() == [1.0, 0.0]
    assert J.neighbourhood(points).deltas[0].tolist() == [-1.0] * 60
    with pytest.raises(ValueError, match="60 positive literals"):
        J.to_polynomial()
    negative = MaxSAT([[-i for i in literals]]).to_polynomial()
    assert list(negative.terms) == [tuple(range(60))]


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"clauses": 3}, TypeError, "clauses must be a sequence of clauses"),
        ({"clauses": "1 2"}, TypeError, "clauses must be a sequence of clauses"),
        ({"clauses": [[1], 2]}, TypeError, r"clauses\[1\]=2 must be a sequence"),
        ({"clauses": [[1, 2.0]]}, TypeError, r"clauses\[0\]=\[1, 2.0\] must be"),
        ({"clauses": [[1]], "hard": [[1, 0]]}, ValueError, r"hard\[0\]=.*literal 0"),
        (
            {"clauses": sparse.csr_array([[1, -1, 0]])},
            TypeError,
            "clauses is a sparse matrix; a clause is a sequence of literals",
        ),
        (
            {"clauses": [[1], [2]], "weights": [1e308, 1e308]},
            ValueError,
            "weights must have a finite sum",
        ),
        ({"clauses": [[1]], "weights": [1, 2]}, ValueError, "there are 1 soft clauses"),
        ({"clauses": [[1]], "weights": ["a"]}, TypeError, "weights must hold real"),
        ({"clauses": [[1]], "weights": [-1]}, ValueError, r"weights\[0\]=-1.0 must be"),
        ({"clauses": [[1]], "weights": [np.inf]}, ValueError, r"weights\[0\]=inf"),
        (
            {"clauses": [[-9]], "n_variables": 8},
            ValueError,
            "variable 9.*n_variables=8",
        ),
        ({"clauses": [[]]}, ValueError, "n_variables must be given"),
    ],
)
def test_bad_clauses_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        MaxSAT(**arguments)
