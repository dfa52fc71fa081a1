import itertools

import numpy as np
import pytest
import torch

from sklearn_pb.functions import (
    PolynomialFunction,
    TabularFunction,
    enumerate_points,
    tabulate,
)


def random_terms(seed, d=6, degree=4, n=12):
    rng = np.random.default_rng(seed)
    terms = {(): float(rng.normal())}
    for _ in range(n):
        size = int(rng.integers(1, degree + 1))
        terms[tuple(rng.choice(d, size, replace=False).tolist())] = rng.normal()
    return terms


def written_out(terms, z):
    return sum(w * np.prod([z[i] for i in term]) for term, w in terms.items())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_costs_are_those_of_the_dict(seed, dtype):
    terms = random_terms(seed)
    J = PolynomialFunction(terms, 6)
    Z = next(enumerate_points(6, dtype=dtype))
    expected = [written_out(terms, z) for z in Z.numpy()]
    costs = J(Z)
    assert costs.dtype == dtype
    np.testing.assert_allclose(costs.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("seed", range(10))
def test_relaxed_points_get_the_multilinear_extension(seed):
    J = PolynomialFunction(random_terms(seed), 6)
    theta = np.random.default_rng(seed).random((7, 6))
    np.testing.assert_allclose(J(theta).numpy(), tabulate(J)(theta).numpy())


def test_terms_are_merged_and_sorted():
    J = PolynomialFunction(
        {(3, 0): 1.0, (0, 3): 2.0, 2: 1.0, (2, 2): 4.0, (1, 0, 1): 0.5, (4,): 0.0}
    )
    assert J.terms == {(2,): 5.0, (0, 1): 0.5, (0, 3): 3.0}
    assert list(J.terms) == [(2,), (0, 1), (0, 3)]
    assert J.n_variables == 5  # a zero weight names its variable all the same
    assert J.degree == 2


def test_terms_that_cancel_are_gone():
    J = PolynomialFunction({(0, 1): 1.0, (1, 0): -1.0})
    assert J.terms == {}
    assert J.degree == 0
    assert J(torch.ones(1, 2)).tolist() == [0.0]


def test_numpy_indices_and_frozen_sets_are_keys_too():
    J = PolynomialFunction({np.int64(1): np.float32(2.0), frozenset({0, 2}): 1})
    assert J.terms == {(1,): 2.0, (0, 2): 1.0}


@pytest.mark.parametrize("seed", range(5))
def test_terms_go_round(seed):
    terms = PolynomialFunction(random_terms(seed), 6).terms
    assert PolynomialFunction(terms, 6).terms == terms


def test_arrays_by_degree():
    J = PolynomialFunction({(): 1.0, 4: 2.0, (0, 2): 3.0, (2, 1): 4.0, (0, 1, 3): 5.0})
    found = {k: (v.tolist(), w.tolist()) for k, (v, w) in J.by_degree().items()}
    assert found == {
        0: ([[]], [1.0]),
        1: ([[4]], [2.0]),
        2: ([[0, 2], [1, 2]], [3.0, 4.0]),
        3: ([[0, 1, 3]], [5.0]),
    }


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [2, 12])
def test_degree_2_is_quadratic(seed, n):
    J = PolynomialFunction(random_terms(seed, degree=2, n=n), 6)
    Z = next(enumerate_points(6, dtype=torch.float64))
    torch.testing.assert_close(J.to_quadratic()(Z), J(Z))


def test_many_variables_and_few_pairs_stay_sparse():
    quadratic = PolynomialFunction({(0, 9999): 1.0, 5: 2.0}).to_quadratic()
    assert quadratic.Q.layout == torch.sparse_csr
    assert PolynomialFunction({(0, 1): 1.0}).to_quadratic().Q.layout == torch.strided


def test_degree_3_is_not_quadratic():
    with pytest.raises(ValueError, match=r"degree 3 .* quadratize\(function\)"):
        PolynomialFunction({(0, 1, 2): 1.0}).to_quadratic()


@pytest.mark.parametrize("seed", range(10))
def test_table_and_polynomial_go_round(seed):
    J = PolynomialFunction(random_terms(seed), 6)
    again = tabulate(J).to_polynomial()
    assert again.terms.keys() == J.terms.keys()
    assert again.terms == pytest.approx(J.terms)


def test_the_polynomial_of_any_table_equals_it():
    table = TabularFunction(np.random.default_rng(0).normal(size=2**7))
    Z = next(enumerate_points(7, dtype=torch.float64))
    torch.testing.assert_close(table.to_polynomial()(Z), table.values)


def test_rounding_errors_are_no_terms():
    values = [0.1 * sum(bits) for bits in itertools.product((0, 1), repeat=5)]
    assert TabularFunction(values).to_polynomial().degree == 1
    assert TabularFunction(values).to_polynomial(tolerance=0.0).degree > 1


def test_tables_that_are_too_large_are_named():
    table = TabularFunction(np.zeros(2**21))
    with pytest.raises(ValueError, match="n_variables=21"):
        table.to_polynomial()


@pytest.mark.parametrize(
    "terms, n_variables, error, message",
    [
        ([(0, 1)], None, TypeError, "must be a mapping"),
        ({"ab": 1.0}, None, TypeError, "'ab'.*integers"),
        ({(0, 1.5): 1.0}, None, TypeError, r"\(0, 1.5\).*integers"),
        ({True: 1.0}, None, TypeError, "True.*integers"),
        ({(0, -1): 1.0}, None, ValueError, r"\(0, -1\).*at least 0"),
        ({(0,): "1"}, None, TypeError, r"terms\[\(0,\)\]='1' must be a real number"),
        ({(0,): 1j}, None, TypeError, "real number"),
        ({(0,): float("nan")}, None, ValueError, "must be finite"),
        ({(0, 7): 1.0}, 7, ValueError, "variable 7.*n_variables=7.*between 0 and 6"),
        ({(): 1.0}, None, ValueError, "n_variables must be given"),
        ({(): 1.0}, 0, ValueError, "n_variables must be at least 1"),
    ],
)
def test_bad_terms_are_named(terms, n_variables, error, message):
    with pytest.raises(error, match=message):
        PolynomialFunction(terms, n_variables)


def test_a_hundred_thousand_terms():
    rng = np.random.default_rng(0)
    triples = np.sort(rng.integers(0, 2000, (100_000, 3)), axis=1)
    weights = rng.normal(size=100_000)
    terms = {}
    for triple, w in zip(map(tuple, triples.tolist()), weights.tolist(), strict=True):
        terms[triple] = terms.get(triple, 0.0) + w
    z = rng.integers(0, 2, (3, 2000)).astype(float)
    expected = (z[:, triples].prod(axis=2) * weights).sum(1)
    np.testing.assert_allclose(PolynomialFunction(terms, 2000)(z).numpy(), expected)
