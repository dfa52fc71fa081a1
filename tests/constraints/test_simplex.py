"""The capped simplex: rational arithmetic, a QP solver and the KKT conditions agree."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from sklearn_pb.constraints import project_capped_simplex
from sklearn_pb.constraints._clipped_sum import ClippedSum, price_for
from sklearn_pb.constraints._simplex import project

SPREADS = ["unit", "ties", "integers", "wide", "heavy", "tiny"]
TOTALS = ["zero", "all", "more", "share", "small", "feasible"]


def draw_position(rng, spread, d):
    """Coordinates of every kind that can go wrong."""
    if spread == "unit":
        return rng.random(d)
    if spread == "ties":
        return np.full(d, rng.normal())
    if spread == "integers":
        return rng.integers(-2, 4, d).astype(float)
    if spread == "heavy":
        return rng.standard_cauchy(d) * 100
    return rng.normal(size=d) * (1e4 if spread == "wide" else 1e-3)


def draw_total(rng, kind, position, costs):
    shares = {
        "zero": 0.0,
        "all": 1.0,
        "more": 1.5,
        "share": rng.random(),
        "small": 1e-3,
    }
    if kind in shares:
        return shares[kind] * costs.sum()
    return (costs * position.clip(0, 1)).sum()  # exactly what the position uses


def cases(n, spreads=SPREADS, weighted=(False, True)):
    """n seeded problems: position, total, costs (None is 1)."""
    rng = np.random.default_rng(7)
    for i in range(n):
        d = int(rng.integers(1, 12))
        spread, kind = spreads[i % len(spreads)], TOTALS[i // 2 % len(TOTALS)]
        position = draw_position(rng, spread, d)
        costs = rng.lognormal(size=d) if weighted[i % len(weighted)] else np.ones(d)
        yield position, float(draw_total(rng, kind, position, costs)), costs


def ours(position, total, costs, dtype=torch.float64):
    as_tensor = [torch.tensor(values, dtype=dtype) for values in (position, costs)]
    return project_capped_simplex(as_tensor[0], total, as_tensor[1]).double().numpy()


def by_breakpoints(position, total, costs):
    """The projection in rational arithmetic, from the interval that holds the root."""
    p, c = ([Fraction(float(v)) for v in values] for values in (position, costs))

    def point(price):
        return [min(max(pi - price * ci, 0), 1) for pi, ci in zip(p, c, strict=True)]

    def used(price):
        return sum(ci * xi for ci, xi in zip(c, point(price), strict=True))

    if used(0) <= total:
        return np.array([float(x) for x in point(0)])
    kinks = {(pi - side) / ci for pi, ci in zip(p, c, strict=True) for side in (0, 1)}
    kinks = [Fraction(0), *sorted(kink for kink in kinks if kink > 0)]
    at = max(i for i, kink in enumerate(kinks) if used(kink) >= Fraction(total))
    price = kinks[at]
    if used(price) > total:
        fall = (used(price) - used(kinks[at + 1])) / (kinks[at + 1] - price)
        price += (used(price) - Fraction(total)) / fall
    return np.array([float(x) for x in point(price)])


def test_it_equals_rational_arithmetic_on_the_breakpoints():
    for position, total, costs in cases(600):
        expected = by_breakpoints(position, total, costs)
        scale = max(1.0, np.abs(position).max())
        np.testing.assert_allclose(
            ours(position, total, costs), expected, rtol=0, atol=1e-14 * scale
        )


def test_it_equals_a_quadratic_program():
    tame = ["unit", "ties", "integers"]
    for position, total, costs in cases(200, tame):
        solution = minimize(
            lambda x, p=position: ((x - p) ** 2).sum() / 2,
            np.zeros(len(position)),
            jac=lambda x, p=position: x - p,
            bounds=[(0, 1)] * len(position),
            constraints={
                "type": "ineq",
                "fun": lambda x, c=costs, k=total: k - c @ x,
                "jac": lambda x, c=costs: -c,
            },
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(
            ours(position, total, costs), solution.x, rtol=0, atol=1e-6
        )


def test_the_kkt_conditions_hold():
    for position, total, costs in cases(600):
        x = ours(position, total, costs)
        tolerance = 1e-13 * max(1.0, np.abs(position / costs).max(), costs.sum())
        assert ((x >= 0) & (x <= 1)).all()
        assert costs @ x <= total + tolerance
        price = (position - x) / costs  # of the sum, plus the multiplier of a side
        free = (x > 0) & (x < 1)
        common = price[free].mean() if free.any() else None
        at_zero, at_one = price[x == 0], price[x == 1]
        if costs @ x < total - tolerance:  # a slack constraint has no price
            common = 0.0
        least = max([0.0, *at_zero]) if common is None else common
        most = min([math.inf, *at_one]) if common is None else common
        assert (np.abs(price[free] - least) <= tolerance).all()
        assert least >= -tolerance
        assert (at_zero <= least + tolerance).all()
        assert (at_one >= least - tolerance).all()
        assert least <= most + tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_sum_is_met_to_the_precision_of_the_type(dtype, weighted):
    generator = torch.Generator().manual_seed(3)
    position = torch.randn(100_000, generator=generator, dtype=torch.float64)
    costs = torch.rand(100_000, generator=generator, dtype=torch.float64) + 0.5
    given = costs.to(dtype) if weighted else None
    for total in (50.0, 5000.0, 30_000.0):
        x = project_capped_simplex(position.to(dtype), total, given)
        used = (x.double() * (costs if weighted else 1.0)).sum().item()
        assert used == pytest.approx(total, rel=40 * torch.finfo(dtype).eps)


def test_float32_agrees_with_float64():
    for position, total, costs in cases(200, ["unit", "ties", "integers"]):
        single = ours(position, total, costs, torch.float32)
        np.testing.assert_allclose(
            single, ours(position, total, costs), rtol=0, atol=3e-5
        )


def test_by_hand():
    position = torch.tensor([1.5, 0.5, 0.25, -1.0], dtype=torch.float64)
    projection = project_capped_simplex(position, 1.25)
    assert projection.tolist() == [1.0, 0.25, 0.0, 0.0]
    costs = torch.tensor([1.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    # 1 + 2 (0.5 - 2 price) + (0.25 - price) = 1.25 at price 0.2
    projection = project_capped_simplex(position, 1.25, costs)
    torch.testing.assert_close(projection, projection.new_tensor([1.0, 0.1, 0.05, 0.0]))


def test_a_feasible_point_is_only_clipped():
    position = torch.tensor([-0.5, 0.25, 2.0])
    points, price = project(position, 1.25)
    assert points.tolist() == [0.0, 0.25, 1.0]
    assert price == 0.0


def test_no_total_gives_zeros_and_no_coordinates_give_none():
    assert not project_capped_simplex(torch.tensor([3.0, 0.5, -1.0]), 0).any()
    assert len(project_capped_simplex(torch.empty(0), 1)) == 0


def test_out_may_be_the_position_itself():
    position = torch.tensor([0.9, 0.8, 0.7])
    expected = project_capped_simplex(position, 1.0)
    assert position.tolist() == torch.tensor([0.9, 0.8, 0.7]).tolist()
    assert project_capped_simplex(position, 1.0, out=position) is position
    assert torch.equal(position, expected)


def test_gradients_are_not_recorded():
    position = torch.tensor([0.9, 0.8], requires_grad=True)
    assert not project_capped_simplex(position, 1.0).requires_grad


def test_projecting_again_changes_nothing():
    for position, total, costs in cases(100):
        once = ours(position, total, costs)
        np.testing.assert_allclose(ours(once, total, costs), once, atol=1e-13)


@pytest.mark.parametrize("start", [1e-9, 0.1, 1.0, 1e6, math.inf, math.nan])
def test_a_start_never_changes_the_result(start):
    for position, total, costs in cases(120):
        p, c = torch.tensor(position), torch.tensor(costs)
        cold, _ = project(p, total, c)
        warm, _ = project(p, total, c, start)
        scale = max(1.0, np.abs(position).max())
        torch.testing.assert_close(warm, cold, rtol=0, atol=1e-13 * scale)


def count_evaluations(monkeypatch):
    seen = []
    at = ClippedSum.at
    monkeypatch.setattr(ClippedSum, "at", lambda self, p: seen.append(p) or at(self, p))
    return seen


@pytest.mark.parametrize("weighted", [False, True])
def test_few_passes_are_made(monkeypatch, weighted):
    generator = torch.Generator().manual_seed(0)
    costs = None
    if weighted:
        costs = torch.rand(50_000, generator=generator).mul_(4).exp_()
        costs /= costs.mean()
    theta, price = project(torch.rand(50_000, generator=generator), 2500.0, costs)
    seen = count_evaluations(monkeypatch)
    for _ in range(20):
        step = 0.01 * torch.randn(50_000, generator=generator)
        theta, price = project(theta + step, 2500.0, costs, price)
    assert len(seen) <= 20 * 4
    seen.clear()
    project(torch.randn(50_000, generator=generator), 2500.0, costs)
    assert len(seen) <= 10


def test_breakpoints_of_all_magnitudes_take_a_bounded_number_of_passes(monkeypatch):
    seen = count_evaluations(monkeypatch)
    position = torch.tensor(10.0 ** np.arange(-12, 13))
    for total in (1e-9, 0.5, 3.0, 12.5, 24.0):
        seen.clear()
        expected = by_breakpoints(position.numpy(), total, np.ones(25))
        x = project_capped_simplex(position, total)
        np.testing.assert_allclose(x.numpy(), expected, rtol=0, atol=3e-4)  # of 1e12
        assert len(seen) <= 120


def test_asking_a_device_once_for_both_numbers_gives_the_same():
    """CUDA reads the sum and the slope together; that path runs here on the CPU."""
    for position, total, costs in cases(120):
        results = []
        for at_once in (False, True):
            curve = ClippedSum(torch.tensor(position), 0.0, 1.0, torch.tensor(costs))
            curve._at_once = at_once
            results.append((price_for(curve, total), curve.points.tolist()))
        assert results[0] == results[1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.5], 1.0), TypeError, "position must be a torch.Tensor, not list"),
        ((torch.tensor([1, 2]), 1.0), TypeError, "float32 or float64, not torch.int64"),
        ((torch.rand(2, 2), 1.0), ValueError, r"one axis, not shape \(2, 2\)"),
        ((torch.rand(2), -1.0), ValueError, "total=-1.0 must be"),
        ((torch.rand(2), math.nan), ValueError, "total=nan must be"),
        ((torch.rand(2), "1"), TypeError, "total='1' must be"),
        ((torch.rand(2), 1.0, torch.rand(3)), ValueError, "costs must have shape"),
        ((torch.rand(2), 1.0, torch.zeros(2)), ValueError, "costs must be finite and"),
        ((torch.rand(2), 1.0, None, torch.rand(2).double()), ValueError, "out must"),
        ((torch.tensor([1.0, math.nan]), 1.0), ValueError, "position must be finite"),
        ((torch.tensor([math.inf, 1.0]), 0.5), ValueError, "position must be finite"),
        ((torch.tensor([-math.inf, 1.0]), 5), ValueError, "position must be finite"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        project_capped_simplex(*arguments)


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu():
    for position, total, costs in cases(60):
        p, c = torch.tensor(position), torch.tensor(costs)
        there = project_capped_simplex(p.cuda(), total, c.cuda()).cpu()
        here = project_capped_simplex(p, total, c)
        scale = max(1.0, np.abs(position).max())
        torch.testing.assert_close(there, here, rtol=0, atol=1e-13 * scale)
