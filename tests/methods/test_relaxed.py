"""Relaxed masks: their draws, and gradients against autograd and differences."""

import re
from dataclasses import dataclass

import pytest
import torch
from scipy import stats

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.distributions import (
    PRESETS,
    Concrete,
    Direct,
    HardConcrete,
    Relaxation,
    log_odds,
)
from sklearn_pb.methods import Relaxed, SearchSpace, resolve_method
from sklearn_pb.schedules import ExponentialTemperature, LinearTemperature
from sklearn_pb.testing import check_method
from sklearn_pb.utils import RandomStream

D = 40
STREAM = RandomStream(5)
STRENGTH = 0.3


@dataclass(frozen=True)
class Cauchy(Relaxation):
    """One that says nothing but how it relaxes."""

    def relax(self, latent):
        return 0.5 + torch.atan(latent) / torch.pi

    def check(self):
        pass


RELAXATIONS = [Concrete(0.4), HardConcrete(0.7), HardConcrete(0.5, -0.3, 1.5), Cauchy()]


def start(relaxation="concrete", d=D, constraint=None, sparsity=None, **options):
    dtype = options.pop("dtype", torch.float64)
    space = SearchSpace(
        d, STREAM, Quota.proportional([d], sparsity), constraint, dtype=dtype
    )
    return Relaxed(relaxation, **options).start(space)


def spread(search):
    """Move the logits apart, as far as their probabilities are well inside (0, 1)."""
    theta = torch.linspace(0.12, 0.88, D, dtype=torch.float64)
    search.logits.copy_(search.parametrization.logits(theta))
    search.advance(0.25)
    return search


def slopes():
    return torch.linspace(-1, 2, D, dtype=torch.float64)


def gradient_of(search):
    search.mask()
    return search._gradient(None, slopes())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)
def test_the_gradient_is_that_of_autograd_through_the_sample(relaxation, preset):
    search = spread(start(relaxation, parametrization=preset))
    r = search.logits.clone().requires_grad_()
    odds = log_odds(search.parametrization.probabilities(r))
    sample = relaxation.sample(odds, STREAM, range(search.step, search.step + 1))[0]
    torch.testing.assert_close(search.mask(), sample.detach())
    (expected,) = torch.autograd.grad(sample @ slopes(), r)
    torch.testing.assert_close(gradient_of(search), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("preset", ["sigmoid", "direct", "cosine"])
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)
def test_the_gradient_with_a_price_is_that_of_finite_differences(relaxation, preset):
    price = L0Penalty(strength=STRENGTH)
    search = spread(start(relaxation, constraint=price, parametrization=preset))
    at, h = search.logits.clone(), 1e-6

    def costs(r):
        """One cost a variable, as each depends on its own logit only."""
        search.logits.copy_(r)
        odds = log_odds(search.parametrization.probabilities(r))
        ones = torch.sigmoid(odds)
        if isinstance(relaxation, HardConcrete):
            ones = relaxation.nonzero_probability(odds)
        return slopes() * search.mask() + STRENGTH * ones

    expected = (costs(at + h) - costs(at - h)) / (2 * h)
    search.logits.copy_(at)
    torch.testing.assert_close(gradient_of(search), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)
def test_in_place_it_is_the_same(relaxation):
    latent = torch.linspace(-6, 6, 101, dtype=torch.float64)
    value = relaxation.relax_(latent.clone())
    torch.testing.assert_close(value, relaxation.relax(latent))
    slope = torch.linspace(-1, 1, 101, dtype=torch.float64)
    expected = Relaxation.backward_(relaxation, slope.clone(), latent, value)
    got = relaxation.backward_(slope.clone(), latent, value)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sample_exceeds_one_half_as_often_as_a_one_is_drawn(dtype):
    """At every temperature, and all samples are nearly binary at a low one."""
    d = 20_000
    for temperature in (1.0, 0.01):
        search = start(
            d=d, dtype=dtype, temperature=temperature, initial_probability=0.3
        )
        search.advance(0.0)
        mask = search.mask()
        ones = int((mask > 0.5).sum())
        assert stats.binomtest(ones, d, 0.3).pvalue > 1e-3
        undecided = ((mask > 0.01) & (mask < 0.99)).double().mean()
        assert undecided < 0.05 or temperature == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_noise_is_logistic(dtype):
    search = start(d=20_000, dtype=dtype, temperature=1.0)
    search.advance(0.0)
    noise = torch.logit(search.mask().double())
    assert stats.kstest(noise.numpy(), "logistic").pvalue > 1e-3


def test_a_step_has_draws_of_its_own():
    search = start()
    search.advance(0.0)
    first = search.mask().clone()
    assert torch.equal(search.mask(), first)
    search.advance(0.1)
    assert not torch.equal(search.mask(), first)


def test_hard_concrete_is_exactly_zero_and_one_at_times():
    search = start("hard-concrete", d=2000)
    search.advance(0.0)
    mask = search.mask()
    assert (mask == 0).any() and (mask == 1).any()
    assert (gradient(search, 2000)[(mask == 0) | (mask == 1)] == 0).all()


def gradient(search, d):
    return search._gradient(None, torch.ones(d, dtype=search.logits.dtype))


@pytest.mark.parametrize(
    "temperature, expected",
    [
        (None, [2 / 3, 2 / 3, 2 / 3]),
        (0.5, [0.5, 0.5, 0.5]),
        (LinearTemperature(1.0, 0.2), [1.0, 0.6, 0.2]),
        (ExponentialTemperature(1.0, 0.25), [1.0, 0.5, 0.25]),
    ],
)
def test_the_temperature_follows_its_schedule(temperature, expected):
    search = start("hard-concrete", temperature=temperature)
    for progress, value in zip((0.0, 0.5, 1.0), expected, strict=True):
        search.advance(progress)
        assert search.relaxation.temperature == pytest.approx(value)


def test_certain_variables_are_certain_and_without_a_slope():
    """Where a constraint may put probabilities: 0, 1, beyond, and next to them."""
    search = start(d=7, parametrization=Direct(), dtype=torch.float32)
    search.logits.copy_(torch.tensor([0.0, -0.5, 1.0, 1.5, 1e-40, 1e-12, 0.5]))
    for progress in (0.0, 0.3, 0.6):
        search.advance(progress)
        mask = search.mask()
        assert (mask[:2] < 1e-10).all() and (mask[2:4] > 1 - 1e-6).all()
        slope = gradient(search, 7)
        assert (slope[:4] == 0).all() and torch.isfinite(slope).all()
        assert slope[6] > 0


def test_logits_of_the_sigmoid_stay_where_they_can_come_back_from():
    free, kept = start(saturation=None), start(saturation=3.0)
    for search in (free, kept):
        for step in range(60):
            search.advance(step / 60)
            search.mask()
            search.update(None, torch.ones(D, dtype=torch.float64))
    assert (kept.logits == -3).any() and (kept.logits >= -3).all()
    assert (free.logits < -3).all()


def test_momentum_carries_on():
    """After one step of slope 1 and one of slope 0, only momentum still moves."""

    def moved(momentum):
        search = start(Cauchy(), momentum=momentum)
        positions = []
        for step, size in enumerate((1.0, 0.0)):
            search.advance(step / 2)
            search.mask()
            search.update(None, torch.full((D,), size, dtype=torch.float64))
            positions.append(search.logits.clone())
        return (positions[1] - positions[0]).abs().max()

    assert moved(0.0) == 0
    assert moved(0.9) > 0.01


def test_scores_tell_apart_what_probabilities_do_not():
    search = start(dtype=torch.float32, saturation=None)
    search.logits.copy_(torch.linspace(20, 30, D))
    assert len(search.scores().unique()) == D > len(search.probabilities().unique())


@pytest.mark.parametrize("relaxation", [Cauchy(), Concrete(0.2), HardConcrete(0.3)])
def test_any_relaxation_serves(relaxation):
    check_method(Relaxed(relaxation))


@pytest.mark.parametrize("parametrization", PRESETS)
def test_any_parametrization_serves(parametrization):
    check_method(Relaxed(parametrization=parametrization))


@pytest.mark.parametrize(
    "method, message",
    [
        (Relaxed("gumbel"), "relaxation='gumbel' is unknown; it must be one of conc"),
        (Relaxed(HardConcrete(gamma=0.1)), "gamma=0.1 must be a number in ("),
        (Relaxed(temperature=0.0), "temperature=0.0 must be a number in (0"),
        (Relaxed(temperature=LinearTemperature(1, 0)), "temperature(1.0)=0"),
        (
            Relaxed(Cauchy(), temperature=0.5),
            "temperature=0.5 must be None with relaxation=Cauchy(), which has no",
        ),
        (Relaxed(parametrization="logit"), "parametrization='logit' is unknown"),
        (Relaxed(initial_probability=1), "initial_probability=1 must be a number"),
        (Relaxed(learning_rate=0), "learning_rate=0 must be a number in (0"),
        (Relaxed(smoothing=1), "smoothing=1 must be a number in [0, 1)"),
        (Relaxed(momentum=-0.1), "momentum=-0.1 must be a number in [0, 1)"),
        (Relaxed(saturation=0), "saturation=0 must be a number in (0, inf)"),
    ],
)
def test_senseless_hyperparameters_are_refused(method, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve_method(method)
