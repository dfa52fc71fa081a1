"""Hyperparameters: what is refused, and how strings are resolved."""

import re

import pytest
import torch

from sklearn_pb.constraints import Quota
from sklearn_pb.distributions import Algebraic, Cosine, Direct
from sklearn_pb.gradients import loorf
from sklearn_pb.methods import (
    PRESETS,
    Continuation,
    Gradual,
    MonteCarlo,
    OneShot,
    SearchSpace,
    StraightThrough,
    Weights,
    resolve_method,
)
from sklearn_pb.utils import RandomStream


@pytest.mark.parametrize(
    "method, message",
    [
        (
            MonteCarlo(gradient="loof"),
            "gradient='loof' is unknown; it must be one of arm, arms",
        ),
        (MonteCarlo(n_samples=1), "n_samples=1 must be an integer in [2, inf)"),
        (MonteCarlo(gradient="reinforce", n_samples=0), "n_samples=0"),
        (MonteCarlo(parametrization="logit"), "parametrization='logit' is unknown"),
        (
            MonteCarlo(initial_probability=0),
            "initial_probability=0 must be a number in (0",
        ),
        (MonteCarlo(initial_probability=1.0), "initial_probability=1.0"),
        (MonteCarlo(learning_rate=0), "learning_rate=0 must be a number in (0, inf)"),
        (MonteCarlo(smoothing=1), "smoothing=1 must be a number in [0, 1)"),
        (StraightThrough(initial_probability=-1), "initial_probability=-1"),
        (StraightThrough(learning_rate=-1), "learning_rate=-1"),
        (StraightThrough(smoothing=2), "smoothing=2"),
        (Continuation(beta_final=0), "beta_final=0 must be a number in (0, inf)"),
        (Continuation(s_init=float("nan")), "s_init=nan"),
        (Continuation(learning_rate=0), "learning_rate=0"),
        (Continuation(smoothing=-0.1), "smoothing=-0.1"),
        (Continuation(saturation=0), "saturation=0"),
        (Continuation(soft_step="tanh"), "soft_step='tanh' is unknown; it must be one"),
        (Continuation(soft_step=Algebraic(-1)), "power=-1 must be a number in (0"),
        (Continuation(sharpness=lambda t: t), "sharpness(0.0)=0.0 must be a number"),
        (Gradual(n_prunings=0), "n_prunings=0 must be an integer in [1, inf)"),
    ],
)
def test_senseless_hyperparameters_are_refused(method, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve_method(method)


def test_a_schedule_is_a_callable():
    with pytest.raises(TypeError, match=r"sharpness=200 must be None or a callable"):
        resolve_method(Continuation(sharpness=200))


@pytest.mark.parametrize("name", PRESETS)
def test_strings_are_presets(name):
    method = resolve_method(name)
    assert type(method) is type(PRESETS[name]())
    assert method is not resolve_method(name)


def test_unknown_strings_list_what_there_is():
    with pytest.raises(ValueError, match=r"method='looorf' is unknown.* arms,.* conti"):
        resolve_method("looorf")


@pytest.mark.parametrize("wrong", [None, 3, MonteCarlo, loorf])
def test_other_things_are_no_methods(wrong):
    with pytest.raises(TypeError, match="must be a string or an object"):
        resolve_method(wrong)


def test_resolving_copies_and_changes_nothing():
    given = MonteCarlo(n_samples=3, parametrization=Cosine())
    before = given.get_params()
    resolved = resolve_method(given)
    assert resolved is not given
    assert resolved.get_params() == given.get_params() == before
    resolved.set_params(n_samples=5)
    assert given.n_samples == 3


def test_parts_may_be_objects():
    method = resolve_method(MonteCarlo(gradient=loorf, parametrization=Direct(eps=0.1)))
    search = method.start(SearchSpace(3, RandomStream(0)))
    for step in range(200):
        search.advance(step / 200)
        search.update(lambda Z: Z.sum(1), None)
    torch.testing.assert_close(search.probabilities(), torch.full((3,), 0.1))


@pytest.mark.parametrize("method", [OneShot(), Gradual()])
@pytest.mark.parametrize(
    "options",
    [
        {"quota": Quota([3], [1])},
        {"weights": Weights.single(lambda: torch.ones(3))},
    ],
)
def test_magnitudes_need_weights_and_a_sparsity(method, options):
    with pytest.raises(ValueError, match="needs the weights of a network and a spars"):
        method.start(SearchSpace(3, RandomStream(0), **options))


@pytest.mark.parametrize(
    "d, sparsity, n_ones", [(100, 0.95, 5), (8, 0.9, 1), (10, 0.0, 10), (7, None, None)]
)
def test_number_of_ones(d, sparsity, n_ones):
    quota = Quota.proportional([d], sparsity)
    assert quota.counts == (None if n_ones is None else (n_ones,))
