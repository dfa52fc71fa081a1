"""LSQ: its published gradients, and steps that are learned."""

import math
from copy import deepcopy

import pytest
import torch
from quantization_spaces import (
    assert_lends_what_it_quantizes,
    fits,
    lent,
    normal,
    pulled_back,
    space_of,
    train,
)

from sklearn_pb.quantizers import LSQ


def published_slope(w, step, low, high):
    """Esser et al. (2020), equation 3, for one weight."""
    scaled = w / step
    if scaled <= -low:
        return -low
    if scaled >= high:
        return high
    return -scaled + round(scaled)


def test_first_step_and_codes_by_hand():
    weight = torch.tensor([0.5, -1.5, 1.0, -3.0])  # mean magnitude 1.5
    run = LSQ(bits=3).start(space_of(weight))  # codes from -4 to 3
    step = 2 * 1.5 / math.sqrt(3)
    assert float(run.steps[0]) == pytest.approx(step)
    tensor = run.quantize([weight])[0]
    assert tensor.codes.tolist() == [0, -1, 1, -2]
    assert tensor.bits.tolist() == 3
    run.steps[0].fill_(0.5)
    assert run.quantize([weight])[0].codes.tolist() == [1, -3, 2, -4]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_step_moves_by_the_published_gradient(bits):
    weight, gradient = normal(50) * 3, normal(50, seed=1)
    method = LSQ(bits=bits, learning_rate=0.5, momentum=0.0)
    run = method.start(space_of(weight))
    step = float(run.steps[0])
    low, high = 2 ** (bits - 1), 2 ** (bits - 1) - 1
    slope = sum(
        g * published_slope(w, step, low, high)
        for w, g in zip(weight.tolist(), gradient.tolist(), strict=True)
    )
    pulled_back(run, [weight], [gradient])
    expected = step - 0.5 * slope / math.sqrt(50 * high)
    assert float(run.steps[0]) == pytest.approx(expected, rel=1e-5)


def test_slope_of_the_step_by_differences_of_the_surrogate():
    """Codes held, lent values are (code - scaled) steps off the weights."""
    run = LSQ(bits=3).start(space_of(normal(20)))
    weight, step, h = normal(20).double() * 2, 0.7, 1e-6
    codes = (weight / step).round()
    inside = (weight / step > -4) & (weight / step < 3)

    def value(s):
        held = weight / step + (codes - weight / step)
        return torch.where(inside, held * s, codes.clamp(-4, 3) * s)

    # Esser et al. differentiate round(w / s) s with the round passed straight through:
    # what is left of d(v s)/ds is the code, less w / s for v = w / s that falls.
    slopes = (value(step + h) - value(step - h)) / (2 * h)
    slopes = torch.where(inside, slopes - weight / step, slopes)
    torch.testing.assert_close(
        run.step_slope(weight / step), slopes, rtol=1e-6, atol=1e-6
    )


def test_weights_beyond_the_last_code_have_no_gradient():
    weight = torch.tensor([-2.1, -1.9, 0.4, 0.9, 1.1])
    run = LSQ(bits=2).start(space_of(weight))
    run.steps[0].fill_(1.0)
    gradient = pulled_back(run, [weight], [torch.ones(5)])[0]
    assert gradient.tolist() == [0, 1, 1, 1, 0]


def test_one_step_a_channel():
    weight, gradient = normal(3, 8), normal(3, 8, seed=1)
    options = {"bits": 2, "learning_rate": 0.1, "momentum": 0.0}
    together = LSQ(**options).start(space_of(weight, scale="channel"))
    assert together.steps[0].shape == (3, 1)
    pulled_back(together, [weight], [gradient])
    for i in range(3):
        alone = LSQ(**options).start(space_of(weight[i]))
        pulled_back(alone, [weight[i]], [gradient[i]])
        assert float(together.steps[0][i]) == pytest.approx(float(alone.steps[0]))
    assert_lends_what_it_quantizes(together, [weight])


def test_one_bit_is_plus_or_minus_the_step():
    weight = torch.tensor([0.2, -0.4, 0.0])
    run = LSQ(bits=1).start(space_of(weight))
    assert float(run.steps[0]) == pytest.approx(0.2)
    assert run.quantize([weight])[0].codes.tolist() == [1, -1, 1]


@pytest.mark.parametrize("bits", [1, 2])
def test_pruned_weights_stay_zero_and_teach_no_step(bits):
    weight, alive = normal(4, 6), normal(4, 6, seed=2) > 0
    weight *= alive
    run = LSQ(bits=bits, momentum=0.0).start(space_of(weight, alive=[alive]))
    only = LSQ(bits=bits, momentum=0.0).start(space_of(weight[alive]))
    assert float(run.steps[0]) == pytest.approx(float(only.steps[0]))
    assert not lent(run, [weight])[0][~alive].any()
    before = run.steps[0].clone()
    gradient = pulled_back(run, [weight], [torch.where(alive, 0.0, 1.0)])[0]
    assert not gradient.any()
    assert torch.equal(run.steps[0], before)


def test_training_learns_the_step():
    """Three levels that are wanted decide about the step; it starts elsewhere."""
    wanted = torch.tensor([0.3, -0.3, 0.0, 0.3, -0.6, 0.0])
    weight = wanted + 0.05 * normal(6, seed=4)
    start = LSQ(bits=2, learning_rate=0.05).start(space_of(weight.clone()))
    assert float(start.steps[0]) > 0.45
    run = train(start, [weight], fits(wanted), 200)
    assert float(run.steps[0]) == pytest.approx(0.3, abs=0.01)
    assert (lent(run, [weight])[0] - wanted).abs().max() < 0.05


def test_a_step_never_turns_negative():
    weight = torch.full((10,), 0.2)
    run = LSQ(bits=2, learning_rate=10.0).start(space_of(weight))
    for _ in range(5):
        pulled_back(run, [weight], [torch.full((10,), 100.0)])
    assert float(run.steps[0]) > 0
    assert_lends_what_it_quantizes(run, [weight])


def test_goes_on_from_its_state():
    weight, gradient = normal(8), normal(8, seed=1)
    run = LSQ(bits=3).start(space_of(weight))
    pulled_back(run, [weight], [gradient])
    state = deepcopy(run.state_dict())
    pulled_back(run, [weight], [gradient])
    other = LSQ(bits=3).start(space_of(normal(8, seed=5)))
    other.load_state_dict(state)
    pulled_back(other, [weight], [gradient])
    assert torch.equal(other.steps[0], run.steps[0])


def test_all_zero_weights_have_a_step():
    weight = torch.zeros(3, 2)
    run = LSQ(bits=2).start(space_of(weight, scale="channel"))
    assert_lends_what_it_quantizes(run, [weight])
    assert not lent(run, [weight])[0].any()


def test_checks_its_parameters():
    with pytest.raises(ValueError, match=r"learning_rate=0 must be"):
        LSQ(learning_rate=0).check()
    with pytest.raises(ValueError, match=r"momentum=1\.0 must be"):
        LSQ(momentum=1.0).check()
    with pytest.raises(ValueError, match=r"bits=17 must be"):
        LSQ(bits=17).check()
