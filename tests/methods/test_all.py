"""Every preset keeps the contract, and finds what can be found."""

import io

import numpy as np
import pytest
import torch

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.functions import (
    BlackBoxFunction,
    ExponentialTabularLoss,
    QuadraticFunction,
    tabulate,
)
from sklearn_pb.gradients import ESTIMATORS, traits_of
from sklearn_pb.methods import PRESETS, SearchSpace
from sklearn_pb.testing import check_method
from sklearn_pb.utils import RandomStream


def most_variables(name):
    estimator = ESTIMATORS.get(name)
    return None if estimator is None else traits_of(estimator).most_variables


LEARNED = [name for name, make in PRESETS.items() if make().learns]
SAMPLING = [name for name in LEARNED if not PRESETS[name]().needs_relaxable]
OPEN = [name for name in LEARNED if not PRESETS[name]().needs_sparsity]
DETERMINED = [name for name in LEARNED if name != "reinforce"]
SCALABLE = [name for name in DETERMINED if most_variables(name) is None]


def run(search, function, n_steps):
    """The engine's loop at its barest; returns the search at its end."""
    for step in range(n_steps):
        search.advance(step / n_steps)
        mask, slope = search.mask(), None
        if search.needs_slope:
            point = mask.clone().requires_grad_()
            (slope,) = torch.autograd.grad(function(point[None])[0], point)
        with torch.no_grad():
            search.update(function, slope)
    search.advance(1.0)
    return search


def start(name, d, seed=0, **options):
    quota = Quota.proportional([d], options.pop("sparsity", None))
    space = SearchSpace(d, RandomStream(seed), quota=quota, **options)
    return PRESETS[name]().start(space)


@pytest.mark.parametrize("name", PRESETS)
def test_conformance(name):
    """The contract, and for what learns: costs fall, prices and targets are heeded."""
    check_method(PRESETS[name]())


@pytest.mark.parametrize("name", OPEN)
def test_a_quadratic_is_minimised(name):
    """Eight variables with a clear pair structure; its minimum is enumerated."""
    generator = np.random.default_rng(0)
    Q = np.triu(generator.normal(size=(8, 8)), 1)
    function = QuadraticFunction(Q, linear=generator.normal(size=8))
    search = run(start(name, 8), function, 400)
    table = tabulate(function).values
    cost = float(function(search.harden()[None].double()))
    assert (table < cost - 1e-9).sum() <= 3  # of 256 points


@pytest.mark.parametrize("name", SAMPLING)
def test_a_table_without_structure_is_lowered(name):
    function = ExponentialTabularLoss(8, random_state=1)
    search = run(start(name, 8), function, 400)
    cost = float(function(search.harden()[None].double()))
    assert (function.values < cost - 1e-9).double().mean() < 0.15


@pytest.mark.parametrize("sparsity", [pytest.param(0.8, marks=pytest.mark.slow), 0.95])
@pytest.mark.parametrize("name", SCALABLE)
def test_a_linear_cost_is_steered_to_the_target_density(name, sparsity):
    """Before the cut to exactly k, the mask has come near the target by itself.

    `check_method` asks it of eight variables; here are four hundred, and fewer ones.
    """
    d = 400
    gains = torch.linspace(0.1, 2.0, d)
    function = BlackBoxFunction(lambda Z: -Z @ gains.to(Z), d, relaxable=True)
    search = start(name, d, sparsity=sparsity, constraint=L0Penalty())
    run(search, function, 600)
    assert search.density() == pytest.approx(1 - sparsity, rel=0.5)
    mask = search.harden()
    assert mask.sum() == round((1 - sparsity) * d)
    kept = torch.arange(d)[mask].double().mean()
    assert kept > 0.6 * d  # the dearest ones


@pytest.mark.parametrize("name", LEARNED)
def test_a_saved_search_goes_on_alike(name):
    """Logits, not just masks, after twenty more steps; through a file."""
    function = QuadraticFunction(np.diag(np.linspace(-1, 1, 8)))
    first = start(name, 8, sparsity=0.5, constraint=L0Penalty())
    run(first, function, 10)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = start(name, 8, sparsity=0.5, constraint=L0Penalty())
    second.load_state_dict(torch.load(file, weights_only=True))
    for search in (first, second):
        run(search, function, 20)
    assert torch.equal(first.logits, second.logits)
    assert first.strength == second.strength
