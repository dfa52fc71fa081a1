"""Parameters of parts: what is said where the part is a string."""

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sklearn_pb import (
    MaskPruner,
    MixedPrecisionQuantizer,
    PBMinimizer,
    SparseTicketFinder,
)
from sklearn_pb.constraints import L0Penalty
from sklearn_pb.methods import Continuation


@pytest.mark.parametrize(
    "estimator, parameter, held, instead",
    [
        (MaskPruner(), "method__beta_final", "'continuous'", "Continuation()"),
        (MaskPruner(method="snip"), "method__at", "'snip'", "OneShot(at=0.0, crit"),
        (MaskPruner(method="wrong"), "method__at", "'wrong'", "an object that has it"),
        (MaskPruner(), "granularity__shape", "'weight'", "an object that has it"),
        (MaskPruner(), "constraint__strength", "None", "an object that has it"),
        (MaskPruner(), "estimator__lr", "None", "an object that has it"),
        (
            PBMinimizer(method="loorf"),
            "method__n_samples",
            "'loorf'",
            "MonteCarlo()",
        ),
        (PBMinimizer(), "method__n_samples", "'auto'", "an object that has it"),
        (PBMinimizer(method="tabu"), "method__tenure", "'tabu'", "TabuSearch()"),
        (MixedPrecisionQuantizer(), "method__x", "'smol'", "Smol()"),
        (
            MixedPrecisionQuantizer(activations="pact"),
            "activations__bits",
            "'pact'",
            "PACT()",
        ),
        (SparseTicketFinder(), "search__x", "'continuous'", "Continuous()"),
    ],
    ids=str,
)
def test_an_object_is_asked_for(estimator, parameter, held, instead):
    with pytest.raises(ValueError) as raised:
        estimator.set_params(**{parameter: 2})
    part = parameter.partition("__")[0]
    text = str(raised.value)
    assert text.startswith(f"{parameter}=2 is for an object, but {part}={held}; set")
    assert f"set {part} to {instead}" in text


def test_in_a_grid_search():
    search = GridSearchCV(
        MaskPruner(sparsity=0.5), {"method__beta_final": [100.0]}, error_score="raise"
    )
    with pytest.raises(ValueError, match=r"set method to Continuation\(\) first"):
        search.fit(*load_iris(return_X_y=True))


def test_objects_and_their_parameters_at_once():
    pruner = MaskPruner().set_params(
        method=Continuation(),
        method__beta_final=100.0,
        constraint=L0Penalty(),
        constraint__strength=0.5,
        sparsity=0.7,
    )
    assert pruner.method.beta_final == 100.0
    assert pruner.constraint.strength == 0.5
    assert pruner.sparsity == 0.7


@pytest.mark.parametrize("name", ["sparsty", "sparsty__x", "method__beta"])
def test_unknown_names_are_told_as_scikit_learn_does(name):
    with pytest.raises(ValueError, match="Invalid parameter"):
        MaskPruner(method=Continuation()).set_params(**{name: 1})
