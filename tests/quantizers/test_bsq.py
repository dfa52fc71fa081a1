"""BSQ: bits by hand, the group lasso, adjustments, and targets that are met."""

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

from sklearn_pb.quantizers import BSQ, coded_bits, estimate_energy
from sklearn_pb.quantizers._bit_planes import BitPlanes, cheapest_cut, occupied_bits


def planes_of(*codes, step=1.0):
    return BitPlanes.from_codes(torch.tensor(codes, dtype=torch.int32), step)


def test_bits_of_codes_by_hand():
    planes = planes_of(5, -3, 0, step=0.5)
    positive, negative = planes.planes
    assert positive.tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert negative.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert planes.values().tolist() == [5, -3, 0]


@pytest.mark.parametrize(
    ("codes", "n_bits", "shift"),
    [([0, 0], 0, 0), ([1, -1], 1, 0), ([4, 8], 2, 2), ([6, -7], 3, 0), ([-8], 1, 3)],
)
def test_planes_that_nothing_occupies_are_dropped(codes, n_bits, shift):
    codes = torch.tensor(codes, dtype=torch.int32)
    assert occupied_bits(codes) == (n_bits, shift)
    planes = BitPlanes.from_codes(codes, 0.5)
    assert planes.n_bits == n_bits
    assert planes.step == 0.5 * 2**shift
    assert torch.equal(planes.codes() * planes.step, codes * 0.5)


def test_bits_follow_a_change_as_in_gradient_descent():
    """Free bits take parts in proportion to their powers; the rest does not move."""
    planes = planes_of(5, 5, 5)  # 1, 0, 1, and negative bits of 0
    planes.planes[0, :, 1] = torch.tensor([2.0, 2.0, 1.0])
    before = planes.planes.clone()
    planes.move_(torch.tensor([1.0, 0.5, -0.21]))
    moved = planes.planes - before
    # Up: all positive bits may move, none of the negative ones.
    torch.testing.assert_close(moved[0, :, 0], torch.tensor([1.0, 2.0, 4.0]) / 21)
    torch.testing.assert_close(moved[0, :, 1], torch.tensor([0.0, 0.0, 0.125]))
    # Down: positive bits above 0, and all negative ones.
    torch.testing.assert_close(
        moved[0, :, 2], torch.tensor([-1.0, 0.0, -4.0]) * 0.21 / 38
    )
    torch.testing.assert_close(
        moved[1, :, 2], torch.tensor([1.0, 2.0, 4.0]) * 0.21 / 38
    )
    torch.testing.assert_close(planes.values() - 5, torch.tensor([1.0, 5.5, -0.21]))


def test_bits_stay_between_zero_and_two():
    planes = planes_of(5, -3)
    planes.move_(torch.tensor([100.0, -100.0]))
    assert planes.planes.min() >= 0
    assert planes.planes.max() <= 2
    assert planes.values().tolist() == [14, -14]


def test_shrinking_is_the_proximal_step_of_the_group_lasso():
    """Its optimality: the step from a plane points along it, as long as the price."""
    planes = planes_of(3, 1, -1, 2)
    before, price = planes.planes.clone(), 0.7
    planes.shrink_(price)
    for b in range(2):
        old, new = before[:, b], planes.planes[:, b]
        assert float(new.norm()) == pytest.approx(float(old.norm()) - price)
        torch.testing.assert_close(old - new, price * new / new.norm())
    planes.shrink_(1.5)  # beyond the norm of both
    assert not planes.planes.any()


def test_the_cheapest_cut_of_one_bit():
    error, cut = cheapest_cut(planes_of(4, 3, 1, 1, -1, step=0.5))
    assert cut.values().tolist() == [3, 3, 1, 1, -1]  # clipped
    assert (error, cut.step) == (0.25, 0.5)
    error, cut = cheapest_cut(planes_of(7, 6, 6, -5, step=0.5))
    assert (cut.codes() * cut.step).tolist() == [3, 3, 3, -2]
    assert error == 0.25 + 0.25


def test_first_codes_are_of_the_initial_bits():
    weight = normal(50)
    run = BSQ().start(space_of(weight, initial_bits=5.0))
    tensor = run.quantize([weight])[0]
    assert int(tensor.codes.abs().max()) == 31
    assert float(tensor.step) == pytest.approx(float(weight.abs().max()) / 31)
    assert tensor.bits.tolist() == 5
    assert (lent(run, [weight])[0] - weight).abs().max() <= float(tensor.step) / 2


def test_counts_the_sign_if_asked():
    weight = normal(50)
    assert BSQ().start(space_of(weight, initial_bits=3.0)).mean_bits() == 3
    run = BSQ(count_sign=True).start(space_of(weight, initial_bits=3.0))
    assert run.mean_bits() == 4
    assert run.quantize([weight])[0].mean_bits == 4


def test_weights_follow_the_optimizer_without_a_price():
    """Without a price the bits only carry what gradient descent does."""
    wanted = normal(12, seed=1)
    weight = wanted + 0.2 * normal(12)
    run = train(
        BSQ(strength=0.0).start(space_of(weight, n_steps=150)),
        [weight],
        fits(wanted),
        150,
    )
    tensor = run.quantize([weight])[0]
    assert (tensor.dequantize() - wanted).abs().max() < 2 * float(tensor.step)


def test_a_higher_price_leaves_fewer_bits():
    bits = []
    for strength in (0.0, 2.0, 6.0):
        weight = normal(40, seed=1)
        space = space_of(weight, n_steps=100)
        run = train(
            BSQ(strength=strength).start(space),
            [weight],
            fits(normal(40, seed=1)),
            100,
        )
        bits.append(run.mean_bits())
    assert bits[0] > bits[1] + 1 > bits[2] + 2


@pytest.mark.parametrize("count_sign", [False, True])
@pytest.mark.parametrize("target", [2.0, 3.5])
def test_meets_a_target_of_bits(target, count_sign):
    wanted = [normal(10, 6, seed=1), normal(5, 10, seed=2) / 20, normal(10, seed=3)]
    weights = [aim + 0.1 * normal(*aim.shape) for aim in wanted]
    run = BSQ(count_sign=count_sign).start(
        space_of(*weights, target=target, n_steps=100)
    )
    train(run, weights, fits(*wanted), 100, finetune=60)
    tensors = run.quantize(weights)
    total = sum(t.mean_bits * t.codes.numel() for t in tensors)
    assert target - 0.6 < total / 120 <= target
    assert run.mean_bits() == pytest.approx(total / 120)
    for tensor, planes in zip(tensors, run.layers, strict=True):
        assert int(tensor.codes.abs().max()) <= 2**planes.n_bits - 1
    error = sum(
        float((t.dequantize() - aim).square().sum())
        for t, aim in zip(tensors, wanted, strict=True)
    )
    assert error < 0.35 * sum(float(aim.square().sum()) for aim in wanted)


@pytest.mark.parametrize(("unit", "target"), [("bytes", 700.0), ("energy", 5.0)])
def test_meets_targets_in_other_units(unit, target):
    wanted = [normal(30, 40, seed=1), normal(40, 20, seed=2)]
    weights = [aim.clone() for aim in wanted]
    run = BSQ().start(space_of(*weights, target=target, unit=unit, n_steps=40))

    def size():
        tensors = run.quantize(weights)
        if unit == "bytes":
            return coded_bits(tensors) / 8
        signed = [t.bits + (t.bits > 0) for t in tensors]
        return estimate_energy(signed, [1200.0, 800.0]).energy

    assert size() > 1.5 * target
    train(run, weights, fits(*wanted), 40)
    assert 0.5 * target < size() <= target


def test_uses_only_the_widths_that_there_are():
    weights = [normal(10, 6, seed=1), normal(5, 10, seed=2)]
    run = BSQ().start(space_of(*weights, initial_bits=7.0, widths=(1, 2, 4)))
    run.freeze(weights)
    for tensor in run.quantize(weights):  # codes fit with their signs
        width = int(tensor.bits)
        assert width in (1, 2, 4)
        assert int(tensor.codes.abs().max()) < 2 ** (width - 1)
    assert_lends_what_it_quantizes(run, weights)


def test_gradients_pass_but_not_to_layers_without_bits():
    weights = [normal(4), torch.zeros(3)]
    run = BSQ().start(space_of(*weights))
    gradients = [normal(4, seed=1), normal(3, seed=2)]
    found = pulled_back(run, weights, gradients)
    assert torch.equal(found[0], gradients[0])
    assert not found[1].any()
    assert run.quantize(weights)[1].bits.tolist() == 0


def test_pruned_weights_stay_zero():
    alive = normal(8, 5, seed=2) > 0
    weight = normal(8, 5) * alive
    space = space_of(weight, alive=[alive], target=2.0, n_steps=40)
    run = BSQ().start(space)
    train(run, [weight], fits(normal(8, 5)), 40, finetune=10)
    tensor = run.quantize([weight])[0]
    assert not tensor.codes[~alive].any()
    assert not tensor.bits[~alive].any()
    assert not weight[~alive].any()
    assert run.mean_bits() == pytest.approx(tensor.mean_bits)


def test_goes_on_from_its_state():
    def step(run, weight, k):
        run.advance(k / 30)
        weight.sub_(0.05 * normal(20, seed=k))
        run.confine_([weight])

    def start(seed):
        return BSQ().start(space_of(normal(20, seed=seed), target=3.0, n_steps=30))

    run, weight = start(0), normal(20)
    for k in range(15):
        step(run, weight, k)
    state, held = deepcopy(run.state_dict()), weight.clone()
    other = start(1)
    other.load_state_dict(state)
    for k in range(15, 30):
        step(run, weight, k)
        step(other, held, k)
    run.freeze([weight])
    other.freeze([held])
    assert torch.equal(weight, held)
    again = start(2)
    again.load_state_dict(deepcopy(run.state_dict()))
    for whole in (other, again):
        assert torch.equal(
            whole.quantize([held])[0].codes, run.quantize([weight])[0].codes
        )
        assert whole.mean_bits() == run.mean_bits()


def test_checks_its_parameters():
    with pytest.raises(ValueError, match=r"strength=-1 must be"):
        BSQ(strength=-1).check()
    with pytest.raises(ValueError, match=r"adjustments=0 must be"):
        BSQ(adjustments=0).check()
