"""MonteCarlo asks the traits of its gradient, and keeps what a gradient learns."""

import io
import re

import pytest
import torch
from sklearn.base import clone

from sklearn_pb.distributions import Concrete, Cosine, Direct, Sigmoid
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.gradients import (
    ESTIMATORS,
    Pathwise,
    Rebar,
    loorf,
    rebar,
    traits_of,
    with_traits,
)
from sklearn_pb.methods import MonteCarlo, SearchSpace, resolve_method
from sklearn_pb.utils import RandomStream

J = QuadraticFunction([[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]])


@with_traits(fewest_samples=4, even_samples=True, parametrizations=("sigmoid",))
def pairs(function, logits, stream, **options):
    """Stands for a gradient with demands."""
    return loorf(function, logits, stream, **options)


@with_traits(most_variables=5)
def small(function, logits, stream, **options):
    return loorf(function, logits, stream, **options)


RELAXED = {"concrete", "hard-concrete"}  # these names mean one sample a step


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - RELAXED))
def test_every_estimator_is_a_preset(name):
    method = resolve_method(name)
    assert method.get_params() == {**MonteCarlo().get_params(), "gradient": name}
    assert method.needs_relaxable == traits_of(ESTIMATORS[name]).needs_relaxable


@pytest.mark.parametrize(
    "method, message",
    [
        (MonteCarlo(gradient=pairs, n_samples=2), "n_samples=2 must be an integer in"),
        (MonteCarlo(gradient=pairs, n_samples=5), "n_samples=5 must be even"),
        (
            MonteCarlo(gradient=pairs, parametrization="escort"),
            "parametrization='escort' does not go with",
        ),
        (
            MonteCarlo(gradient=pairs, parametrization=Direct()),
            "parametrization=Direct(eps=0.001) does not go with",
        ),
        (MonteCarlo(gradient="rebar", n_samples=0), "n_samples=0 must be an integer"),
        (MonteCarlo(gradient=Rebar(temperature=0)), "temperature=0 must be a number"),
        (MonteCarlo(gradient=Pathwise(Concrete(-1))), "temperature=-1 must be a num"),
    ],
)
def test_what_the_gradient_cannot_do_is_refused(method, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        method.check()


@pytest.mark.parametrize("parametrization", ["sigmoid", Sigmoid()])
def test_what_agrees_with_the_traits_is_not(parametrization):
    MonteCarlo(gradient=pairs, n_samples=4, parametrization=parametrization).check()


def test_too_many_variables_are_refused_at_the_start():
    method = MonteCarlo(gradient=small)
    method.start(SearchSpace(5, RandomStream(0)))
    with pytest.raises(ValueError, match="n_variables=6 is too large for gradient="):
        method.start(SearchSpace(6, RandomStream(0)))


@pytest.mark.parametrize(
    "gradient, needed",
    [
        ("loorf", False),
        ("rebar", True),
        (Pathwise(Concrete(0.1)), True),
        (pairs, False),
        ("no such gradient", False),
    ],
)
def test_needs_relaxable_follows_the_gradient(gradient, needed):
    method = MonteCarlo(gradient=gradient)
    assert method.needs_relaxable is needed
    assert clone(method).needs_relaxable is needed


def steps(search, n):
    for _ in range(n):
        search.advance(search.step / 100)
        search.mask()
        with torch.no_grad():
            search.update(J, None)
    return search


@pytest.mark.parametrize("gradient", ["rebar", "relax"])
def test_what_is_learned_is_saved(gradient):
    method = MonteCarlo(gradient=gradient, parametrization=Cosine(), n_samples=4)
    space = SearchSpace(3, RandomStream(1))
    first = steps(method.start(space), 6)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    resumed = method.start(space)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    steps(first, 6), steps(resumed, 6)
    one, other = first.state_dict()["estimator"], resumed.state_dict()["estimator"]
    assert torch.equal(first.logits, resumed.logits)
    for name, value in one["control_variate"].items():
        assert torch.equal(value, other["control_variate"][name])
    temperature = one["control_variate"]["log_temperature"]
    assert temperature.item() != pytest.approx(0.5)  # it was learned


def test_two_searches_learn_apart():
    method = MonteCarlo(gradient=Rebar(temperature=1.0))
    space = SearchSpace(3, RandomStream(1))
    learned = steps(method.start(space), 3).state_dict()["estimator"]
    fresh = method.start(space).state_dict()["estimator"]
    assert learned["control_variate"]["scale"] != 1.0
    assert fresh["control_variate"]["scale"] == 1.0
    assert method.gradient == Rebar(temperature=1.0) and rebar == Rebar()


SLICED = ["arm", "arms", "arms-gaussian", "disarm", "double-cv", "loorf", "reinforce"]


@pytest.mark.parametrize("gradient", SLICED)
def test_the_mask_is_the_first_of_the_samples(gradient):
    """And a gradient from samples drawn before is that from samples of its own."""
    method = MonteCarlo(gradient=gradient, n_samples=4, evaluation="sliced")
    method.check()
    given, own = (method.start(SearchSpace(3, RandomStream(1))) for _ in range(2))
    for _ in range(3):
        given.advance(0.0), own.advance(0.0)
        assert given.sampled() is None
        mask, sampled = given.mask(), given.sampled()
        assert sampled.sliced and not sampled.compared
        assert sampled.slopes is method.needs_relaxable
        assert torch.equal(mask, sampled.samples.draw(range(4))[0])
        with torch.no_grad():
            given.update(J, None), own.update(J, None)
        assert given.sampled() is None
    torch.testing.assert_close(given.logits, own.logits)


def test_an_estimator_that_does_not_tell_its_samples_has_a_mask_apart():
    search = MonteCarlo(gradient=pairs, n_samples=4).start(
        SearchSpace(3, RandomStream(0))
    )
    search.advance(0.0)
    assert search.mask().shape == (3,)
    assert search.sampled() is None


@pytest.mark.parametrize("evaluation", ["sliced", "compared"])
@pytest.mark.parametrize("gradient", ["rebar", "muprop", "concrete", "exact", pairs])
def test_what_asks_for_more_than_the_costs_of_samples_is_not_sliced(
    gradient, evaluation
):
    method = MonteCarlo(gradient=gradient, n_samples=4, evaluation=evaluation)
    with pytest.raises(ValueError, match=f"evaluation='{evaluation}' does not go with"):
        method.check()


@pytest.mark.parametrize(
    "gradient, sliced",
    [
        ("loorf", False),
        ("arms", False),
        ("double-cv", True),
        ("double-cv-shrunk", True),
    ],
)
def test_slopes_are_taken_on_slices_by_default(gradient, sliced):
    search = MonteCarlo(gradient=gradient).start(SearchSpace(3, RandomStream(0)))
    search.advance(0.0)
    search.mask()
    assert search.sampled().sliced is sliced
    assert search.sampled().compared is sliced


def test_an_unknown_evaluation_is_named():
    with pytest.raises(ValueError, match="evaluation='half'"):
        MonteCarlo(evaluation="half").check()


@pytest.mark.parametrize(
    "gradient, most", [("loorf", None), ("exact", 20), ("beta-star", 16), ("x", None)]
)
def test_enumerating_gradients_say_for_how_many_variables(gradient, most):
    method = MonteCarlo(gradient=gradient)
    assert method.most_variables == most
    assert method.fits_networks is (most is None)


def test_an_estimator_without_a_state_saves_none():
    search = steps(MonteCarlo().start(SearchSpace(3, RandomStream(1))), 2)
    assert "estimator" not in search.state_dict()


def test_a_cost_without_a_slope_is_named():
    function = BlackBoxFunction(lambda Z: Z.detach().sum(dim=1), 3)
    search = MonteCarlo(gradient="muprop").start(SearchSpace(3, RandomStream(0)))
    search.advance(0.0)
    with pytest.raises(ValueError, match="costs without a gradient"):
        search.update(function, None)
