"""check_function looks at flips, and says what is wrong with them."""

import numpy as np
import pytest
import torch

from sklearn_pb.functions import LABS, MaxSAT, PolynomialFunction, PseudoBooleanFunction
from sklearn_pb.functions._flips import EvaluatedNeighbourhood, EvaluatedSweep
from sklearn_pb.testing import check_function


class Pairs(PseudoBooleanFunction):
    """Neighbours in a row should differ."""

    n_variables = 6

    def _evaluate(self, Z):
        return (Z[:, 1:] == Z[:, :-1]).to(Z.dtype).sum(1)

    def _neighbourhood(self, points):
        return self.neighbourhood_type(self, points)

    def _sweep(self, points):
        return self.sweep_type(self, points)

    neighbourhood_type = EvaluatedNeighbourhood
    sweep_type = EvaluatedSweep


def with_neighbourhood(**members):
    kind = type("Broken", (EvaluatedNeighbourhood,), members)
    return type("Function", (Pairs,), {"neighbourhood_type": kind})()


def with_sweep(**members):
    kind = type("Broken", (EvaluatedSweep,), members)
    return type("Function", (Pairs,), {"sweep_type": kind})()


class OneClass(EvaluatedSweep):
    """All variables at once, though neighbours interact."""

    def __init__(self, function, points):
        super().__init__(function, points)
        d = len(self.points)
        self.classes = [np.arange(d)]
        self._single = [np.array([i]) for i in range(d)]

    def deltas(self, k):
        rows = [EvaluatedSweep.deltas(self, i)[0] for i in range(len(self.points))]
        self._last = np.stack(rows)
        return self._last.copy()

    def flip(self, k, chosen):
        self.points ^= chosen
        self.costs += (self._last * chosen).sum(0)


def forget_a_class(self, function, points):
    EvaluatedSweep.__init__(self, function, points)
    self.classes = self.classes[1:]


def flip_without_costs(self, rows, variables):
    self.points[rows, variables] ^= 1
    self._stale[rows] = True


def flip_without_deltas(self, rows, variables):
    self.costs[rows] += self.deltas[rows, variables]
    self.points[rows, variables] ^= 1


def place_nothing(self, rows, points):
    pass


def hand_out_its_own(self, k):
    EvaluatedSweep.deltas(self, k)
    return self._last


BROKEN = {
    "costs": (
        with_neighbourhood(flip=flip_without_costs),
        "costs of the neighbourhood are .* but its points cost",
    ),
    "deltas": (
        with_neighbourhood(flip=flip_without_deltas),
        r"neighbourhood.deltas of the variables .* J\(point with the variable",
    ),
    "place": (
        with_neighbourhood(place=place_nothing),
        "points of the neighbourhood are .* after flips that lead to",
    ),
    "shape": (
        with_neighbourhood(deltas=property(lambda self: np.zeros((6, 3)))),
        r"neighbourhood.deltas has shape \(6, 3\); it must be \(3, 6\)",
    ),
    "no partition": (with_sweep(__init__=forget_a_class), "each of the 6 variables"),
    "interaction": (
        type("Function", (Pairs,), {"sweep_type": OneClass})(),
        "costs of the sweep, class 0, are",
    ),
    "own array": (with_sweep(deltas=hand_out_its_own), "costs of the sweep, class"),
    "sweep place": (with_sweep(place=place_nothing), "points of the sweep are"),
}


@pytest.mark.parametrize("function, message", BROKEN.values(), ids=BROKEN)
def test_broken_flips_are_found(function, message):
    with pytest.raises(AssertionError, match=message):
        check_function(function)


def test_right_ones_pass():
    check_function(Pairs())
    check_function(LABS(30))
    rng = np.random.default_rng(0)
    literals = rng.choice([-1, 1], (200, 3)) * rng.integers(1, 51, (200, 3))
    check_function(MaxSAT(literals.tolist()))
    terms = {tuple(rng.integers(0, 90, 4).tolist()): rng.normal() for _ in range(99)}
    check_function(PolynomialFunction(terms))


def test_a_wrong_polynomial_is_found():
    class Wrong(PolynomialFunction):
        def to_polynomial(self):
            return PolynomialFunction({0: 1.0}, self.n_variables)

    with pytest.raises(AssertionError, match=r"to_polynomial\(\) costs"):
        check_function(Wrong({(0, 1, 2): 1.0, (): 5.0}))


def test_the_contract_of_points_is_uint8():
    sweep = Pairs().sweep(torch.zeros(6))
    assert sweep.points.dtype == np.uint8
