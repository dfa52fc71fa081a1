"""Criteria: scores by hand, against autograd, and by what removal really costs."""

import itertools
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch import NeuralNetRegressor
from torch import nn

from sklearn_pb import MaskPruner
from sklearn_pb.constraints import CellQuota, MeasuredQuota, Quota, top_k_mask
from sklearn_pb.methods import (
    CRITERIA,
    Fisher,
    Gradual,
    L1Norm,
    L2Norm,
    Lamp,
    Movement,
    OneShot,
    RandomScores,
    SearchSpace,
    Snip,
    Taylor,
    Weights,
    resolve_criterion,
)
from sklearn_pb.testing import check_method
from sklearn_pb.utils import RandomStream

SLOPES = torch.tensor([[1.0, -2.0, 0.5, 0.0], [-3.0, -1.0, 0.5, 4.0]])


def space(values, counts=None, layers=None, **options):
    """Variables that stand for one or more of the values, in order."""
    values = torch.as_tensor(values)
    counts = torch.ones(len(values)) if counts is None else torch.tensor(counts)
    owner = torch.arange(len(counts)).repeat_interleave(counts.long())

    def sums(power):
        totals = torch.zeros(len(counts), dtype=values.dtype)
        return totals.index_add_(0, owner, values.abs().pow(power))

    d = len(counts)
    options.setdefault("quota", Quota.proportional([d], 0.5))
    weights = Weights(sums, counts, layers or [d])
    return SearchSpace(d, RandomStream(0), weights=weights, **options)


def scores(criterion, *args, kept=None, **options):
    given = space(*args, **options)
    kept = torch.ones(given.n_variables) if kept is None else torch.tensor(kept)
    return criterion.scores(given, kept, None)


def after(criterion, slopes):
    """Scores of a search that has seen these slopes, one a step."""
    search = OneShot(criterion).start(space(torch.ones(slopes.shape[1])))
    for step, slope in enumerate(slopes):
        search.advance(step / len(slopes))
        search.update(None, slope.clone())
    return search.scores()


# Criteria that look at the weights.


@pytest.mark.parametrize(
    "criterion, expected",
    [
        (L1Norm(), [3.5, 2.0, 6.0]),
        (L1Norm(normalize="sum"), [7.0, 6.0, 6.0]),
        (L2Norm(), [12.5**0.5, 2.0, 6.0]),
        (L2Norm(normalize="sum"), [5.0, 12**0.5, 6.0]),
    ],
)
def test_norms_of_variables_with_several_weights(criterion, expected):
    values = [3.0, -4.0, 2.0, -2.0, 2.0, -6.0]
    found = scores(criterion, values, counts=[2, 3, 1])
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize("normalize", ["mean", "sum"])
@pytest.mark.parametrize("kind", [L1Norm, L2Norm])
def test_norms_of_single_weights_are_absolute_values(kind, normalize):
    found = scores(kind(normalize=normalize), [0.5, -3.0, 0.0])
    assert found.tolist() == [0.5, 3.0, 0.0]


def test_lamp_by_hand():
    """Layers of three, one, three weights; squares 4 1 9 | 16 | 1 1 0."""
    values = [2.0, -1.0, 3.0, 4.0, 1.0, -1.0, 0.0]
    found = scores(Lamp(), values, layers=[3, 1, 3])
    expected = [4 / 13, 1 / 14, 1.0, 1.0, 0.5, 1.0, 0.0]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_lamp_takes_sums_of_squares_and_leaves_out_what_was_cut():
    values, counts = [1.0, 2.0, 2.0, 3.0, 1.0], [2, 1, 2]  # squares 5, 4, 10
    expected = torch.tensor([5 / 15, 4 / 19, 1.0])
    torch.testing.assert_close(scores(Lamp(), values, counts), expected)
    found = scores(Lamp(), values, counts, kept=[1, 1, 0])
    torch.testing.assert_close(found[:2], torch.tensor([1.0, 4 / 9]))


def test_lamp_is_that_of_the_paper_on_many_weights():
    """Compared with a loop over the sorted weights, as the paper writes it."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(60, generator=generator).double()
    expected = []
    for layer in values.split([10, 50]):
        squares = layer.square().tolist()
        ranked = sorted(range(len(squares)), key=squares.__getitem__)
        shares = dict.fromkeys(ranked, 0.0)
        for place, i in enumerate(ranked):
            shares[i] = squares[i] / sum(squares[j] for j in ranked[place:])
        expected += [shares[i] for i in range(len(squares))]
    found = scores(Lamp(), values, layers=[10, 50])
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_lamp_empties_no_layer_while_another_has_more_than_one():
    values = torch.cat([torch.full((5,), 1e-3), torch.linspace(1, 9, 45)])
    given = space(values, layers=[5, 45], quota=Quota([50], [3]))
    mask = OneShot("lamp").start(given).harden()
    assert mask[:5].any()
    assert not OneShot("l2").start(given).harden()[:5].any()


def test_random_scores_stay_the_same_and_come_from_the_stream():
    search = OneShot("random").start(space(torch.ones(2000)))
    first = search.scores()
    search.advance(0.5)
    assert torch.equal(search.scores(), first)
    assert ((first >= 0) & (first < 1)).all()
    assert first.mean() == pytest.approx(0.5, abs=0.03)
    other = SearchSpace(2000, RandomStream(1), quota=Quota([2000], [10]))
    assert not torch.equal(OneShot("random").start(other).scores(), first)


def test_some_criteria_need_no_weights():
    bare = SearchSpace(4, RandomStream(0), quota=Quota([4], [2]))
    for name in ("random", "taylor", "snip", "fisher", "movement"):
        assert OneShot(name).start(bare).scores().shape == (4,)


# Criteria that look at the slope.


def test_scores_from_slopes_by_hand():
    for criterion, expected in (
        (Taylor(), [2.0, 1.5, 0.5, 2.0]),
        (Taylor(power=2), [5.0, 2.5, 0.25, 8.0]),
        (Fisher(), [2.5, 1.25, 0.125, 4.0]),
        (Snip(n_batches=2), [1.0, 1.5, 0.5, 2.0]),
        (Movement(), [1.0, 1.5, -0.5, -2.0]),
    ):
        found = after(criterion, SLOPES)
        torch.testing.assert_close(found, torch.tensor(expected))


def test_the_average_is_plain_first_and_then_forgets():
    """With a memory of 0.5: batches 1 and 2 weigh the same, each later one a half."""
    slopes = torch.tensor([[1.0], [3.0], [8.0], [1.0]])
    found = [after(Taylor(smoothing=0.5), slopes[:n]).item() for n in (1, 2, 3, 4)]
    assert found == [1.0, 2.0, 5.0, 3.0]
    assert after(Taylor(smoothing=1), slopes).item() == pytest.approx(13 / 4)
    assert after(Taylor(smoothing=0), slopes).item() == 1.0


def network():
    """A linear net in numbers: weights (2, 3), six rows in batches of two."""
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    X = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    Y = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    return W, [*zip(X.split(2), Y.split(2), strict=True)]


def slope_of(W, batch, spread):
    """The slope of the loss by a mask of ones, as a trainer would give it."""
    X, Y = batch
    mask = torch.ones(W.numel() // spread, dtype=W.dtype, requires_grad=True)
    masked = W * mask.repeat_interleave(spread).view_as(W)
    loss = (X @ masked.T - Y).square().mean()
    return torch.autograd.grad(loss, mask)[0]


def weight_times_gradient(W, batch):
    X, Y = batch
    weight = W.clone().requires_grad_()
    (X @ weight.T - Y).square().mean().backward()
    return W * weight.grad


@pytest.mark.parametrize("spread", [1, 3], ids=["weights", "neurons"])
@pytest.mark.parametrize(
    "criterion, combine",
    [
        (Taylor(smoothing=1.0), lambda products: products.abs().mean(0)),
        (Taylor(power=2), lambda products: products.square().mean(0)),
        (Fisher(), lambda products: products.square().mean(0) / 2),
        (Snip(n_batches=3), lambda products: products.mean(0).abs()),
        (Movement(), lambda products: -products.mean(0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scores_agree_with_the_gradients_of_the_weights(criterion, combine, spread):
    W, batches = network()
    d = W.numel() // spread
    given = SearchSpace(d, RandomStream(0), Quota([d], [1]), dtype=W.dtype)
    search = OneShot(criterion).start(given)
    for batch in batches:
        search.advance(0.0)
        assert (search.mask() == 1).all()
        search.update(None, slope_of(W, batch, spread))
    products = [weight_times_gradient(W, b).view(d, spread).sum(1) for b in batches]
    torch.testing.assert_close(search.scores(), combine(torch.stack(products)))


def test_fisher_foretells_what_removing_a_weight_costs():
    """Least squares with noise of variance 1, where the Fisher is the Hessian."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([0.5, 1.0, 2.0])
    X = torch.randn(4000, 3, generator=generator) * scales
    truth = torch.tensor([1.0, -2.0, 0.3])
    y = X @ truth + torch.randn(4000, generator=generator)
    w = torch.linalg.lstsq(X, y[:, None]).solution[:, 0]
    residual = X @ w - y
    slopes = w * X * residual[:, None]  # of each row: w_i d/dw_i (x w - y)^2 / 2
    found = after(Fisher(smoothing=1.0), slopes)
    cost = residual.square().mean() / 2
    for i in range(3):
        without = w.clone()
        without[i] = 0
        rise = (X @ without - y).square().mean() / 2 - cost
        assert found[i] == pytest.approx(float(rise), rel=0.1)


def test_snip_in_training_keeps_the_largest_products_at_initialisation():
    """Through MaskPruner; the products come from a training step without masks."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5)).astype(np.float32)
    y = np.tanh(X[:, :2] - X[:, 2:4])
    torch_generator = torch.Generator().manual_seed(1)
    module = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
    for parameter in module.parameters():
        parameter.data.normal_(generator=torch_generator)
    net = NeuralNetRegressor(
        module, batch_size=-1, max_epochs=4, train_split=None, verbose=0
    )
    method = OneShot("snip", at=0.0)
    pruner = MaskPruner(net, method=method, sparsity=0.75, random_state=0).fit(X, y)
    loss = nn.functional.mse_loss(module(torch.tensor(X)), torch.tensor(y))
    weights = [module[0].weight, module[2].weight]
    gradients = torch.autograd.grad(loss, weights)
    pairs = zip(weights, gradients, strict=True)
    products = [(w * g).abs().flatten() for w, g in pairs]
    expected = top_k_mask(torch.cat(products).detach(), 14)
    found = torch.cat([mask.flatten() for mask in pruner.masks_.values()])
    assert torch.equal(found, expected)


# All of them.

CELLS = torch.arange(12).view(2, 6).T.reshape(3, 4)  # cells that lie across layers
QUOTAS = {
    "global": Quota([12], [3]),
    "groups": Quota([2, 6, 4], [1, 4, 0]),
    "cells": CellQuota(CELLS, 1),
    "at least one": Quota([12], [4], at_least_one=[6, 2, 4]),
    "nothing cut": Quota([12], [12]),
    "all cut": Quota([12], [0]),
}
SCHEDULES = {
    "at the start": lambda criterion: OneShot(criterion, at=0.0),
    "half-way": lambda criterion: OneShot(criterion, at=0.5),
    "at the end": lambda criterion: OneShot(criterion),
    "gradual": lambda criterion: Gradual(criterion, n_prunings=4),
    "regrowing": lambda criterion: Gradual(criterion, n_prunings=4, regrow=True),
}


def search_all(method, given, n_steps=12):
    """Run a search on noise, and return it with its masks."""
    search, masks = method.start(given), []
    generator = torch.Generator().manual_seed(0)
    for step in range(n_steps):
        search.advance(step / (n_steps - 1))
        masks.append(search.mask().clone())
        slope = torch.randn(given.n_variables, generator=generator)
        search.update(None, slope if search.needs_slope else None)
    return search, masks


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("quota", QUOTAS)
@pytest.mark.parametrize("name", CRITERIA)
def test_counts_are_exact(name, quota, schedule):
    weights = torch.randn(12, generator=torch.Generator().manual_seed(1))
    weights[6:8] = 1e-4  # a layer that only `at_least_one` saves
    given = space(weights, layers=[6, 2, 4], quota=QUOTAS[quota])
    search, _ = search_all(SCHEDULES[schedule](name), given)
    mask, quota = search.harden(), QUOTAS[quota]
    counts = [int(part.sum()) for part in mask.split(quota.sizes)]
    assert counts == list(quota.counts)
    if quota.at_least_one:
        assert all(part.any() for part in mask.split(quota.at_least_one))
    if isinstance(quota, CellQuota):
        assert mask[CELLS].sum(1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", CRITERIA)
def test_what_is_measured_fits_and_what_is_cut_stays_cut(name, schedule):
    """Cheap variables would fit again after a cut, were they let back in."""
    costs = torch.tensor([5.0, 0.1, 4.0, 3.0, 0.1, 2.0])
    quota = MeasuredQuota(lambda mask: float(costs[mask].sum()), 6, 0.6)
    given = space([6.0, 0.1, 5.0, 4.0, 0.2, 3.0], quota=quota)
    search, masks = search_all(SCHEDULES[schedule](name), given)
    masks.append(search.harden().float())
    assert costs[masks[-1].bool()].sum() <= 0.4 * costs.sum()
    if schedule != "regrowing":
        pairs = itertools.pairwise(masks)
        assert all((after <= before).all() for before, after in pairs)


@pytest.mark.parametrize("name", CRITERIA)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_conformance(name, schedule):
    check_method(SCHEDULES[schedule](name), n_steps=20)


@pytest.mark.parametrize("criterion", CRITERIA.values())
def test_criteria_are_cloned_with_their_settings(criterion):
    original = criterion()
    copy = clone(OneShot(original)).criterion
    assert copy is not original
    assert copy.get_params() == original.get_params()


@pytest.mark.parametrize(
    "criterion, error, message",
    [
        ("l3", ValueError, "criterion='l3' is unknown; it must be one of fisher, l1,"),
        (3, TypeError, "criterion=3 must be a string or a Criterion"),
        (Taylor, TypeError, "must be a string or a Criterion, such as"),
        (L1Norm(normalize="max"), ValueError, "normalize='max' is unknown"),
        (Taylor(power=3), ValueError, "power=3 must be an integer in [1, 2]"),
        (Taylor(smoothing=1.1), ValueError, "smoothing=1.1 must be a number in [0, 1]"),
        (Fisher(n_batches=0), ValueError, "n_batches=0 must be an integer in [1, inf)"),
        (Snip(n_batches=0), ValueError, "n_batches=0"),
        (Movement(smoothing=-1), ValueError, "smoothing=-1"),
    ],
)
def test_senseless_criteria_are_refused(criterion, error, message):
    for method in (OneShot(criterion), Gradual(criterion)):
        with pytest.raises(error, match=re.escape(message)):
            method.check()


def test_strings_are_shorthands_and_objects_are_taken_as_they_are():
    for name, kind in CRITERIA.items():
        assert type(resolve_criterion(name)) is kind
    criterion = RandomScores()
    assert resolve_criterion(criterion) is criterion
