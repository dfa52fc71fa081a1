from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_pb.functions import (
    SubsetSelection,
    enumerate_points,
    remembered,
    tabulate,
    with_price,
)

LOADERS = {"binary": load_breast_cancer, "multinomial": load_wine, "iris": load_iris}


def subsets(d, n=6, seed=0):
    chosen = np.random.default_rng(seed).random((n, d)) < 0.4
    chosen[0] = True
    chosen[1] = False
    return torch.from_numpy(chosen).double()


def reference_log_loss(X, y, columns, ridge):
    """Penalised mean log-loss of scikit-learn's fit on the columns."""
    if not columns.any():
        shares = np.unique(y, return_counts=True)[1] / len(y)
        return -(shares * np.log(shares)).sum()
    X = StandardScaler().fit_transform(X)[:, columns]
    model = LogisticRegression(C=1 / (len(y) * ridge), tol=1e-8, max_iter=5000)
    model.fit(X, y)
    probabilities = model.predict_proba(X)
    codes = np.searchsorted(model.classes_, y)
    loss = -np.log(probabilities[np.arange(len(y)), codes]).mean()
    return loss + ridge / 2 * (model.coef_**2).sum()


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("ridge", [1e-3, 0.1])
def test_logistic_loss_is_that_of_scikit_learn(name, ridge):
    X, y = LOADERS[name](return_X_y=True)
    J = SubsetSelection(price=0.0, ridge=ridge, min_features=0).bind(X, y)
    Z = subsets(X.shape[1])
    expected = [reference_log_loss(X, y, z.bool().numpy(), ridge) for z in Z]
    np.testing.assert_allclose(J(Z).numpy(), expected, atol=2e-5)


def reference_deviance(X, y, columns, ridge):
    target = (y - y.mean()) / y.std()
    if not columns.any():
        return 0.0
    X = StandardScaler().fit_transform(X)[:, columns]
    model = Ridge(alpha=len(y) * ridge, fit_intercept=False).fit(X, target)
    residual = ((target - model.predict(X)) ** 2).mean()
    return np.log(residual + ridge * (model.coef_**2).sum()) / 2


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_linear_loss_is_that_of_ridge_regression(ridge):
    X, y = load_diabetes(return_X_y=True)
    J = SubsetSelection("linear", price=0.0, ridge=ridge, min_features=0).bind(X, y)
    Z = subsets(X.shape[1])
    expected = [reference_deviance(X, y, z.bool().numpy(), ridge) for z in Z]
    np.testing.assert_allclose(J(Z).numpy(), expected, atol=1e-12)


def test_bic_ranks_subsets_as_the_textbook_formula_does():
    X, y = load_diabetes(return_X_y=True)
    n = len(y)
    J = SubsetSelection("linear", ridge=1e-9).bind(X, y)
    Z = subsets(10, n=20)
    Z = Z[Z.sum(1) > 0]
    bic = []
    for z in Z.bool().numpy():
        fit = LinearRegression().fit(X[:, z], y)
        residual = ((y - fit.predict(X[:, z])) ** 2).sum()
        bic.append(n * np.log(residual / n) + z.sum() * np.log(n))
    offset = n * np.log(y.var())
    np.testing.assert_allclose(2 * n * J(Z).numpy(), np.array(bic) - offset, atol=1e-4)


@pytest.mark.parametrize(
    ("price", "expected"),
    [("bic", np.log(178) / (2 * 178)), ("aic", 1 / 178), (0.25, 0.25), (0, 0.0)],
)
def test_a_feature_costs_its_parameters(price, expected):
    X, y = load_wine(return_X_y=True)
    X = np.column_stack([X, np.ones(len(X))])  # a useless feature costs its price only
    J = SubsetSelection(price=price).bind(X, y)
    z = torch.zeros(2, 14, dtype=torch.float64)
    z[:, 0] = 1.0
    z[1, 13] = 1.0
    with_useless = (J(z)[1] - J(z)[0]).item()
    assert with_useless == pytest.approx(2 * expected, abs=1e-9)  # K - 1 parameters


@pytest.mark.parametrize("min_features", [1, 2, 3])
@pytest.mark.parametrize("model", ["linear", "logistic"])
def test_smaller_subsets_are_never_optimal(model, min_features):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 5)), rng.integers(2, size=50)
    J = SubsetSelection(model, price=3.0, min_features=min_features).bind(X, y)
    best = next(enumerate_points(5))[tabulate(J).values.argmin()]
    assert best.sum() == min_features


def test_without_a_least_number_the_empty_subset_can_win():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), rng.normal(size=50)
    J = SubsetSelection(price=3.0, min_features=0).bind(X, y)
    assert tabulate(J).values.argmin() == 0


def test_the_best_subset_of_a_known_model_is_found():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 8))
    truth = np.array([1, 0, 0, 1, 0, 1, 0, 0])
    signal = X @ (truth * [2.0, 0, 0, -1.5, 0, 1.0, 0, 0])
    for y in (signal + rng.normal(size=300), signal > rng.logistic(size=300)):
        values = tabulate(SubsetSelection().bind(X, y)).values
        best = next(enumerate_points(8))[values.argmin()]
        assert best.tolist() == truth.tolist()


def small_problem(kind, n=40, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d))
    score = X[:, 0] - X[:, 1] + rng.normal(size=n)
    if kind == "linear":
        return X, score
    shares = [0.4] if kind == "binary" else [0.3, 0.7]
    return X, np.digitize(score, np.quantile(score, shares))


KINDS = ["linear", "binary", "multinomial"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [40, 4])  # more and fewer observations than columns
def test_gradient_is_the_finite_difference(kind, n):
    X, y = small_problem(kind, n=n)
    J = SubsetSelection(tol=1e-18, max_iter=2000).bind(X, y)
    generator = torch.Generator().manual_seed(0)
    Z = torch.rand(2, 5, generator=generator, dtype=torch.float64) * 0.9 + 0.05
    Z.requires_grad_()
    assert torch.autograd.gradcheck(J, Z, eps=1e-5, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_at_the_corners_is_the_one_sided_difference(kind):
    X, y = small_problem(kind)
    J = SubsetSelection(tol=1e-18, max_iter=2000).bind(X, y)
    corner = torch.tensor([[1.0, 0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    Z = corner.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(J(Z).sum(), Z)
    inward = 1e-6 * (1 - 2 * corner)
    moved = corner + torch.diag(inward[0])
    difference = (J(moved) - J(corner)) / inward[0]
    torch.testing.assert_close(gradient[0], difference, atol=2e-4, rtol=2e-3)


def test_uncorrelated_features_relax_to_the_multilinear_extension():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    X = np.linalg.qr(X - X.mean(0))[0]
    y = X @ [3.0, -2.0, 1.0, 0.5] + 0.1 * rng.normal(size=60)
    J = SubsetSelection("linear", price=0.0, ridge=1e-8, min_features=0).bind(X, y)
    theta = torch.rand(6, 4, dtype=torch.float64)
    fractions = tabulate(J)
    fractions = type(fractions)((2 * fractions.values).exp())
    torch.testing.assert_close(
        (2 * J(theta)).exp(), fractions(theta), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_forms_of_the_system_agree(kind, monkeypatch):
    X, y = small_problem(kind, n=6, d=9)
    Z = subsets(9, n=8)
    J = SubsetSelection(tol=1e-14, max_iter=3000).bind(X, y)
    together = J(Z)  # the row of all features needs the dual form
    monkeypatch.setattr("sklearn_pb.functions._subset_function._MOST_GRAM_COLUMNS", 0)
    without_gram = SubsetSelection(tol=1e-14, max_iter=3000).bind(X, y)
    small = Z[Z.sum(1) <= 5]
    torch.testing.assert_close(without_gram(small), together[Z.sum(1) <= 5])
    torch.testing.assert_close(without_gram(Z), together)
    relaxed = torch.rand(3, 9, dtype=torch.float64, requires_grad=True)
    gradients = [
        torch.autograd.grad(function(relaxed).sum(), relaxed)[0]
        for function in (J, without_gram)
    ]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_do_not_change_the_costs(kind, monkeypatch):
    X, y = small_problem(kind)
    J = SubsetSelection(tol=1e-12, max_iter=1000).bind(X, y)
    Z = subsets(5, n=11)
    whole = J(Z)
    monkeypatch.setattr("sklearn_pb.functions._subset_function._CHUNK_CELLS", 1)
    torch.testing.assert_close(J(Z), whole)


def test_costs_do_not_depend_on_the_scale_of_the_features():
    X, y = small_problem("binary")
    J = SubsetSelection(tol=1e-10, max_iter=1000).bind(X, y)
    moved = SubsetSelection(tol=1e-10, max_iter=1000).bind(1e3 * X - 50.0, y)
    Z = subsets(5)
    torch.testing.assert_close(J(Z), moved(Z))


def test_labels_of_any_kind():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    Z = subsets(4)
    assert torch.equal(
        SubsetSelection().bind(X, y)(Z), SubsetSelection().bind(X, names)(Z)
    )


@pytest.mark.parametrize(
    ("y", "is_linear"),
    [
        (np.linspace(0.0, 1.0, 60), True),
        (np.arange(60.0), True),  # whole numbers, but too many for classes
        (np.arange(60) % 2, False),
        (np.arange(60.0) % 3, False),
        (np.array(["a", "b"] * 30), False),
        (np.arange(60) % 2 == 0, False),
    ],
)
def test_the_model_follows_y(y, is_linear):
    X = np.random.default_rng(0).normal(size=(60, 3))
    function = SubsetSelection().bind(X, y)
    assert (type(function).__name__ == "LinearSubsetFunction") is is_linear


@pytest.mark.parametrize("wrap", [remembered, partial(with_price, price=0.1)])
def test_wide_data_begin_with_a_feature_for_ten_rows(wrap):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 500)), rng.integers(0, 2, 40)
    J = wrap(SubsetSelection().bind(X, y))
    np.testing.assert_array_equal(J.initial_probabilities, np.full(500, 4 / 500))
    for few in (8, 3):  # half of the features or more is no reason to say anything
        assert wrap(SubsetSelection().bind(X[:, :few], y)).initial_probabilities is None


def test_it_is_a_parameter_object():
    objective = SubsetSelection("linear", price="aic")
    assert clone(objective).get_params() == objective.get_params()
    assert objective.set_params(ridge=0.5).ridge == 0.5


def test_a_fit_that_stops_early_warns_once():
    X, y = load_breast_cancer(return_X_y=True)
    J = SubsetSelection(max_iter=1).bind(X, y)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 steps"):
        J(torch.ones(1, 30))
    J(torch.ones(1, 30))


GOOD_X = np.random.default_rng(0).normal(size=(20, 3))
GOOD_Y = np.arange(20) % 2


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"model": "tree"}, ValueError, "model must be one of.*'tree'"),
        ({"price": "cic"}, ValueError, "price must be one of.*'cic'"),
        ({"price": -1.0}, ValueError, "price must be finite and at least 0, got -1"),
        ({"price": None}, TypeError, "price must be a number, got None"),
        ({"ridge": 0.0}, ValueError, r"ridge must be .*greater than 0, got 0\.0"),
        ({"ridge": np.nan}, ValueError, "ridge must be finite.*nan"),
        ({"tol": -1}, ValueError, "tol must be .*greater than 0, got -1"),
        ({"max_iter": 0}, ValueError, "max_iter must be .*at least 1, got 0"),
        ({"max_iter": 1.5}, TypeError, r"max_iter must be an integer, got 1\.5"),
        ({"min_features": -1}, ValueError, "min_features must be .*at least 0"),
        ({"min_features": 4}, ValueError, "min_features=4, but X has only 3 features"),
    ],
)
def test_bad_parameters_are_named(keywords, error, message):
    with pytest.raises(error, match=message):
        SubsetSelection(**keywords).bind(GOOD_X, GOOD_Y)


@pytest.mark.parametrize(
    ("model", "X", "y", "message"),
    [
        ("auto", GOOD_X * np.nan, GOOD_Y, "NaN"),
        ("auto", GOOD_X, GOOD_Y[:-1], "inconsistent numbers of samples"),
        ("auto", GOOD_X, np.zeros(20, int), r"y has one class only.*0"),
        ("linear", GOOD_X, np.full(20, 2.5), r"y is constant .*2\.5"),
        ("linear", GOOD_X, np.array(["a", "b"] * 10), "model='linear'.*'a'"),
        ("logistic", GOOD_X, GOOD_X[:, 0], "model='logistic' needs.*class labels"),
        ("auto", GOOD_X, np.r_[np.inf, GOOD_X[1:, 0]], "y contains infinity"),
        ("auto", GOOD_X[:1], GOOD_Y[:1], "minimum of 2"),
    ],
)
def test_bad_data_is_named(model, X, y, message):
    with pytest.raises(ValueError, match=f"(?i){message}"):
        SubsetSelection(model).bind(X, y)
