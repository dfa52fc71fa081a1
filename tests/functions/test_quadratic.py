import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import QuadraticFunction, TabularFunction, enumerate_points

D = 7


def coefficients(seed=0, density=1.0):
    rng = np.random.default_rng(seed)
    Q = rng.normal(size=(D, D)) * (rng.random((D, D)) < density)
    return Q, rng.normal(size=D), 0.75


FORMS = {
    "array": np.asarray,
    "list": np.ndarray.tolist,
    "tensor": torch.as_tensor,
    "csr": sparse.csr_array,
    "csr matrix": sparse.csr_matrix,
    "coo": sparse.coo_array,
    "torch coo": lambda Q: torch.as_tensor(Q).to_sparse_coo(),
}


@pytest.fixture(params=FORMS, name="form")
def make_form(request):
    return FORMS[request.param]


def test_costs_are_the_formula_at_every_point(form):
    Q, linear, constant = coefficients(density=0.5)
    J = QuadraticFunction(form(Q), linear, constant)
    Z = next(enumerate_points(D, dtype=torch.float64))
    z = Z.numpy()
    expected = ((z @ Q) * z).sum(1) + z @ linear + constant
    np.testing.assert_allclose(J(Z).numpy(), expected)


def test_relaxed_costs_are_the_multilinear_extension(form):
    Q, linear, constant = coefficients(density=0.5)
    J = QuadraticFunction(form(Q), linear, constant)
    table = TabularFunction(J(next(enumerate_points(D, dtype=torch.float64))))
    theta = torch.rand(5, D, dtype=torch.float64)
    torch.testing.assert_close(J(theta), table(theta))


def test_the_diagonal_joins_the_linear_term(form):
    Q, linear, _ = coefficients()
    J = QuadraticFunction(form(Q), linear)
    np.testing.assert_allclose(J.linear, linear + np.diag(Q))
    matrix = J.Q.to_dense()
    assert torch.equal(matrix, matrix.T)
    assert (matrix.diagonal() == 0).all()


def test_flip_deltas_are_differences(form):
    Q, linear, constant = coefficients(density=0.5)
    J = QuadraticFunction(form(Q), linear, constant)
    z = torch.tensor([1, 0, 1, 1, 0, 0, 1])
    flipped = (z.double() - torch.eye(D)).abs()
    expected = J(flipped.double()) - J(z[None].double())
    torch.testing.assert_close(J.flip_deltas(z), expected)


def test_gradient_and_its_gradient(form):
    J = QuadraticFunction(form(coefficients(density=0.5)[0]))
    Z = torch.rand(3, D, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(J, Z)
    assert torch.autograd.gradgradcheck(J, Z)


def test_to_quadratic_is_the_function_itself():
    J = QuadraticFunction(coefficients()[0])
    assert J.to_quadratic() is J


@pytest.mark.parametrize("form", [sparse.csr_array, FORMS["torch coo"]])
def test_sparse_stays_sparse(form):
    J = QuadraticFunction(form(coefficients(density=0.3)[0]))
    assert J.Q.layout == torch.sparse_csr


def test_a_large_sparse_function_fits_in_memory():
    d = 200_000
    ring = sparse.diags_array([np.ones(d - 1)], offsets=[1], shape=(d, d))
    J = QuadraticFunction(ring, linear=-np.ones(d))
    Z = torch.ones(2, d, requires_grad=True)
    costs = J(Z)
    assert costs.tolist() == [-1.0, -1.0]
    costs.sum().backward()
    assert J.flip_deltas(torch.ones(d))[[0, 1]].tolist() == [0.0, -1.0]
    assert Z.grad[0, :2].tolist() == [0.0, 1.0]


def test_float64_points_get_float64_accuracy():
    rng = np.random.default_rng(0)
    Q = rng.integers(-9, 9, size=(300, 300)) * (1 + 1e-9)
    Z = torch.from_numpy(rng.integers(2, size=(4, 300))).double()
    z = Z.numpy()
    np.testing.assert_allclose(
        QuadraticFunction(Q)(Z).numpy(), ((z @ Q) * z).sum(1), rtol=1e-13, atol=1e-10
    )


def test_coefficients_keep_the_wider_dtype():
    Q = np.ones((2, 2), dtype=np.float32)
    assert QuadraticFunction(Q).Q.dtype == torch.float32
    assert QuadraticFunction(Q, linear=np.ones(2)).Q.dtype == torch.float64
    assert QuadraticFunction([[1, 2], [3, 4]]).Q.dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones((2, 3)),), ValueError, r"Q must be square.*\(2, 3\)"),
        ((np.ones(4),), ValueError, r"Q must be square.*\(4,\)"),
        ((np.ones((0, 0)),), ValueError, "Q must be square with at least one row"),
        ((sparse.csr_array((2, 3)),), ValueError, r"Q must be square.*\(2, 3\)"),
        ((np.eye(2), np.ones(3)), ValueError, r"linear has shape \(3,\)"),
        ((np.eye(2) * np.nan,), ValueError, "Q must be finite"),
        ((np.eye(2), [1.0, np.inf]), ValueError, "linear must be finite"),
        ((np.eye(2), None, np.nan), ValueError, "constant=nan must be a number in"),
        ((np.eye(2), None, "1"), TypeError, "constant='1' must be a number in"),
        (({(0, 1): 1.0},), TypeError, r"Q is a mapping; give a matrix, or.*from_qubo"),
        ((np.eye(2) * 1j,), TypeError, "Q must hold real numbers"),
        (([["a", "b"], ["c", "d"]],), TypeError, "Q must hold real numbers"),
    ],
)
def test_bad_coefficients_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        QuadraticFunction(*arguments)


def test_flip_deltas_wants_one_point():
    with pytest.raises(ValueError, match=r"z has shape \(1, 2\).*\(2,\)"):
        QuadraticFunction(np.eye(2)).flip_deltas(torch.ones(1, 2))
