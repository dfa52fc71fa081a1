"""The quadratic pull: Colombo and Gao (2021), equation (18)."""

import pytest
import torch

from sklearn_pb.constraints import QuadraticPull, Quota
from sklearn_pb.methods import Continuation, MonteCarlo, Relaxed, SearchSpace
from sklearn_pb.utils import RandomStream

LOGITS = torch.tensor([-2.0, -1.0, 0.0, 3.0])


def begun(constraint, quota=None):
    return constraint.start(quota or Quota([4]), initial_density=0.5)


def pull(run, logits=LOGITS, slope=1.0, kept=0.5, progress=0.0):
    d = logits.shape[-1]
    return run.pull(
        logits,
        lambda: torch.full((d,), slope),
        lambda: torch.full((d,), kept),
        progress,
        0.01,
    )


def test_it_is_twice_the_strength_times_the_distance():
    run = begun(QuadraticPull(strength=0.25))
    assert pull(run).tolist() == [-0.5, 0.0, 0.5, 2.0]
    run = begun(QuadraticPull(strength=0.25, centre=3.0))
    assert pull(run).tolist() == [-2.5, -2.0, -1.5, 0.0]
    assert run.strength == 0.25


def test_the_slope_by_the_mask_is_left_alone():
    run = begun(QuadraticPull(strength=0.25))
    assert run.price(None, None, 0.0, 0.01) == 0.0 and not run.confines


def test_auto_is_a_tenth_of_the_mean_gradient():
    run = begun(QuadraticPull())
    assert pull(run, slope=3.0).tolist() == pytest.approx([-0.6, 0.0, 0.6, 2.4])
    assert pull(run, slope=50.0)[2] == pytest.approx(0.6)  # measured once


def test_it_grows_while_the_mask_is_too_dense():
    quota = Quota.proportional([4], 0.75)
    strengths = []
    for kept in (0.9, 0.01):
        run = begun(QuadraticPull(), quota)
        for step in range(50):
            pull(run, kept=kept, progress=step / 50)
        strengths.append(run.strength)
    assert strengths[0] > 0.2 > 0.05 > strengths[1]


def test_groups_and_costs_have_their_share():
    costs = torch.tensor([0.5, 1.5, 0.5, 1.5])
    quota = Quota([2, 2], costs=costs)
    run = begun(QuadraticPull(strength=1.0), quota)
    torch.testing.assert_close(pull(run, torch.zeros(4)), 2 * costs)


def test_a_run_goes_on_alike():
    quota = Quota.proportional([2, 2], 0.5)
    first, second = begun(QuadraticPull(), quota), begun(QuadraticPull(), quota)
    for step in range(10):
        pull(first, progress=step / 50)
    second.load_state_dict(first.state_dict())
    assert torch.equal(pull(first, progress=0.2), pull(second, progress=0.2))


@pytest.mark.parametrize(
    "method, expected",
    [
        (Relaxed("hard-concrete"), -1.0),
        (Continuation(saturation=None, learning_rate=0.02), -1.0),
        (MonteCarlo(parametrization="escort"), 0.5),
    ],
)
def test_any_method_takes_it(method, expected):
    """Nothing but the pull acts, and the logits end where it draws them to."""
    constraint = QuadraticPull(strength=1.0, centre=expected)
    search = method.start(SearchSpace(5, RandomStream(0), constraint=constraint))
    with torch.no_grad():
        for step in range(200):
            search.advance(step / 200)
            search.mask()
            search.update(lambda Z: torch.zeros(len(Z)), torch.zeros(5))
    assert (search.logits - expected).abs().max() < 0.15


@pytest.mark.parametrize(
    "constraint, message",
    [
        (QuadraticPull(strength=-1.0), "QuadraticPull.strength=-1.0 must be a number"),
        (QuadraticPull(centre=float("inf")), "QuadraticPull.centre=inf must be a numb"),
    ],
)
def test_senseless_settings_are_refused(constraint, message):
    with pytest.raises(ValueError, match=message):
        begun(constraint)
