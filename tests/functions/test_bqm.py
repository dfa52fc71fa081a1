import builtins

import numpy as np
import pytest
import torch
from scipy import sparse

from sklearn_pb.functions import (
    BlackBoxFunction,
    PolynomialFunction,
    QuadraticFunction,
    enumerate_points,
    from_bqm,
    to_bqm,
)

D = 5


@pytest.fixture
def dimod():
    return pytest.importorskip("dimod")


def random_quadratic(form=np.asarray):
    rng = np.random.default_rng(0)
    Q = np.round(rng.normal(size=(D, D)), 2) * (rng.random((D, D)) < 0.6)
    return QuadraticFunction(form(Q), rng.normal(size=D), 0.5)


def energies(bqm, Z):
    return bqm.energies((Z.numpy(), list(range(D))))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_energies_are_the_costs(dimod, form):
    J = random_quadratic(form)
    Z = next(enumerate_points(D, dtype=torch.float64))
    bqm = to_bqm(J)
    assert bqm.vartype is dimod.BINARY
    assert list(bqm.variables) == list(range(D))
    np.testing.assert_allclose(energies(bqm, Z), J(Z).numpy())
    torch.testing.assert_close(from_bqm(bqm)(Z), J(Z))


def test_polynomials_of_degree_2_as_well(dimod):
    J = PolynomialFunction({(0, 1): 2.0, (3, 4): -1.0, 2: 1.0, (): 0.5})
    Z = next(enumerate_points(D, dtype=torch.float64))
    np.testing.assert_allclose(energies(to_bqm(J), Z), J(Z).numpy())


def test_spins_and_labels(dimod):
    bqm = dimod.BinaryQuadraticModel(
        {"b": 1.0, "a": -0.5}, {("a", "b"): 2.0, ("b", "c"): -1.5}, 0.25, "SPIN"
    )
    J = from_bqm(bqm)
    labels = list(bqm.variables)
    for z in next(enumerate_points(3, dtype=torch.float64)):
        spins = dict(zip(labels, (2 * z - 1).tolist(), strict=True))
        assert J(z[None]).item() == pytest.approx(bqm.energy(spins))
    assert bqm.vartype is dimod.SPIN  # it was not changed


def test_bad_input_is_named(dimod):
    with pytest.raises(TypeError, match=r"to_quadratic\(\), but BlackBoxFunction"):
        to_bqm(BlackBoxFunction(lambda Z: Z.sum(1), 3))
    with pytest.raises(ValueError, match="degree 3"):
        to_bqm(PolynomialFunction({(0, 1, 2): 1.0}))
    with pytest.raises(TypeError, match="BinaryQuadraticModel, got dict"):
        from_bqm({})
    with pytest.raises(ValueError, match="no variables"):
        from_bqm(dimod.BinaryQuadraticModel("BINARY"))


def test_a_missing_dimod_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_dimod(name, *args, **kwargs):
        if name == "dimod":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_dimod)
    with pytest.raises(ImportError, match="pip install dimod"):
        to_bqm(random_quadratic())
