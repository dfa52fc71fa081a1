"""The closed loop of the price, on plants that can be computed by hand."""

import math

import pytest

from sklearn_pb.quantizers._controller import PriceController
from sklearn_pb.quantizers._trim import largest_within


def steer(controller, unit, sensitivity, n_steps=200):
    """Follow a size that falls while a bit costs more than it is worth.

    It moves by a limited step, as logits do under Adam, towards where the price is what
    the last bit is worth.
    """
    bits, sizes = 8.0, []
    for step in range(n_steps):
        controller.follow(unit * bits, step / (n_steps - 1))
        worth = 4.0 ** (sensitivity - bits)
        bits += 25 / n_steps * math.tanh(math.log(worth / controller.price))
        bits = min(16.0, max(1.0, bits))
        sizes.append(unit * bits)
    return sizes


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("sensitivity", [-3.0, 0.0, 6.0])
def test_it_finds_the_price_of_any_unit(unit, sensitivity):
    sizes = steer(PriceController(0.2, 2.0 * unit), unit, sensitivity)
    assert sizes[-20:] == pytest.approx([2.0 * unit] * 20, rel=0.05)


def test_it_asks_for_a_parabola_and_then_for_the_target():
    controller = PriceController(1.0, 2.0)
    controller.follow(8.0, 0.0)
    assert controller.wanted(0.0) == 8.0
    assert controller.wanted(0.3) == pytest.approx(2 + 6 / 4)
    assert controller.wanted(0.6) == controller.wanted(1.0) == 2.0


def test_too_large_a_size_raises_the_price_and_no_error_keeps_it():
    controller = PriceController(1.0, 2.0)
    controller.follow(2.0, 0.0)
    controller.follow(2.0, 0.5)
    assert controller.price == 1.0
    controller.follow(3.0, 0.6)
    assert controller.price == pytest.approx(
        math.exp((40 * 0.1 + 5) * math.log(1.5)), rel=1e-6
    )


def test_it_goes_on_from_a_saved_state():
    first, second = PriceController(0.2, 2.0), PriceController(0.2, 2.0)
    sizes = [8.0, 6.0, 5.0, 3.5]
    for step, size in enumerate(sizes[:2]):
        first.follow(size, step / 4)
    second.load_state_dict(first.state_dict())
    for controller in (first, second):
        controller.follow(sizes[2], 0.5)
        controller.follow(sizes[3], 0.75)
    assert first.price == second.price != 0.2


def test_trim_finds_the_side_of_a_jump_that_is_within():
    within, beyond = largest_within(lambda x: float(x >= 0.3), 0.5, -1.0, 1.0)
    assert within < 0.3 <= beyond
    assert beyond - within < 1e-9
    assert largest_within(lambda x: x, 5.0, -1.0, 1.0) == (1.0, 1.0)
    assert largest_within(lambda x: x, -5.0, -1.0, 1.0) == (-1.0, -1.0)
