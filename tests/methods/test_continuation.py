"""Continuous sparsification: Savarese (2025), algorithm 1."""

import pytest
import torch

from sklearn_pb.constraints import L0Penalty, Quota
from sklearn_pb.distributions import SOFT_STEPS, Algebraic
from sklearn_pb.functions import MisleadingHill, SteepBarriers
from sklearn_pb.methods import Continuation, MonteCarlo, SearchSpace
from sklearn_pb.schedules import ExponentialSharpness, LinearSharpness, Staircase
from sklearn_pb.testing import check_method
from sklearn_pb.utils import RandomStream


def start(d=4, sparsity=None, **options):
    quota = Quota.proportional([d], sparsity)
    return Continuation(**options).start(SearchSpace(d, RandomStream(0), quota))


def test_the_mask_is_the_sharpened_sigmoid():
    search = start(beta_final=100.0)
    search.logits.copy_(torch.tensor([-1.0, -0.01, 0.01, 1.0]))
    for progress, beta in ((0.0, 1.0), (0.5, 10.0), (1.0, 100.0)):
        search.advance(progress)
        assert search.beta == pytest.approx(beta)
        expected = torch.sigmoid(beta * search.logits)
        torch.testing.assert_close(search.mask(), expected)
        torch.testing.assert_close(search.probabilities(), expected)
        assert search.density() == pytest.approx(float(expected.mean()))
    assert search.harden().tolist() == [False, False, True, True]


def test_the_mask_at_the_end_is_one_where_s_is_at_least_zero():
    assert start(s_init=0.0).harden().all()
    assert not start(s_init=-1e-3).harden().any()


@pytest.mark.parametrize("s_init", [-1000.0, -3.0, 0.0, 0.1, 1000.0])
def test_s_starts_where_it_is_told(s_init):
    search = start(s_init=s_init)
    assert torch.equal(search.logits, torch.full((4,), s_init))


@pytest.mark.parametrize("s_init", [-20.0, 20.0])
def test_a_far_start_stays_finite(s_init):
    search = start(s_init=s_init)
    for step in range(20):
        search.advance(step / 20)
        search.mask()
        search.update(None, torch.ones(4))
    assert torch.isfinite(search.logits).all()


def test_the_logits_stay_where_their_gradient_lives():
    free, kept = start(saturation=None), start(saturation=8.0)
    for search in (free, kept):
        for step in range(200):
            search.advance(step / 200)
            search.mask()
            search.update(None, torch.tensor([1.0, -1.0, 1.0, -1.0]))
    assert (kept.logits.abs() * kept.beta <= 8.0 * (1 + 1e-6)).all()
    assert (free.logits.abs() * free.beta > 8.0).all()
    assert torch.equal(kept.harden(), free.harden())


@pytest.mark.parametrize("soft_step", SOFT_STEPS)
def test_every_soft_step_keeps_its_mask_as_far_from_its_ends(soft_step):
    """Near enough for 99 % zeros, and where single precision still has a slope."""
    space = SearchSpace(2, RandomStream(0))
    search = Continuation(soft_step=soft_step, learning_rate=1.0).start(space)
    least = torch.sigmoid(torch.tensor(-8.0))
    for step in range(2000):
        search.advance(step / 1999)
        search.mask()
        search.update(None, torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(search.mask()[0], least, rtol=1e-2, atol=0)
    torch.testing.assert_close(1 - search.mask()[1], least, rtol=1e-2, atol=0)
    slope = search._gradient(None, torch.ones(2))
    assert (slope > 0).all()


@pytest.mark.parametrize("saturation", [1e-3, 50.0, 1000.0])
@pytest.mark.parametrize("soft_step", [*SOFT_STEPS, Algebraic(0.1)], ids=str)
def test_any_saturation_can_be_kept(soft_step, saturation):
    search = start(2, soft_step=soft_step, saturation=saturation, learning_rate=1.0)
    for step in range(20):
        search.advance(step / 19)
        search.mask()
        search.update(None, torch.tensor([1.0, -1.0]))
    assert search.logits.isfinite().all() and search.mask().isfinite().all()
    if saturation < 1:
        assert (search.mask() - 0.5).abs().max() < 1e-3


def test_room_to_prune_is_left_for_a_low_sparsity():
    assert start(10, sparsity=0.2).density() == pytest.approx(0.9)
    assert start(10, sparsity=0.9).density() == pytest.approx(0.5)


@pytest.mark.parametrize("soft_step", [*SOFT_STEPS, Algebraic(4.0)], ids=str)
def test_other_soft_steps(soft_step):
    """Savarese (2025), section 4.2.4."""
    check_method(Continuation(soft_step=soft_step, learning_rate=0.05))
    search = start(soft_step=soft_step, s_init=0.1)
    step = SOFT_STEPS[soft_step]() if isinstance(soft_step, str) else soft_step
    search.advance(0.5)
    expected = step.probabilities(200**0.5 * search.logits)
    torch.testing.assert_close(search.mask(), expected)


@pytest.mark.parametrize("soft_step", SOFT_STEPS)
def test_the_gradient_of_cost_and_price_by_differences(soft_step):
    space = SearchSpace(
        3, RandomStream(0), constraint=L0Penalty(0.3), dtype=torch.float64
    )
    search = Continuation(soft_step=soft_step, sharpness=LinearSharpness(5)).start(
        space
    )
    search.logits.copy_(torch.tensor([-0.4, 0.1, 0.6]))
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def cost(s):
        mask = SOFT_STEPS[soft_step]().probabilities(3 * s)
        return (weights * mask.square() + 0.3 * mask).sum()

    search.advance(0.5)
    got = search._gradient(None, 2 * weights * search.mask())
    h = 1e-6
    for i, s in enumerate(search.logits):
        above, below = search.logits.clone(), search.logits.clone()
        above[i], below[i] = s + h, s - h
        expected = (cost(above) - cost(below)) / (2 * h)
        assert got[i].item() == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("soft_step", SOFT_STEPS)
def test_another_start_of_the_sharpness_starts_at_the_same_density(soft_step):
    schedule = LinearSharpness(10)
    later = lambda t: schedule(0.5 + t / 2)  # noqa: E731
    for sparsity, density in ((0.2, 0.9), (0.9, 0.5)):
        search = start(10, sparsity=sparsity, soft_step=soft_step, sharpness=later)
        assert search.density() == pytest.approx(density)


def test_cp_follows_its_temperature_in_stages():
    """Silva (2023), section B.1.2: tau falls from 1 to 1/200, stage by stage."""
    staircase = Staircase(ExponentialSharpness(200.0), 20)
    search = start(sharpness=staircase, saturation=None)
    temperatures = []
    for step in range(2000):
        search.advance(step / 2000)
        temperatures.append(1 / search.beta)
    stages = torch.tensor(temperatures).view(20, 100)
    assert (stages == stages[:, :1]).all()
    assert stages[0, 0] == 1 and stages[-1, 0] == pytest.approx(1 / 200)


def loorf(function, steps=30):
    """The bit that LOORF ends with."""
    search = MonteCarlo().start(SearchSpace(1, RandomStream(0)))
    for step in range(steps):
        search.advance(step / steps)
        search.update(function, None)
    return search.harden().item()


def cp(function, learning_rate, steps=400):
    """The bit that CP ends with; one variable, x = 0 at the start."""
    method = Continuation(
        sharpness=Staircase(ExponentialSharpness(200.0), 20),
        saturation=None,
        learning_rate=learning_rate,
    )
    search = method.start(SearchSpace(1, RandomStream(0), dtype=torch.float64))
    for step in range(steps):
        search.advance(step / steps)
        point = search.mask().clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(point[None])[0], point)
        search.update(None, slope)
    return search.harden().item()


@pytest.mark.parametrize("learning_rate", [1e-3, 0.01, 0.1, 1.0])
def test_cp_fails_on_example_7_and_loorf_does_not(learning_rate):
    """Silva (2023), example 7: J(0) = 0 < J(1) = 1, but the slope at 1/2 misleads."""
    function = MisleadingHill()
    assert cp(function, learning_rate) is True
    assert loorf(function) is False


@pytest.mark.parametrize("learning_rate", [1e-3, 0.01, 0.1, 1.0])
def test_cp_fails_on_example_6_and_loorf_does_not(learning_rate):
    """Silva (2023), example 6: J(0) = -1 < J(1) = 1, with two steep places between.

    Plain gradient descent with a high learning rate is thrown to the right end by the
    steep places. Steps here are normalised, so that none is long enough.
    """
    function = SteepBarriers()
    assert cp(function, learning_rate) is True
    assert loorf(function) is False
