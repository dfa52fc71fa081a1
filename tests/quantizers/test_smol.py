"""SMOL: gradients of the noise objective, precisions that follow a loss, targets."""

import math
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from quantization_spaces import (
    assert_lends_what_it_quantizes,
    fits,
    lent,
    normal,
    space_of,
    train,
)

from sklearn_pb.quantizers import (
    PrecisionGroups,
    Smol,
    coded_bits,
    estimate_energy,
    logits_of_bits,
    real_precision,
)
from sklearn_pb.quantizers._learned_precisions import Hardening

PLAIN = Hardening()


def smol_space(*weights, granularity="channel", **settings):
    space = space_of(*weights, **settings)
    groups = [PrecisionGroups(w.shape, granularity, block_size=3) for w in weights]
    return replace(space, groups=groups)


def begun(*weights, n_steps=100, **settings):
    return Smol().start(smol_space(*weights, n_steps=n_steps, **settings))


def mean_bits(quantized):
    total = sum(float(q.bits.expand(q.shape).double().sum()) for q in quantized)
    return total / sum(q.codes.numel() for q in quantized)


class TestNoise:
    def test_it_is_uniform_with_the_amplitude_of_the_precision(self):
        weight = torch.zeros(100, 50)
        run = begun(weight, initial_bits=3, scale=None)
        run.advance(0.0)
        (values,) = lent(run, [weight])
        assert values.abs().max() <= 0.25
        assert values.abs().max() > 0.2498
        assert float(values.mean()) == pytest.approx(0, abs=0.01)
        assert float(values.var()) == pytest.approx(0.25**2 / 3, rel=0.05)

    def test_a_step_always_draws_the_same_and_the_next_another(self):
        weight = normal(4, 6)
        run, other = begun(weight), begun(weight)
        for one in (run, other):
            one.advance(0.0)
        assert torch.equal(lent(run, [weight])[0], lent(other, [weight])[0])
        assert torch.equal(lent(run, [weight])[0], lent(run, [weight])[0])
        before = lent(run, [weight])[0]
        run.advance(0.0)
        assert not torch.equal(lent(run, [weight])[0], before)

    @pytest.mark.parametrize("granularity", ["parameter", "block", "channel", "layer"])
    @pytest.mark.parametrize("scale", [None, "layer", "channel"])
    def test_slopes_are_those_of_the_noise_objective(self, granularity, scale):
        """Central differences of loss + price, with the noise of the step held."""
        weight = normal(3, 4).double() / 2
        aim = normal(3, 4, seed=1).double()
        run = begun(weight, granularity=granularity, scale=scale, initial_bits=2.5)
        run.strength = 0.3
        run.scales.values = [values.double() for values in run.scales.values]
        logits = run.precisions.logits = run.precisions.logits.double()
        logits.add_(normal(len(logits), seed=2).double() / 2)
        run.advance(0.5)

        def objective():
            values = lent(run, [weight])[0]
            return float((values - aim).pow(3).sum()) + 0.3 * price()

        def price():
            bits = run.precisions.spread(real_precision(logits))[0] - 1
            return float(bits.expand(3, 4).mean())

        gradient = 3 * (lent(run, [weight])[0] - aim).square()
        slope = run.noise.slope([gradient], run.scales.values) + run.price_slope()
        for i in range(len(logits)):
            origin, sides = float(logits[i]), []
            for side in (1e-4, -1e-4):
                logits[i] = origin + side
                sides.append(objective())
            logits[i] = origin
            assert (sides[0] - sides[1]) / 2e-4 == pytest.approx(
                float(slope[i]), rel=1e-4, abs=1e-6
            )

    def test_weights_keep_their_gradient(self):
        weight = normal(3, 4)
        run = begun(weight)
        run.advance(0.0)
        lent(run, [weight])
        gradient = normal(3, 4, seed=1)
        given = gradient.clone()
        run.collect([weight], [given])
        assert torch.equal(given, gradient)

    @pytest.mark.parametrize("frozen", [False, True])
    def test_slope_of_a_learned_scale(self, frozen):
        """By finite differences: what is lent moves with the scale."""
        weight = torch.tensor([[0.3, -2.0, 0.9, 1.2]])
        run = begun(weight, scale="learned", initial_bits=3)
        run.advance(0.0)
        if frozen:
            run.freeze([weight])
        run.confine_([weight])
        (first,) = lent(run, [weight])
        slope = run._scale_slopes([weight], [torch.ones_like(weight)])[0]
        scale, moved = run.scales.values[0], []
        for side in (1e-3, -1e-3):
            run.scales.values = [scale + side]
            ends = run._ends()[0] * run.scales.values[0]
            held = torch.where(weight.abs() >= 1.49, ends * weight.sign(), weight)
            values = lent(run, [held])[0]
            if frozen:  # straight through: codes stay, the rounding error moves
                codes = first / scale
                inside = weight.abs() < 1.49
                through = codes * (scale + side) - weight / scale * (scale + side)
                values = torch.where(inside, through, codes * (scale + side))
            moved.append(float(values.sum()))
        assert (moved[0] - moved[1]) / 2e-3 == pytest.approx(float(slope), rel=1e-2)


class TestSearch:
    def test_every_precision_can_be_reached_from_eight_bits(self):
        """A price alone takes the bits away, in however few steps there are."""
        for n_steps in (20, 300):
            weight = normal(4, 9)
            run = begun(weight, n_steps=n_steps, initial_bits=8)
            for step in range(n_steps):
                run.advance(step / n_steps)
                lent(run, [weight])
                run.collect([weight], [torch.zeros_like(weight)])
            bits = run.precisions.bits(run.scales.in_units([weight]), PLAIN)
            assert bits[0].max() == 1

    def test_sensitive_weights_get_more_bits(self):
        """Channel k has a loss that is 64 times as steep as that of channel k + 1."""
        steepness = 64.0 ** -torch.arange(4.0)[:, None]
        aim = normal(4, 30)
        weight = normal(4, 30, seed=1)

        def loss(values):
            return (1e3 * steepness * (values[0] - aim).square()).mean()

        run = begun(weight, n_steps=300, zero_precision=False)
        run.strength = 0.3
        train(run, [weight], loss, 300, rate=1e-3)
        bits = run.bits[0][:, 0].tolist()
        assert bits == sorted(bits, reverse=True)
        assert bits[0] >= bits[3] + 3

    def test_weights_are_clipped_to_what_can_be_coded(self):
        weight = torch.tensor([[1.0, 3.0, -1.99]])
        run = begun(weight, scale=None, initial_bits=3)
        run.confine_([weight])
        assert weight.tolist() == [[1.0, 1.75, -1.75]]

    def test_scales_grow_instead_where_there_are_any(self):
        weight = torch.tensor([[1.0, 3.0, -1.99]])
        run = begun(weight, initial_bits=3)
        before = weight.clone()
        run.confine_([weight])
        assert torch.equal(weight, before)
        assert run.scales.values[0] == pytest.approx(3 / 1.75)

    def test_an_infinite_logit_has_no_price(self):
        run = begun(normal(2, 3), initial_bits=1)
        assert torch.isinf(run.precisions.logits).all()
        assert torch.equal(run.price_slope(), torch.zeros(2))


def trained(target, unit="bits", granularity="channel", n_steps=150, **settings):
    aims = normal(8, 40), normal(4, 25, seed=1)
    weights = [normal(8, 40, seed=2), normal(4, 25, seed=3)]
    run = begun(
        *weights,
        target=target,
        unit=unit,
        granularity=granularity,
        n_steps=n_steps,
        **settings,
    )
    train(run, weights, fits(*aims), n_steps, rate=0.01, finetune=50)
    return run, weights, run.quantize(weights)


class TestTarget:
    @pytest.mark.parametrize("granularity", ["parameter", "block", "channel", "layer"])
    @pytest.mark.parametrize("target", [0.6, 2.0, 3.7])
    def test_mean_bits_are_met(self, granularity, target):
        run, weights, quantized = trained(target, granularity=granularity)
        assert 0.98 * target <= mean_bits(quantized) <= target
        assert run.mean_bits() == pytest.approx(mean_bits(quantized))
        assert_lends_what_it_quantizes(run, weights)

    @pytest.mark.parametrize("rounding", ["floor", "round", "ceil"])
    @pytest.mark.parametrize("widths", [None, (1, 2, 4, 8)])
    def test_every_rounding_and_width(self, rounding, widths):
        _, _, quantized = trained(2.5, rounding=rounding, widths=widths)
        assert 0.98 * 2.5 <= mean_bits(quantized) <= 2.5
        if widths is not None:
            for tensor in quantized:
                assert set(tensor.bits.unique().tolist()) <= {0, *widths}

    def test_bytes_are_met(self):
        _, _, quantized = trained(330.0, "bytes")
        assert coded_bits(quantized) / 8 == pytest.approx(330.0, rel=0.02)

    def test_energy_is_met(self):
        _, _, quantized = trained(3.0, "energy")
        energy = estimate_energy([q.bits for q in quantized], [1.0, 1.0]).energy
        assert energy == pytest.approx(3.0, rel=0.02)

    def test_without_zero_precision_nothing_is_zero(self):
        _, _, quantized = trained(2.0, zero_precision=False)
        assert all(q.sparsity == 0 for q in quantized)
        assert 0.98 * 2 <= mean_bits(quantized) <= 2

    def test_the_price_decides_where_there_is_no_target(self):
        sizes = []
        for penalty in (0.0, 0.1, 10.0):
            weight = normal(8, 40)
            run = begun(weight, n_steps=150)
            run.strength = penalty
            train(run, [weight], fits(normal(8, 40, seed=1)), 150, rate=0.01)
            sizes.append(run.mean_bits())
            assert run.strength == penalty
        assert sizes[0] > sizes[1] > sizes[2]

    @pytest.mark.parametrize(
        ("target", "unit", "zero_precision"), [(0.9, "bits", False), (1, "bytes", True)]
    )
    def test_what_cannot_be_met_is_said_before_any_work(
        self, target, unit, zero_precision
    ):
        with pytest.raises(ValueError, match=f"{target} {unit} cannot be met"):
            begun(normal(4, 5), target=target, unit=unit, zero_precision=zero_precision)


class TestFrozen:
    def test_precisions_are_as_the_logits_say(self):
        weight = torch.tensor([[0.9, -0.3, 0.1], [2.0, -2.0, 0.6]])
        run = begun(weight, scale=None)
        run.precisions.logits.copy_(logits_of_bits(torch.tensor([2.4, 3.9])))
        run.freeze([weight])
        # q(., 2) of the first row; 0.1 is nearer to 0. The second is cut to 1.75.
        assert run.bits[0].tolist() == [[2, 2, 0], [3, 3, 3]]
        (tensor,) = run.quantize([weight])
        assert tensor.dequantize().tolist() == [[0.5, -0.5, 0], [1.75, -1.75, 0.75]]
        assert tensor.codes.tolist() == [[2, -2, 0], [7, -7, 3]]
        assert weight.tolist()[1] == [1.75, -1.75, pytest.approx(0.6)]

    def test_gradients_go_straight_through_but_not_to_zeros(self):
        weight = torch.tensor([[0.9, -0.3, 0.1]])
        run = begun(weight, scale=None, initial_bits=2)
        run.freeze([weight])
        gradient = torch.tensor([[3.0, 4.0, 5.0]])
        run.collect([weight], [gradient])
        assert gradient.tolist() == [[3.0, 4.0, 0.0]]

    def test_training_and_evaluation_lend_the_same(self):
        weight = normal(5, 7)
        run = begun(weight, initial_bits=3)
        run.freeze([weight])
        assert torch.equal(lent(run, [weight])[0], lent(run, [weight], False)[0])
        assert_lends_what_it_quantizes(run, [weight])


def test_dead_weights_stay_zero_with_no_bits():
    alive = normal(8, 40, seed=5) > 0.3
    weight = normal(8, 40) * alive
    run = begun(weight, alive=[alive], target=1.0, n_steps=60)
    run.advance(0.0)
    assert torch.equal(lent(run, [weight])[0] == 0, ~alive)
    train(run, [weight], fits(normal(8, 40, seed=1)), 60, finetune=20)
    (tensor,) = run.quantize([weight])
    assert not tensor.codes[~alive].any()
    assert not tensor.bits[~alive].any()
    assert not weight[~alive].any()
    assert 0.98 <= tensor.mean_bits <= 1.0


@pytest.mark.parametrize("scale", ["layer", "learned"])
def test_a_run_goes_on_from_a_saved_state(scale):
    def steps(run, weight, numbers):
        for number in numbers:
            if number == 20:
                run.freeze([weight])
            run.advance(min(1.0, number / 20))
            gradient = (lent(run, [weight])[0] - 1) / 10
            run.collect([weight], [gradient])
            weight.sub_(gradient)
            run.confine_([weight])

    first = normal(4, 6)
    run = begun(first, target=2.0, scale=scale, n_steps=20)
    steps(run, first, range(8))
    second = first.clone()
    other = begun(second, target=2.0, scale=scale, n_steps=20)
    other.load_state_dict(deepcopy(run.state_dict()))
    for frozen in (False, True):
        part = range(20, 24) if frozen else range(8, 20)
        steps(run, first, part)
        steps(other, second, part)
        assert torch.equal(first, second)
        for one, two in zip(
            run.quantize([first]), other.quantize([second]), strict=True
        ):
            assert torch.equal(one.dequantize(), two.dequantize())
        second = first.clone()
        other = begun(second, target=2.0, scale=scale, n_steps=20)
        other.load_state_dict(deepcopy(run.state_dict()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"distance": 0}, r"Smol\.distance=0"), ({"penalty": -1}, r"Smol\.penalty=-1")],
)
def test_hyperparameters_are_checked(settings, message):
    with pytest.raises(ValueError, match=message):
        Smol(**settings).check()


def test_price_is_per_average_bit():
    """A bit more for all weights costs the penalty, whatever their number."""
    for n in (10, 1000):
        run = begun(normal(2, n), initial_bits=8)
        run.strength = 0.7
        rise = -run.price_slope().sum() * math.log(2)  # one bit is log(2) of s there
        assert float(rise) == pytest.approx(0.7, rel=0.01)
