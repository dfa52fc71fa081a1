"""The velocity constraint of a search: pace, groups, solvers, saved state."""

import math

import pytest
import torch
from sklearn.base import clone

from sklearn_pb.constraints import Quota, VelocityConstraint, velocity_multipliers


def draw(d=60, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(d, generator=generator, dtype=dtype) - 0.5


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.02])
def test_a_step_removes_the_fraction_alpha_of_each_violation(alpha):
    run = VelocityConstraint(alpha=alpha).start(Quota.proportional([60], 0.9), 0.5)
    before = torch.full((60,), 0.5, dtype=torch.float64)
    before[:2] = before.new_tensor([-0.4, 1.3])
    after = run.confine_(before.clone(), before, 0.5)
    left = 1 - alpha
    assert float(after.sum()) - 6.0 == pytest.approx(left * (before.sum() - 6.0))
    assert float(after[0]) == pytest.approx(left * -0.4)
    assert float(after[1]) <= 1 + left * 0.3 + 1e-12


@pytest.mark.parametrize("n_steps", [10, 100, 1000])
def test_auto_does_not_depend_on_the_number_of_steps(n_steps):
    run = VelocityConstraint().start(Quota.proportional([60], 0.9), 0.5)
    position = draw()
    for step in range(1, n_steps // 2 + 1):  # the optimizer wants no step
        position = run.confine_(position.clone(), position, step / n_steps)
    over = float(position.sum()) - 6.0
    expected = math.exp(-10 * 0.5) * (float(draw().sum()) - 6.0)
    assert over == pytest.approx(expected, rel=1e-6)


def test_a_step_is_that_of_the_multipliers():
    run = VelocityConstraint(alpha=0.25).start(Quota.proportional([60], 0.9), 0.5)
    before, step = draw(), 0.1 * draw(seed=1)
    position = before + step
    assert run.confine_(position, before, 0.5) is position
    price, boxes = velocity_multipliers(step, before, 6.0, alpha=0.25)
    torch.testing.assert_close(position, before + step + boxes - price)
    assert torch.equal(before, draw())
    assert run.confines
    assert run.strength == pytest.approx(price)


@pytest.mark.parametrize("solver", ["sor", "jacobi"])
def test_the_solver_and_its_settings_are_used(solver):
    settings = {"solver": solver, "n_iterations": 2, "relaxation": 0.8}
    constraint = VelocityConstraint(alpha=0.5, **settings)
    run = constraint.start(Quota.proportional([60], 0.9), 0.5)
    before, step = draw(), 0.1 * draw(seed=1)
    moved = run.confine_(before + step, before, 0.5)
    price, boxes = velocity_multipliers(step, before, 6.0, alpha=0.5, **settings)
    torch.testing.assert_close(moved, before + step + boxes - price)
    exact, _ = velocity_multipliers(step, before, 6.0, alpha=0.5)
    assert price != pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_each_group_is_confined_apart(weighted):
    costs = 0.5 + draw(seed=1).abs() if weighted else None
    quota = Quota([20, 0, 40], [4, 0, 2], costs=costs)
    run = VelocityConstraint(alpha=0.5).start(quota, 0.5)
    parts = [None] * 3 if costs is None else costs.split([20, 0, 40])
    for seed in range(2, 6):
        before, step = draw(seed=seed), 0.1 * draw(seed=seed + 9)
        groups = zip(
            before.split([20, 0, 40]),
            step.split([20, 0, 40]),
            parts,
            [0.2, 1.0, 0.05],
            strict=True,
        )
        expected = []
        for s, u, c, share in groups:
            total = share * (len(s) if c is None else float(c.sum()))
            price, boxes = velocity_multipliers(u, s, total, alpha=0.5, costs=c)
            fall = price if c is None else price * c
            expected.append(s + u + boxes - fall)
        moved = run.confine_(before + step, before, 0.5)
        torch.testing.assert_close(moved, torch.cat(expected))


def test_a_schedule_moves_the_bound():
    constraint = VelocityConstraint(alpha=1.0, schedule="cubic", end=1.0)
    run = constraint.start(Quota.proportional([60], 0.9), 0.5)
    position = run.confine_(draw(), draw(), 0.5)
    assert float(position.sum()) == pytest.approx(60 * (0.1 + 0.4 * 0.5**3))


def test_without_a_schedule_the_bound_is_final_from_the_start():
    run = VelocityConstraint(0.75, alpha=1.0).start(Quota([60]), 0.5)
    assert float(run.confine_(draw(), draw(), 0.0).sum()) == pytest.approx(15.0)


def test_a_search_ends_within_the_bound():
    """Steps towards more ones, as a cost would want them, at two hundred steps."""
    run = VelocityConstraint().start(Quota.proportional([60], 0.9), 0.5)
    position, slope = torch.full((60,), 0.5), draw(seed=3, dtype=torch.float32).abs()
    for step in range(1, 201):
        wanted = position + 0.02 * slope
        position = run.confine_(wanted, position, step / 200)
    assert float(position.clamp(0, 1).sum()) == pytest.approx(6.0, rel=0.02)
    assert set(slope.topk(5).indices.tolist()) <= set(position.topk(7).indices.tolist())


@pytest.mark.parametrize("alpha", ["auto", 0.1])
def test_steps_after_a_restart_are_the_same_to_the_last_bit(alpha):
    quota = Quota([200, 300], [20, 10])

    def walk(run, position, seeds):
        for seed in seeds:
            step = 0.1 * draw(500, seed, torch.float32)
            position = run.confine_(position + step, position, seed / 20)
        return position

    def start():
        return VelocityConstraint(alpha=alpha).start(quota, 0.5)

    whole = walk(start(), torch.full((500,), 0.5), range(20))
    first, second = start(), start()
    half = walk(first, torch.full((500,), 0.5), range(10))
    second.load_state_dict(first.state_dict())
    assert torch.equal(walk(second, half, range(10, 20)), whole)


def test_values_that_are_not_finite_are_left_to_the_training_loop():
    run = VelocityConstraint(alpha=1.0).start(Quota.proportional([60], 0.9), 0.5)
    broken = draw()
    broken[3] = math.nan
    assert run.confine_(broken.clone(), draw(), 0.5).isnan().any()
    assert run.confine_(broken.clone(), broken, 0.5).isnan().any()
    after = run.confine_(draw(), draw(), 0.5)  # and it recovers
    assert float(after.sum()) == pytest.approx(6.0)


def test_it_is_a_scikit_learn_object():
    constraint = VelocityConstraint(0.5, alpha=0.1, solver="sor")
    assert clone(constraint).get_params() == constraint.get_params()
    assert constraint.get_params()["solver"] == "sor"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sparsity": -0.1}, ValueError, "VelocityConstraint.sparsity=-0.1 must be"),
        ({"alpha": 0.0}, ValueError, "VelocityConstraint.alpha=0.0 must be"),
        ({"alpha": 1.01}, ValueError, "VelocityConstraint.alpha=1.01 must be"),
        ({"alpha": "fast"}, TypeError, "VelocityConstraint.alpha='fast' must be"),
        ({"schedule": 3}, ValueError, "VelocityConstraint.schedule=3 must be"),
        ({"end": 2}, ValueError, "VelocityConstraint.end=2 must be"),
        ({"solver": "qp"}, ValueError, "VelocityConstraint.solver='qp' is unknown"),
        ({"n_iterations": 0}, ValueError, "VelocityConstraint.n_iterations=0 must"),
        ({"relaxation": 0.0}, ValueError, "VelocityConstraint.relaxation=0.0 must"),
    ],
)
def test_bad_settings_are_named(settings, error, message):
    constraint = VelocityConstraint(**settings)
    with pytest.raises(error, match=message):
        constraint.check()
    with pytest.raises(error, match=message):
        constraint.start(Quota.proportional([4], 0.5), 0.5)


def test_somebody_must_say_how_many_ones():
    with pytest.raises(ValueError, match="VelocityConstraint needs to know how many"):
        VelocityConstraint().start(Quota([4]), 0.5)
