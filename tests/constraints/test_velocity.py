"""Velocity multipliers: a QP solver, the paper's formulas in full matrices, and KKT."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from sklearn_pb.constraints import velocity_multipliers
from sklearn_pb.constraints._nearest_step import MultiplierSolver, nearest_step

POINTS = ["inside", "anywhere", "corners", "sparse", "beyond"]


def draw_point(rng, kind, d):
    if kind == "inside":
        return rng.random(d)
    if kind == "anywhere":
        return rng.normal(size=d)
    if kind == "corners":
        return rng.choice([0.0, 0.5, 1.0], d)
    return rng.random(d) * 0.2 if kind == "sparse" else rng.random(d) * 2 - 0.5


def cases(n):
    """n seeded problems: step, point, total, alpha, costs, metric."""
    rng = np.random.default_rng(11)
    for i in range(n):
        d = int(rng.integers(1, 8))
        point = draw_point(rng, POINTS[i % 5], d)
        step = rng.normal(size=d) * 10.0 ** rng.integers(-2, 1)
        costs = rng.lognormal(size=d) if i % 2 else np.ones(d)
        metric = rng.lognormal(size=d) if i % 3 == 0 else np.ones(d)
        totals = [costs @ point.clip(0), rng.random() * d, d / 4, d, 0.0]
        total = float(totals[int(rng.integers(5))])
        alpha = float(rng.choice([1.0, 0.5, 0.01]))
        yield step, point, total, alpha, costs, metric


def constraints(point, total, costs):
    """g(s) and its gradients by rows, as in (11)."""
    d = len(point)
    g = np.concatenate([[total - costs @ point], point, 1 - point])
    return g, np.vstack([-costs, np.eye(d), -np.eye(d)])


def active_constraints(point, total, costs):
    g, rows = constraints(point, total, costs)
    # A sum that meets its total up to rounding counts as active.
    active = g <= np.concatenate([[1e-13 * max(total, 1)], np.zeros(2 * len(point))])
    return g[active], rows[active], active


def tensors(*arrays):
    return [torch.tensor(array, dtype=torch.float64) for array in arrays]


def multipliers(step, point, total, alpha, costs, metric, **options):
    u, s, c, m = tensors(step, point, costs, metric)
    price, boxes = velocity_multipliers(
        u, s, total, alpha=alpha, costs=c, metric=m, **options
    )
    return price, boxes.numpy()


def moved_by(step, price, boxes, costs, metric):
    return step + (boxes - price * costs) / metric


def quadratic_program(step, metric, slack, rows):
    """The nearest step v with rows v >= slack, by SLSQP."""
    return minimize(
        lambda v: metric @ (v - step) ** 2 / 2,
        step,
        jac=lambda v: metric * (v - step),
        constraints={
            "type": "ineq",
            "fun": lambda v: rows @ v - slack,
            "jac": lambda v: rows,
        }
        if len(rows)
        else (),
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )


@pytest.mark.parametrize(("solver", "n_cases"), [("exact", 300), ("sor", 100)])
def test_the_step_is_that_of_a_quadratic_program(solver, n_cases):
    kinds = Counter()
    for step, point, total, alpha, costs, metric in cases(n_cases):
        g, rows, active = active_constraints(point, total, costs)
        price, boxes = multipliers(
            step, point, total, alpha, costs, metric, solver=solver, n_iterations=500
        )
        ours = moved_by(step, price, boxes, costs, metric)
        theirs = quadratic_program(step, metric, -alpha * g, rows)
        assert theirs.success or theirs.status == 8  # at the end of float precision
        np.testing.assert_allclose(ours, theirs.x, rtol=0, atol=2e-6)
        kinds["sum"] += active[0]
        kinds["boxes"] += active[1:].any()
        kinds["both, binding"] += price > 0 and boxes.any()
        kinds["none"] += not active.any()
        kinds["outside"] += (g < -1e-9).any()
    assert min(kinds.values()) >= n_cases / 20, kinds


def test_the_multipliers_satisfy_the_kkt_conditions():
    for step, point, total, alpha, costs, metric in cases(600):
        g, rows = constraints(point, total, costs)
        _, _, active = active_constraints(point, total, costs)
        price, boxes = multipliers(step, point, total, alpha, costs, metric)
        moved = moved_by(step, price, boxes, costs, metric)
        every = np.concatenate([[price], boxes.clip(0), (-boxes).clip(0)])
        slack = rows @ moved + alpha * g
        assert (every >= 0).all()
        assert (every[~active] == 0).all()
        scale = 1 + np.abs(step).max() + np.abs(point).max() + total + costs.sum()
        assert (slack[active] >= -1e-12 * scale).all()
        assert np.abs(every * slack)[active].max(initial=0) <= 1e-12 * scale**2


def test_the_multipliers_maximise_the_dual_function():
    """Equation (4), at a slope of the cost of minus the wanted step."""
    rng = np.random.default_rng(5)
    for step, point, total, alpha, costs, _ in cases(60):
        g, rows, active = active_constraints(point, total, costs)
        price, boxes = multipliers(step, point, total, alpha, costs, np.ones(len(step)))
        best = np.concatenate([[price], boxes.clip(0), (-boxes).clip(0)])[active]

        def dual(values, g=g, rows=rows, step=step, alpha=alpha):
            return -values @ g - ((-step - values @ rows) ** 2).sum() / (2 * alpha)

        for size in (1e-3, 0.1, 1.0):
            other = (best + size * rng.normal(size=len(best))).clip(0)
            assert dual(other) <= dual(best) + 1e-9


def test_a_rate_on_the_velocity_is_a_fraction_of_the_displacement():
    """x + gamma v with v in V_alpha is the step with gamma x alpha as our alpha."""
    gamma, rate = 0.05, 4.0
    for step, point, total, _, costs, _ in cases(40):
        g, rows, _ = active_constraints(point, total, costs)
        ones = np.ones(len(step))
        velocity = quadratic_program(step / gamma, ones, -rate * g, rows).x
        price, boxes = multipliers(step, point, total, gamma * rate, costs, ones)
        ours = moved_by(step, price, boxes, costs, ones)
        np.testing.assert_allclose(ours, gamma * velocity, rtol=0, atol=2e-6)


def test_one_active_constraint_has_the_closed_form():
    """Equation (15), for the sum and for both kinds of sides."""
    slope, alpha = np.array([-0.3, 0.1, -0.2]), 0.25
    costs, ones = np.array([1.0, 2.0, 0.5]), np.ones(3)

    def closed_form(gradient, g):
        value = gradient @ slope - alpha * g
        return max(0.0, value / (gradient @ gradient))

    point = np.array([0.5, 0.75, 0.5])
    price, boxes = multipliers(-slope, point, 1.5, alpha, costs, ones)
    assert price == pytest.approx(closed_form(-costs, 1.5 - costs @ point), rel=1e-12)
    assert price > 0
    assert not boxes.any()
    point = np.array([0.5, -0.25, 0.5])  # the second at its lower side
    price, boxes = multipliers(-slope, point, 3.0, alpha, costs, ones)
    expected = closed_form(np.array([0.0, 1.0, 0.0]), -0.25)
    assert (price, boxes.tolist()) == (0.0, pytest.approx([0.0, expected, 0.0]))
    assert expected > 0
    point = np.array([1.25, 0.25, 0.5])  # the first at its upper side
    price, boxes = multipliers(-slope, point, 3.0, alpha, costs, ones)
    expected = closed_form(np.array([-1.0, 0.0, 0.0]), -0.25)
    assert (price, boxes.tolist()) == (0.0, pytest.approx([-expected, 0.0, 0.0]))
    assert expected > 0


def relaxed_by_matrices(step, point, total, alpha, costs, metric, omega, sweeps, new):
    """Sweeps of (20), with the new multipliers, or (22), with the old; W in full."""
    g, rows, active = active_constraints(point, total, costs)
    gram = rows @ (rows / metric).T
    values = np.zeros(len(g))
    for _ in range(sweeps):
        old = values.copy()
        for i in range(len(g)):  # the sum comes first
            residual = (
                gram[i] @ (values if new else old) + rows[i] @ step + alpha * g[i]
            )
            values[i] = max(0.0, old[i] - omega * residual / gram[i, i])
    every = np.zeros(len(active))
    every[active] = values
    d = len(step)
    return every[0], every[1 : d + 1] - every[d + 1 :]


@pytest.mark.parametrize("solver", ["sor", "jacobi"])
@pytest.mark.parametrize("omega", [0.7, 1.0, 1.3])
def test_sweeps_without_a_matrix_equal_those_with_one(solver, omega):
    for case in cases(150):
        _, _, active = active_constraints(case[1], case[2], case[4])
        if not active[0] and omega != 1:  # boxes alone are solved at once
            continue
        for sweeps in (1, 2, 5):
            price, boxes = multipliers(
                *case, solver=solver, n_iterations=sweeps, relaxation=omega
            )
            expected = relaxed_by_matrices(*case, omega, sweeps, solver == "sor")
            assert price == pytest.approx(expected[0], rel=1e-9, abs=1e-12)
            np.testing.assert_allclose(boxes, expected[1], rtol=1e-9, atol=1e-11)


def test_a_sweep_with_old_multipliers_is_worth_half_of_one_with_new():
    """With m of d coordinates held at a side, errors shrink by (m/d)^(1/2) or m/d."""
    d, m = 50, 32
    point = torch.full((d,), 0.5, dtype=torch.float64)
    point[:m] = 0.0
    step = torch.linspace(-0.3, -0.2, d, dtype=torch.float64)
    step[m:] *= -1
    total = float(point.sum())
    exact, _ = velocity_multipliers(step, point, total)

    def error(solver, n_iterations):
        price, _ = velocity_multipliers(
            step, point, total, solver=solver, n_iterations=n_iterations
        )
        return abs(price - exact)

    assert error("sor", 12) / error("sor", 11) == pytest.approx(m / d, rel=1e-6)
    assert error("jacobi", 22) / error("jacobi", 20) == pytest.approx(m / d, rel=1e-6)
    bound = 2 / (1 + math.sqrt(m / d))
    prices = [
        velocity_multipliers(
            step, point, total, solver="jacobi", n_iterations=400, relaxation=omega
        )[0]
        for omega in (0.98 * bound, 1.05 * bound)
    ]
    assert prices[0] == pytest.approx(exact, rel=1e-3)
    assert prices[1] != pytest.approx(exact, rel=0.1)


def run(update, point, n_steps):
    for _ in range(n_steps):
        point = update(point)
    return point


def constrained_minimum(curvature, centre, total):
    solution = minimize(
        lambda s: curvature @ (s - centre) ** 2 / 2,
        np.full(len(centre), total / len(centre)),
        jac=lambda s: curvature * (s - centre),
        bounds=[(0, 1)] * len(centre),
        constraints={"type": "ineq", "fun": lambda s: total - s.sum()},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return solution.x


def test_steps_from_outside_reach_the_constrained_minimum():
    curvature = np.array([1.0, 3.0, 0.5, 2.0])
    centre = np.array([1.4, 0.9, 0.7, -0.5])
    expected = constrained_minimum(curvature, centre, 1.5)
    c, a, s = tensors(curvature, centre, [2.0, -0.5, 1.0, 1.5])

    def update(s):
        step = -0.1 * c * (s - a)
        price, boxes = velocity_multipliers(step, s, 1.5, alpha=0.1)
        return s + step + boxes - price

    np.testing.assert_allclose(run(update, s, 1000).numpy(), expected, atol=1e-6)


def test_a_preconditioned_step_needs_its_metric_to_rest_at_the_minimum():
    curvature = np.array([1.0, 3.0, 0.5, 2.0])
    centre = np.array([1.4, 0.9, 0.7, -0.5])
    expected = constrained_minimum(curvature, centre, 1.5)
    c, a, s, scale = tensors(curvature, centre, [0.4] * 4, [0.5, 2.0, 1.0, 0.25])
    ends = []
    for metric in (1 / scale, torch.ones(4, dtype=torch.float64)):

        def update(s, metric=metric):
            step = -0.1 * scale * c * (s - a)
            price, boxes = velocity_multipliers(step, s, 1.5, alpha=0.1, metric=metric)
            return s + step + (boxes - price) / metric

        ends.append(run(update, s, 1000).numpy())
    np.testing.assert_allclose(ends[0], expected, atol=1e-6)
    assert np.abs(ends[1] - expected).max() > 0.05
    assert ends[1].sum() == pytest.approx(1.5)


def test_a_step_that_stays_inside_is_left_alone():
    step, point = torch.tensor([0.1, -0.1, 0.2]), torch.tensor([0.5, 0.25, 0.5])
    price, boxes = velocity_multipliers(step, point, 2.0)
    assert price == 0.0
    assert not boxes.any()


def test_a_sum_just_below_its_total_by_rounding_is_active():
    point = torch.full((1000,), 0.1, dtype=torch.float32)
    total = float(point.sum()) * (1 + 3e-8)
    price, _ = velocity_multipliers(torch.full((1000,), 0.01), point, total)
    assert price == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_violations_end_at_zero(dtype):
    """Halved for ever, they would become subnormal numbers, which are slow."""
    point = torch.tensor([-0.5, 1.5], dtype=dtype)
    exact = MultiplierSolver()
    for _ in range(150):
        point, _ = nearest_step(point, point, 5.0, 0.5, None, None, exact)
    assert point.tolist() == [0.0, 1.0]


def test_each_step_leaves_one_minus_alpha_of_a_violation():
    point = torch.tensor([-0.5, 1.5, 0.5, 0.5], dtype=torch.float64)
    still, exact = point.clone(), MultiplierSolver()
    moved, _ = nearest_step(still, point, 1.0, 0.25, None, None, exact)
    assert moved[:2].tolist() == pytest.approx([-0.375, 1.375])
    assert float(moved.sum()) == pytest.approx(1 + 0.75 * 1.0)


def test_float32_agrees_with_float64():
    for step, point, total, alpha, costs, _ in cases(100):
        arguments = [torch.tensor(v, dtype=torch.float32) for v in (step, point, costs)]
        u, s, c = (v.double().numpy() for v in arguments)
        if abs(total - c @ s) < 1e-5:  # rounding may decide what is active
            continue
        price, boxes = velocity_multipliers(
            *arguments[:2], total, alpha=alpha, costs=arguments[2]
        )
        ones = np.ones(len(u))
        expected = moved_by(u, *multipliers(u, s, total, alpha, c, ones), c, ones)
        ours = moved_by(u, price, boxes.double().numpy(), c, ones)
        np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-5)


STEP = torch.tensor([0.1, 0.2])


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"displacement": [0.1]}, TypeError, "displacement must be a torch.Tensor"),
        (
            {"point": STEP.double()},
            ValueError,
            "point must have shape, type",
        ),
        ({"point": STEP * math.nan}, ValueError, "must be finite"),
        ({"total": -1}, ValueError, "total=-1 must be"),
        ({"alpha": 0.0}, ValueError, "alpha=0.0 must be"),
        ({"alpha": 1.5}, ValueError, "alpha=1.5 must be"),
        ({"costs": torch.zeros(2)}, ValueError, "costs must be finite and above 0"),
        ({"metric": -STEP}, ValueError, "metric must be finite and above 0"),
        (
            {"solver": "qp"},
            ValueError,
            "solver='qp' is unknown; it must be one",
        ),
        ({"n_iterations": 0}, ValueError, "n_iterations=0 must be"),
        ({"n_iterations": 2.5}, TypeError, "n_iterations=2.5 must be"),
        ({"relaxation": 2.0}, ValueError, "relaxation=2.0 must be"),
    ],
)
def test_bad_input_is_named(changed, error, message):
    arguments = {"displacement": STEP, "point": STEP, "total": 1.0, **changed}
    with pytest.raises(error, match=message):
        velocity_multipliers(**arguments)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu():
    for step, point, total, alpha, costs, metric in cases(60):
        u, s, c, m = tensors(step, point, costs, metric)
        here = velocity_multipliers(u, s, total, alpha=alpha, costs=c, metric=m)
        there = velocity_multipliers(
            u.cuda(), s.cuda(), total, alpha=alpha, costs=c.cuda(), metric=m.cuda()
        )
        assert there[0] == pytest.approx(here[0], rel=1e-9, abs=1e-12)
        torch.testing.assert_close(there[1].cpu(), here[1], rtol=1e-9, atol=1e-12)
