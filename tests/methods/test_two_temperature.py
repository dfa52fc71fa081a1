"""Two temperatures: Colombo and Gao (2021), algorithms A.1 and A.3."""

import re

import pytest
import torch

from sklearn_pb.constraints import L0Penalty, QuadraticPull, Quota
from sklearn_pb.functions import BlackBoxFunction, QuadraticFunction
from sklearn_pb.methods import SearchSpace, TwoTemperature, resolve_method
from sklearn_pb.utils import RandomStream

D = 12
W = torch.linspace(-0.4, 0.5, D, dtype=torch.float64)
GENERATOR = torch.Generator().manual_seed(0)
FUNCTION = QuadraticFunction(
    torch.randn(D, D, generator=GENERATOR, dtype=torch.float64).triu(1).numpy()
)


def start(d=D, constraint=None, sparsity=None, sizes=None, dtype=None, **options):
    space = SearchSpace(
        d,
        RandomStream(0),
        Quota.proportional(sizes or [d], sparsity),
        constraint,
        dtype=dtype or torch.float64,
    )
    return TwoTemperature(**options).start(space)


def placed(**options):
    search = start(**options)
    search.logits.copy_(W)
    search.advance(0.5)
    return search


def difference(function, at, h=1e-6):
    """Central differences of a function of one vector."""
    steps = torch.eye(len(at), dtype=at.dtype) * h
    ahead = torch.stack([function(at + step) for step in steps])
    return (ahead - torch.stack([function(at - step) for step in steps])) / (2 * h)


def slope_at(mask):
    point = mask.clone().requires_grad_()
    return torch.autograd.grad(FUNCTION(point[None])[0], point)[0]


def test_the_forward_pass_is_sharp():
    search = placed(forward_sharpness=30.0, backward_sharpness=3.0)
    torch.testing.assert_close(search.mask(), torch.sigmoid(30 * W))
    torch.testing.assert_close(search.probabilities(), torch.sigmoid(30 * W))
    assert search.harden().tolist() == (W >= 0).tolist()


def test_the_backward_pass_is_soft():
    """The slope at the sharp mask times the derivative of the soft one, t_s and all."""
    search = placed(forward_sharpness=30.0, backward_sharpness=3.0)
    slope = slope_at(search.mask())
    soft = torch.stack([torch.sigmoid(3 * (W + h)) for h in (-1e-6, 1e-6)])
    expected = slope * (soft[1] - soft[0]) / 2e-6
    got = search._gradient(None, slope.clone())
    torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10)


def test_with_equal_temperatures_it_is_the_gradient_itself():
    search = placed(forward_sharpness=8.0, backward_sharpness=8.0)
    expected = difference(lambda w: FUNCTION(torch.sigmoid(8 * w)[None])[0], W)
    got = search._gradient(None, slope_at(search.mask()))
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("sizes, sparsity", [(None, None), ([4, 8], None)])
def test_the_pull_is_the_gradient_of_the_squares(sizes, sparsity):
    """(18), so that (17) lowers w; added to the gradient of the cost."""
    pull = QuadraticPull(strength=0.7)
    search = placed(constraint=pull, sizes=sizes, sparsity=sparsity)
    free = placed()
    slope = slope_at(search.mask())
    free.mask()
    got = search._pulled(search._gradient(None, slope.clone()))
    got -= free._gradient(None, slope)
    squares = difference(lambda w: 0.7 * (1 + w).square().sum(), W)
    torch.testing.assert_close(got, squares, rtol=1e-6, atol=1e-6)
    assert (got > 0).all()


def test_without_a_cost_the_pull_lowers_all():
    search = placed(constraint=QuadraticPull(strength=1.0), learning_rate=0.01)
    search.mask()
    search.update(None, torch.zeros(D, dtype=torch.float64))
    torch.testing.assert_close(search.logits, W - 0.01)


def test_parameters_start_small_and_positive():
    search = start(d=4000, initial_scale=0.05, dtype=torch.float32)
    assert (search.logits >= 0).all() and search.density() == 1.0
    assert search.logits.square().mean().sqrt() == pytest.approx(0.05, rel=0.05)
    again = start(d=4000, initial_scale=0.05, dtype=torch.float32)
    assert torch.equal(search.logits, again.logits)


def test_a_warm_start_is_taken():
    theta = torch.tensor([0.1, 0.5, 0.9])
    space = SearchSpace(3, RandomStream(0), probabilities=theta)
    search = TwoTemperature().start(space)
    torch.testing.assert_close(search.mask(), theta)
    torch.testing.assert_close(search.probabilities(), theta)


def learn(search, gains, n_steps=600):
    for step in range(n_steps):
        search.advance(step / n_steps)
        search.mask()
        search.update(None, -gains.to(search.logits))
        yield
    search.advance(1.0)


@pytest.mark.parametrize("sparsity", [0.5, 0.95])
@pytest.mark.parametrize("constraint", [QuadraticPull(), L0Penalty()])
def test_it_is_steered_to_the_density_and_stays_there(constraint, sparsity):
    d = 400
    gains = torch.linspace(0.1, 2.0, d)
    search = start(d, constraint, sparsity, dtype=torch.float32)
    reached = None
    for _ in learn(search, gains):
        if reached is None and all(search._frozen):
            reached = search.logits.clone()
    assert reached is not None and torch.equal(search.logits, reached)
    assert search.density() == pytest.approx(1 - sparsity, rel=0.2)
    kept = torch.arange(d)[search.harden()].double().mean()
    assert kept > 0.9 * (d - (1 - sparsity) * d / 2)  # the dearest ones


def test_groups_freeze_apart():
    """The first group is at its target at once, the second only later."""
    gains = torch.cat([-torch.ones(10), torch.ones(30)])
    search = start(40, QuadraticPull(), 0.5, [10, 30], dtype=torch.float32)
    frozen = []
    for _ in learn(search, gains, 300):
        frozen.append(tuple(search._frozen))
    assert (True, False) in frozen and (False, True) not in frozen
    counts = [int((part >= 0).sum()) for part in search.logits.split([10, 30])]
    assert counts[0] <= 5 and counts[1] <= 15
    assert [int(p.sum()) for p in search.harden().split([10, 30])] == [5, 15]


def test_it_can_go_on_at_the_target():
    search = start(
        40,
        QuadraticPull(strength=1.0),
        0.5,
        freeze_at_target=False,
        dtype=torch.float32,
    )
    for _ in learn(search, torch.zeros(40), 300):
        pass
    assert search.density() < 0.4 and not any(search._frozen)


def test_a_frozen_search_stays_so_when_it_is_resumed():
    first = start(40, QuadraticPull(), 0.5, dtype=torch.float32)
    for _ in learn(first, torch.linspace(-1, 1, 40)):
        pass
    second = start(40, QuadraticPull(), 0.5, dtype=torch.float32)
    second.load_state_dict(first.state_dict())
    assert all(second._frozen)
    second.mask()
    second.update(None, torch.ones(40))
    assert torch.equal(second.logits, first.logits)


def test_a_softer_backward_pass_learns_where_the_exact_one_is_stuck():
    """Figure 1: with t_s = t_l the slope of far parameters is zero in float32."""
    gains = torch.ones(5)
    function = BlackBoxFunction(lambda Z: -Z @ gains.to(Z), 5, relaxable=True)
    ends = []
    for softness in (1000.0, 10.0):
        search = start(
            5,
            backward_sharpness=softness,
            forward_sharpness=1000.0,
            dtype=torch.float32,
        )
        search.logits.fill_(-0.2)
        for _ in learn(search, gains, 200):
            pass
        ends.append(float(function(search.harden()[None].double())))
    assert ends == [0.0, -5.0]


@pytest.mark.parametrize(
    "method, message",
    [
        (TwoTemperature(forward_sharpness=0.0), "forward_sharpness=0.0 must be a numb"),
        (
            TwoTemperature(forward_sharpness=10.0, backward_sharpness=20.0),
            "backward_sharpness=20.0 must be a number in (0, 10.0]",
        ),
        (
            TwoTemperature(initial_scale=-1.0),
            "initial_scale=-1.0 must be a number in (0",
        ),
        (TwoTemperature(learning_rate=0.0), "learning_rate=0.0 must be a number in (0"),
        (TwoTemperature(smoothing=1.0), "smoothing=1.0 must be a number in [0, 1)"),
    ],
)
def test_senseless_hyperparameters_are_refused(method, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        resolve_method(method)


def test_a_switch_is_a_bool():
    with pytest.raises(TypeError, match="freeze_at_target=1 must be True or False"):
        resolve_method(TwoTemperature(freeze_at_target=1))
