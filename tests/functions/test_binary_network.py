from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import accuracy_score, mean_squared_error
from sklearn.preprocessing import StandardScaler, scale

from sklearn_pb.functions import BinaryNetworkTraining, tabulate
from sklearn_pb.testing import check_function

IRIS = load_iris(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
NUMPY_ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sign": lambda x: np.where(x >= 0, 1.0, -1.0),
    "tanh": np.tanh,
}


def reference_outputs(X, z, sizes, activation, bias):
    """The network of one z, in numpy, layer by layer."""
    hidden, place = StandardScaler().fit_transform(X), 0
    for k, (before, after) in enumerate(pairwise(sizes)):
        if k > 0:
            hidden = NUMPY_ACTIVATIONS[activation](hidden)
        if bias:
            hidden = np.column_stack([hidden, np.ones(len(hidden))])
        size = after * (before + bias)
        w = 2 * z[place : place + size].reshape(after, -1) - 1
        hidden = hidden @ w.T / np.sqrt(before + bias)
        place += size
    assert place == len(z)
    return hidden


def points(J, n=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(2, (n, J.n_variables), generator=generator).double()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("hidden", [(), (4,), (3, 5)])
@pytest.mark.parametrize("activation", NUMPY_ACTIVATIONS)
def test_regression_costs_by_hand(activation, hidden, bias):
    X, y = DIABETES
    objective = BinaryNetworkTraining(hidden, activation=activation, bias=bias)
    J = objective.bind(X, y)
    Z = points(J)
    sizes = (10, *hidden, 1)
    expected = [
        mean_squared_error(
            scale(y), reference_outputs(X, z, sizes, activation, bias)[:, 0]
        )
        for z in Z.numpy()
    ]
    np.testing.assert_allclose(J(Z).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize(("data", "n_outputs"), [(CANCER, 1), (IRIS, 3)])
def test_error_rates_by_hand(data, n_outputs):
    X, y = data
    J = BinaryNetworkTraining((6,), loss="zero_one").bind(X, y)
    Z = points(J)
    sizes = (X.shape[1], 6, n_outputs)
    for z, cost in zip(Z.numpy(), J(Z).tolist(), strict=True):
        outputs = reference_outputs(X, z, sizes, "relu", True)
        codes = outputs.argmax(1) if n_outputs > 1 else outputs[:, 0] > 0
        assert cost == pytest.approx((codes != y).mean())


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"activation": "tanh", "bias": False},
        {"activation": "sign"},
        {"loss": "hinge"},
        {"loss": "zero_one"},
    ],
)
@pytest.mark.parametrize("data", [CANCER, IRIS])
def test_contract(data, keywords):
    X, y = data[0][::10], data[1][::10]
    J = BinaryNetworkTraining((4,), **keywords).bind(X, y)
    discrete = "zero_one" in keywords.values() or "sign" in keywords.values()
    assert J.relaxable is not discrete
    check_function(J)


@pytest.mark.parametrize("loss", ["auto", "absolute_error"])
def test_contract_of_regression(loss):
    X, y = DIABETES
    check_function(BinaryNetworkTraining((4,), loss=loss).bind(X[::20], y[::20]))


def test_weights_are_those_of_the_network():
    X, y = IRIS
    J = BinaryNetworkTraining((5,)).bind(X, y)
    z = points(J)[0]
    layers = J.weights(z)
    assert [tuple(layer.shape) for layer in layers] == [(5, 5), (3, 6)]
    flat = torch.cat([layer.flatten() for layer in layers])
    assert torch.equal(flat, 2 * z - 1)


def test_predictions_agree_with_the_error_rate():
    X, y = IRIS
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    J = BinaryNetworkTraining((5,), loss="zero_one").bind(X, names)
    for z in points(J):
        accuracy = accuracy_score(names, J.predict(z, X))
        assert accuracy == pytest.approx(1 - J(z[None]).item())


def test_predictions_of_numbers_are_in_their_units():
    X, y = DIABETES
    J = BinaryNetworkTraining((5,)).bind(X, y)
    for z in points(J):
        error = mean_squared_error(y, J.predict(z, X))
        assert error / y.var() == pytest.approx(J(z[None]).item())


def test_a_majority_vote_is_learned_exactly():
    """Targets made by a network of +-1 weights have a solution of no error."""
    rng = np.random.default_rng(0)
    X = scale(rng.choice([-1.0, 1.0], size=(60, 5)))
    w = np.array([1, -1, -1, 1, 1])
    J = BinaryNetworkTraining((), loss="zero_one", bias=False).bind(X, X @ w > 0)
    values = tabulate(J).values
    best = int(values.argmin())
    assert values.min() == 0
    assert [2 * ((best >> i) & 1) - 1 for i in range(5)] == w.tolist()


def test_a_constant_column_is_ignored():
    X, y = DIABETES
    X = np.column_stack([X[:, :2], np.full(len(X), 0.1)])
    J = BinaryNetworkTraining((), bias=False).bind(X, y)
    a, b = J(torch.tensor([[1, 0, 0], [1, 0, 1]], dtype=torch.float64))
    assert a == b


def test_chunks_do_not_change_the_costs(monkeypatch):
    J = BinaryNetworkTraining((5,)).bind(*IRIS)
    whole = J(points(J))
    monkeypatch.setitem(J._evaluate.__globals__, "_CHUNK_CELLS", 1)
    torch.testing.assert_close(J(points(J)), whole)


def test_it_is_a_parameter_object():
    objective = BinaryNetworkTraining((3, 2), loss="hinge", bias=False)
    assert clone(objective).get_params() == objective.get_params()


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"hidden_layer_sizes": 8}, TypeError, "sequence of integers, got 8"),
        ({"hidden_layer_sizes": (0,)}, ValueError, r"hidden_layer_sizes\[0\]=0"),
        ({"activation": "gelu"}, ValueError, "activation='gelu'.*relu"),
        ({"loss": "mse"}, ValueError, "loss='mse'.*squared_error"),
        ({"bias": "yes"}, TypeError, "bias='yes'"),
    ],
)
def test_bad_parameters_are_named(keywords, error, message):
    with pytest.raises(error, match=message):
        BinaryNetworkTraining(**keywords).bind(*IRIS)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("squared_error", np.array(["a", "b", "c"] * 50), "squared_error.*'a'"),
        ("hinge", IRIS[0][:, 0], "loss='hinge' needs a y of class labels"),
        ("log_loss", np.zeros(150, int), "one class only"),
        ("auto", np.linspace(0, 1, 149), "inconsistent"),
    ],
)
def test_bad_targets_are_named(loss, y, message):
    with pytest.raises(ValueError, match=message):
        BinaryNetworkTraining(loss=loss).bind(IRIS[0], y)
