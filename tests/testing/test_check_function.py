"""check_function passes what is right and says what is wrong."""

import inspect

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes

from sklearn_pb import functions
from sklearn_pb.functions import (
    LABS,
    BlackBoxFunction,
    CategoricalFunction,
    DeceptiveFunction,
    ExponentialTabularLoss,
    ImageLabelling,
    IndependentSet,
    MaskedNNRegression,
    MaxCut,
    MaxSAT,
    MisleadingHill,
    NNLoss,
    PolynomialFunction,
    PseudoBooleanFunction,
    QuadraticDistance,
    QuadraticFunction,
    SaddleFunction,
    SteepBarriers,
    TabularFunction,
)
from sklearn_pb.testing import check_function

EXAMPLES = {
    TabularFunction: lambda: TabularFunction(np.arange(8.0)),
    ExponentialTabularLoss: lambda: ExponentialTabularLoss(6, random_state=0),
    NNLoss: lambda: NNLoss(7, random_state=0),
    QuadraticFunction: lambda: QuadraticFunction(np.arange(9.0).reshape(3, 3) - 4),
    BlackBoxFunction: lambda: BlackBoxFunction(lambda Z: Z.sum(1), 5, relaxable=True),
    CategoricalFunction: lambda: CategoricalFunction(lambda C: C.sum(1), [3, 2, 5]),
    DeceptiveFunction: lambda: DeceptiveFunction(5),
    MaskedNNRegression: lambda: MaskedNNRegression(
        40, 20, n_features=3, hidden_layer_sizes=(4,), target_layer_sizes=(5,)
    ),
    ImageLabelling: lambda: ImageLabelling(np.arange(6.0).reshape(2, 3) - 2.5),
    IndependentSet: lambda: IndependentSet([(0, 1), (1, 2), (2, 3), (3, 0)]),
    LABS: lambda: LABS(9),
    MaxCut: lambda: MaxCut([(0, 1, 2.0), (1, 2, -1.0), (0, 3, 1.5)]),
    MaxSAT: lambda: MaxSAT([[1, -2], [2, 3, -4]], [1.0, 2.5], [[-1, -3], [4]]),
    MisleadingHill: lambda: MisleadingHill(),
    PolynomialFunction: lambda: PolynomialFunction({(0, 1, 2): 1.5, (3,): -1.0}),
    QuadraticDistance: lambda: QuadraticDistance(),
    SaddleFunction: lambda: SaddleFunction(),
    SteepBarriers: lambda: SteepBarriers(),
}
PUBLIC = [
    value
    for value in vars(functions).values()
    if inspect.isclass(value)
    and issubclass(value, PseudoBooleanFunction)
    and not inspect.isabstract(value)
]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_public_function_passes(kind):
    assert kind in EXAMPLES, f"add an example of {kind.__name__} to this file"
    check_function(EXAMPLES[kind]())


def test_functions_of_arrays_and_of_data_pass():
    check_function(BlackBoxFunction(lambda Z: Z.sum(1), 5, input="numpy"))
    X, y = load_diabetes(return_X_y=True)
    check_function(functions.SubsetSelection("linear").bind(X, y))


class Toy(PseudoBooleanFunction):
    """The number of ones."""

    n_variables = 4

    def _evaluate(self, Z):
        return Z.sum(dim=1)


class NoVariables(Toy):
    n_variables = None


class BeginsNowhere(Toy):
    initial_probabilities = np.full(4, 1.5)


class BeginsElsewhere(Toy):
    initial_probabilities = np.full(3, 0.5)


class WrongDtype(Toy):
    def _evaluate(self, Z):
        return super()._evaluate(Z).double()


class WrongShape(Toy):
    def _evaluate(self, Z):
        return Z


class LooksAtTheBatch(Toy):
    def _evaluate(self, Z):
        return Z.sum(dim=1) - Z.mean()


class Changes(Toy):
    calls = 0

    def _evaluate(self, Z):
        self.calls += 1
        return Z.sum(dim=1) + self.calls


class Overwrites(Toy):
    def _evaluate(self, Z):
        return Z.mul_(2).sum(dim=1)


class DrawsGlobally(Toy):
    def _evaluate(self, Z):
        return Z.sum(dim=1) + 0 * torch.rand(len(Z), dtype=Z.dtype)


class TakesAnything(Toy):
    def __call__(self, Z):
        return self._evaluate(Z)


class Detached(Toy):
    relaxable = True

    def _evaluate(self, Z):
        return Z.detach().sum(dim=1)


class WrongSlope(Toy):
    relaxable = True

    def _evaluate(self, Z):
        return Z.detach().square().sum(dim=1) + Z.sum(dim=1) - Z.detach().sum(dim=1)


class WrongDeltas(Toy):
    def flip_deltas(self, z):
        return torch.ones_like(z)


class WrongDeltaShape(Toy):
    def flip_deltas(self, z):
        return torch.ones(1)


class WrongQuadratic(Toy):
    def to_quadratic(self):
        return QuadraticFunction(np.eye(4), constant=1.0)


@pytest.mark.parametrize(
    "toy, message",
    [
        (NoVariables, "n_variables is None; it must be an integer"),
        (BeginsNowhere, r"initial_probabilities is array.*must be None, or an array"),
        (BeginsElsewhere, r"of shape \(4,\) with values in \[0, 1\]"),
        (WrongDtype, "costs of points of torch.float32 has dtype torch.float64"),
        (WrongShape, r"failed at points of torch.float32: ObjectiveError: .*\(8,\)"),
        (LooksAtTheBatch, "must not depend on the other rows"),
        (Changes, "must not change between two calls"),
        (Overwrites, "changed the points it was given"),
        (DrawsGlobally, "drew from torch's global generator"),
        (TakesAnything, "points with 5 columns were accepted, but n_variables is 4"),
        (Detached, "relaxable is True, but the costs carry no gradient"),
        (WrongSlope, "the slopes of relaxed points are"),
        (WrongDeltas, r"flip_deltas\(z\) gives .* but J\(z with i flipped\)"),
        (WrongDeltaShape, r"flip_deltas\(z\) has shape \(1,\); it must be \(4,\)"),
        (WrongQuadratic, r"to_quadratic\(\) costs"),
    ],
)
def test_broken_functions_are_told(toy, message):
    check_function(Toy())
    with pytest.raises(AssertionError, match=message):
        check_function(toy())


def test_callables_are_told_to_be_wrapped():
    with pytest.raises(AssertionError, match="wrap a callable in BlackBoxFunction"):
        check_function(lambda Z: Z.sum(1))
