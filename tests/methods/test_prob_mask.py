"""ProbMask and MJ, and every learned mask under a bound on its expected ones."""

import pytest
import torch

from sklearn_pb.constraints import (
    L0Penalty,
    Quota,
    SparsityProjection,
    VelocityConstraint,
)
from sklearn_pb.distributions import Direct
from sklearn_pb.methods import MJ, PRESETS, ProbMask, Relaxed, SearchSpace
from sklearn_pb.schedules import CubicSparsity, LinearTemperature
from sklearn_pb.utils import RandomStream

D, N_STEPS = 300, 400
GAINS = torch.linspace(0.1, 2.0, D)
USEFUL = torch.arange(D) % 5 == 0  # 60 of them, and a bound of 30
NAMES = [
    "concrete",
    "continuous",
    "edge-popup",
    "hard-concrete",
    "mj",
    "piggyback",
    "probmask",
    "straight-through",
    "two-temperature",
]
ROUNDING = 1e-3  # of a mean probability; what is nearly zero is not quite zero


def start(method, constraint, sizes=(D,), sparsity=0.9, **options):
    quota = Quota.proportional(list(sizes), sparsity)
    return method.start(SearchSpace(D, RandomStream(2), quota, constraint, **options))


def steps(search, gains=GAINS, n_steps=N_STEPS):
    """Run a search on a linear cost; yields the progress after each step."""
    for step in range(n_steps):
        search.advance(step / (n_steps - 1))
        search.mask()
        search.update(None, -gains)
        yield search.progress


def expected_ones(search):
    return float(search.probabilities().double().sum())


@pytest.mark.parametrize("name", NAMES)
def test_a_projection_holds_along_the_way(name):
    """The sum is within the bound that has shrunk so far; what is useful is kept."""
    search = start(PRESETS[name](), SparsityProjection(end=0.5))
    initial = 1.0 if name == "two-temperature" else expected_ones(search) / D
    way = CubicSparsity(final=1.0, end=0.5)
    for progress in steps(search, USEFUL * 2.0 - 1):
        density = 0.1 + (initial - 0.1) * (1 - way(progress))
        assert expected_ones(search) <= D * (density + ROUNDING)
    mask = search.harden()
    assert mask.sum() == 30
    assert USEFUL[mask].all()


@pytest.mark.parametrize("name", NAMES)
def test_a_velocity_constraint_is_met_at_the_end(name):
    """The excess over the bound shrinks by e in a tenth of the search, or faster."""
    search = start(PRESETS[name](), VelocityConstraint())
    excess = []
    for _ in steps(search, USEFUL * 2.0 - 1):
        excess.append(expected_ones(search) - 30)
    assert excess[-1] <= 0.3
    assert max(excess[N_STEPS // 2 :]) <= 0.1 * max(excess)
    mask = search.harden()
    assert mask.sum() == 30
    assert USEFUL[mask].all()


@pytest.mark.parametrize("constraint", [SparsityProjection(), VelocityConstraint()])
@pytest.mark.parametrize("method", [ProbMask(), MJ()])
def test_groups_have_bounds_of_their_own(method, constraint):
    """The first group is worth little, and keeps its share all the same."""
    sizes = [100, 200]
    search = start(method, constraint, sizes)
    for _ in steps(search):
        pass
    sums = [float(p.sum()) for p in search.probabilities().split(sizes)]
    assert sums[0] <= 10.2 and sums[1] <= 20.4
    assert [int(part.sum()) for part in search.harden().split(sizes)] == [10, 20]


@pytest.mark.parametrize("constraint", [SparsityProjection(), VelocityConstraint()])
@pytest.mark.parametrize("method", [ProbMask(), MJ()])
def test_slopes_are_weighed_against_each_other(method, constraint):
    """All are useful, and the bound leaves room for the dearest."""
    search = start(method, constraint)
    for _ in steps(search):
        pass
    kept = torch.arange(D)[search.harden()].double().mean()
    assert kept > 0.85 * D  # at most 0.95 d
    mask = search.mask()
    assert ((mask < 0.05) | (mask > 0.95)).float().mean() > 0.9


def test_with_scales_of_their_own_only_signs_count():
    """What `shared_scale` is for: the choice among useful variables is then chance."""
    search = start(ProbMask(shared_scale=False), SparsityProjection())
    for _ in steps(search):
        pass
    kept = torch.arange(D)[search.harden()].double().mean()
    assert 0.35 * D < kept < 0.65 * D


def test_probabilities_of_mj_leave_their_box_and_masks_do_not():
    search = start(MJ(), VelocityConstraint())
    outside = 0
    for _ in steps(search):
        mask = search.mask()
        assert mask.min() >= 0 and mask.max() <= 1
        outside = max(outside, float(-search.logits.min()))
    assert outside > 1e-3


def test_each_brings_its_constraint():
    assert isinstance(ProbMask().default_constraint(), SparsityProjection)
    assert isinstance(MJ().default_constraint(), VelocityConstraint)
    for method in (ProbMask(), MJ()):
        with pytest.raises(ValueError, match="needs to know how many ones are wanted"):
            start(method, method.default_constraint(), sparsity=None)


@pytest.mark.parametrize("kind", [ProbMask, MJ])
def test_they_are_relaxed_masks_with_other_defaults(kind):
    alike = Relaxed(
        temperature=LinearTemperature(1.0, 0.03),
        **{
            name: value
            for name, value in kind().get_params().items()
            if name != "temperature"
        },
    )
    assert alike.parametrization == "direct"
    first = start(kind(), SparsityProjection())
    second = start(alike, SparsityProjection())
    for _ in zip(steps(first), steps(second), strict=True):
        assert torch.equal(first.logits, second.logits)


@pytest.mark.parametrize("kind", [ProbMask, MJ])
def test_they_take_a_penalty_too(kind):
    search = start(kind(parametrization=Direct(0.01)), L0Penalty())
    for _ in steps(search):
        pass
    assert search.density() == pytest.approx(0.1, rel=0.3)
    assert search.logits.min() >= 0.01 - 1e-6


@pytest.mark.parametrize("kind", [ProbMask, MJ])
def test_a_saved_search_goes_on_alike(kind):
    method = kind()
    searches = [start(method, method.default_constraint()) for _ in range(2)]
    for step in range(60):
        if step == 30:
            searches[1].load_state_dict(searches[0].state_dict())
        for search in searches if step >= 30 else searches[:1]:
            search.advance(step / 60)
            search.mask()
            search.update(None, -GAINS.clone())
    assert torch.equal(searches[0].logits, searches[1].logits)
