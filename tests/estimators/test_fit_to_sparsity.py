"""A sparsity reached through the parameters that influence it."""

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import L0Penalty, SparsityProjection
from sklearn_pb.estimators import fit_to_sparsity
from sklearn_pb.methods import Continuation


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def pruner(**settings):
    settings = {"constraint": L0Penalty(1e-3), "random_state": 0, **settings}
    return MaskPruner(method=Continuation(), **settings)


def test_the_start_of_the_soft_mask_steers_the_sparsity(iris):
    given = pruner()
    fitted = fit_to_sparsity(given, *iris, 0.7, bounds=(-0.5, 1.0), tolerance=0.02)
    assert fitted.sparsity_ == pytest.approx(0.7, abs=0.02)
    assert fitted.method.s_init > 0.1  # lower is sparser, and 0 gives 0.8
    assert given.method.s_init == 0 and not hasattr(given, "sparsity_")


def test_so_does_the_price(iris):
    options = {"parameter": "constraint__strength", "bounds": (1e-3, 1e-4)}
    fitted = fit_to_sparsity(pruner(), *iris, 0.74, tolerance=0.04, **options)
    assert fitted.sparsity_ == pytest.approx(0.74, abs=0.04)
    assert 1e-4 < fitted.constraint.strength < 1e-3


def test_too_few_fits_warn_and_give_the_nearest(iris):
    with pytest.warns(ConvergenceWarning, match="3 fits came to a sparsity of 0"):
        fitted = fit_to_sparsity(
            pruner(), *iris, 0.7, bounds=(-0.4, 1.0), tolerance=1e-6, max_fits=3
        )
    assert abs(fitted.sparsity_ - 0.7) < 0.1


@pytest.mark.parametrize(
    "settings, options, message",
    [
        ({"sparsity": 0.9}, {}, "the pruner has sparsity=0.9"),
        ({"constraint": SparsityProjection(0.9)}, {}, "has a sparsity of its own"),
        ({}, {"bounds": (0.0, 0.1)}, "must lie between them"),
        ({}, {"max_fits": 1}, "max_fits=1 must be an integer in"),
        ({}, {"tolerance": 0}, "tolerance=0 must be a number in"),
        ({}, {"parameter": "method__slope"}, "parameter='method__slope' is none of"),
        ({"checkpoint": "here"}, {}, "checkpoint='here' is for one run"),
    ],
)
def test_what_cannot_be_reached_is_said(iris, settings, options, message):
    with pytest.raises(ValueError, match=message):
        fit_to_sparsity(pruner(**settings), *iris, 0.5, **options)
