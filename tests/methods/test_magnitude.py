"""The two baselines that everybody means rank by size and by nothing else."""

import pytest
import torch
from sklearn.base import clone

from sklearn_pb.constraints import Quota
from sklearn_pb.methods import (
    GradualMagnitude,
    Magnitude,
    SearchSpace,
    Weights,
    resolve_method,
)
from sklearn_pb.utils import RandomStream

WEIGHTS = torch.tensor([3.0, -1.0, 0.5, -4.0, 2.0, 0.1, -0.2, 6.0, 5.0, -7.0])


def start(method, weights=WEIGHTS):
    quota = Quota.proportional([len(weights)], 0.6)
    held = Weights.single(lambda: weights)
    return method.start(SearchSpace(len(weights), RandomStream(0), quota, weights=held))


@pytest.mark.parametrize(
    "method, parameters",
    [
        (Magnitude(at=0.5), {"at": 0.5}),
        (
            GradualMagnitude(n_prunings=7, regrow=True),
            {"n_prunings": 7, "regrow": True, "schedule": None},
        ),
    ],
)
def test_the_criterion_is_no_parameter(method, parameters):
    assert clone(method).get_params() == parameters
    with pytest.raises(TypeError, match="criterion"):
        type(method)(criterion="l1")


def test_the_cut_falls_at_its_moment_and_keeps_the_largest():
    search = start(Magnitude(at=0.5))
    search.advance(0.25)
    assert search.mask().all()
    search.advance(0.5)
    assert WEIGHTS[search.mask().bool()].tolist() == [-4.0, 6.0, 5.0, -7.0]


def test_two_cuts_along_a_straight_line():
    search = start(GradualMagnitude(n_prunings=2, schedule=float))
    search.advance(0.5)
    assert (search.mask() == 0).nonzero().flatten().tolist() == [2, 5, 6]
    search.advance(1.0)
    assert WEIGHTS[search.harden()].tolist() == [-4.0, 6.0, 5.0, -7.0]


@pytest.mark.parametrize("regrow", [False, True])
def test_what_was_cut_comes_back_if_it_may(regrow):
    weights = WEIGHTS.clone()
    search = start(GradualMagnitude(n_prunings=2, regrow=regrow), weights)
    search.advance(0.5)
    weights[5] = 100.0
    search.advance(1.0)
    assert bool(search.harden()[5]) is regrow


def test_presets():
    assert repr(resolve_method("magnitude")) == "Magnitude()"
    assert repr(resolve_method("gmp")) == "GradualMagnitude()"


@pytest.mark.parametrize(
    "method, name",
    [(Magnitude(at=2), "at=2"), (GradualMagnitude(n_prunings=0), "n_prunings=0")],
)
def test_hyperparameters_are_judged(method, name):
    with pytest.raises(ValueError, match=name):
        method.check()
