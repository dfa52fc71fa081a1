"""A mask for each slice of the batch, against plain autograd slice by slice."""

import copy
import itertools

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.func import functional_call

from sklearn_pb import MaskPruner
from sklearn_pb.distributions import CoupledSamples
from sklearn_pb.gradients import DoubleControlVariate, loorf
from sklearn_pb.masks import (
    SingleWeights,
    prunable_parameters,
    resolve_granularity,
)
from sklearn_pb.methods import MonteCarlo, SampledMasks
from sklearn_pb.training import (
    BatchFunction,
    MaskedModule,
    SeededDraws,
    _sampled_pass,
    weighted_loss,
)
from sklearn_pb.training._sampled_pass import SampledPass
from sklearn_pb.utils import RandomStream

CUTS = {3: (0, 3, 6, 10), 4: (0, 2, 5, 7, 10)}  # of ten rows
CUTS_OF_THREE = slice(0, 3), slice(3, 6), slice(6, 10)


class GivenMasks(CoupledSamples):
    """Samples that a test has written down."""

    def __init__(self, rows, probabilities=None):
        if probabilities is None:
            probabilities = torch.full((rows.shape[1],), 0.5)
        super().__init__(probabilities, len(rows), RandomStream(0))
        self.rows = rows

    def _draw(self, samples, dtype):
        return self.rows[list(samples)].to(dtype)

    def _weighted_sum(self, weights):
        return weights @ self.rows


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, X):
        return self.second(torch.tanh(self.first(X)))


NETWORKS = {
    "linear": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)),
        (10, 5),
    ),
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
        (10, 2, 6, 6),
    ),
    "attention": (
        lambda: nn.Sequential(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
            nn.Flatten(),
            nn.Linear(24, 3),
        ),
        (10, 3, 8),
    ),
    "tied": (Tied, (10, 4)),
}


class FirstOutput(NeuralNetClassifier):
    """A net of which a loss takes the first of several outputs."""

    def get_loss(self, y_pred, *args, **kwargs):
        return super().get_loss(y_pred[0], *args, **kwargs)


def problem(
    name, granularity=None, module=None, net_class=NeuralNetClassifier, **options
):
    torch.manual_seed(0)
    build, shape = NETWORKS[name]
    net = net_class(
        module or build(), criterion=nn.CrossEntropyLoss, train_split=None, verbose=0
    ).initialize()
    batch = torch.randn(shape), torch.arange(shape[0]) % 3
    granularity = granularity or SingleWeights()
    names = prunable_parameters(net.module_)
    layout = granularity.layout(net.module_, names, batch[0][:2])
    net.module_ = MaskedModule(net.module_, layout, **options)
    net.module_.train()
    return net, batch


def some_masks(net, n, seed=1):
    generator = torch.Generator().manual_seed(seed)
    d = net.module_.layout.n_variables
    return GivenMasks((torch.rand((n, d), generator=generator) < 0.6).float())


def train_step(net, masked, batch, sampled):
    """What `MaskTraining` does around a step."""
    masked.mask = sampled.samples.draw(range(1))[0]
    masked.runner = seen = SampledPass(masked, sampled)
    net.module_.zero_grad()
    step = net.train_step_single(batch)
    masked.collect()
    masked.runner = None
    return step, seen, BatchFunction(net, masked, batch, seen)


def reference(masked, batch, masks, cut):
    """Outputs, costs, gradients of the weights and slopes, one slice at a time."""
    module = copy.deepcopy(masked.module)
    module.zero_grad()
    weights = dict(module.named_parameters())
    X, y = batch
    outputs, costs, slopes = [], [], []
    for mask, start, stop in zip(masks.rows, cut[:-1], cut[1:], strict=True):
        state = copy.deepcopy(module.state_dict())
        mask = mask.clone().requires_grad_()
        spread = masked.layout.spread(mask)
        scale = {
            n: 1 / m.mean().item() if masked.rescale and m.ndim > 1 else 1.0
            for n, m in spread.items()
        }
        effective = {n: weights[n] * m * scale[n] for n, m in spread.items()}
        output = functional_call(module, effective, (X[start:stop],))
        output = output[0] if isinstance(output, tuple) else output
        loss = nn.functional.cross_entropy(output, y[start:stop])
        share = (stop - start) / len(X)
        (share * loss).backward()
        outputs.append(output.detach())
        costs.append(loss.detach())
        slopes.append(mask.grad / share)
        module.load_state_dict(state)  # running statistics, in place
    grads = {n: w.grad for n, w in weights.items()}
    return torch.cat(outputs), torch.stack(costs), grads, torch.stack(slopes)


@pytest.mark.parametrize("n", CUTS)
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_sliced_step_is_that_of_autograd(name, rescale, n):
    net, batch = problem(name, rescale=rescale)
    masked, masks = net.module_, some_masks(net, n)
    before = copy.deepcopy(masked.module.state_dict())
    expected = reference(masked, batch, masks, CUTS[n])
    output, costs, grads, slopes = expected

    step, _, function = train_step(
        net, masked, batch, SampledMasks(masks, sliced=True, slopes=True)
    )
    torch.testing.assert_close(step["y_pred"], output)
    torch.testing.assert_close(function.costs_of(masks), costs)
    for name_, parameter in masked.module.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name_])
        assert torch.equal(parameter, before[name_])
    found = function.costs_and_slopes_of(masks, range(1, n))
    torch.testing.assert_close(found[0], costs[1:])
    torch.testing.assert_close(found[1], slopes[1:])


@pytest.mark.parametrize("name", ["linear", "conv"])
def test_slopes_that_do_not_fit_are_made_by_another_pass(name, monkeypatch):
    net, batch = problem(name)
    masked, masks = net.module_, some_masks(net, 3)
    *_, slopes = reference(masked, batch, masks, CUTS[3])
    monkeypatch.setattr(_sampled_pass, "_ROOM", 0)
    sampled = SampledMasks(masks, sliced=True, slopes=True)
    _, seen, function = train_step(net, masked, batch, sampled)
    assert seen.slopes is None
    torch.testing.assert_close(function.costs_and_slopes_of(masks, range(3))[1], slopes)


@pytest.mark.parametrize("granularity", ["channel", "block"])
def test_a_sliced_step_with_structured_masks(granularity):
    net, batch = problem("conv", resolve_granularity(granularity))
    masked, masks = net.module_, some_masks(net, 3)
    output, costs, grads, slopes = reference(masked, batch, masks, CUTS[3])
    step, _, function = train_step(
        net, masked, batch, SampledMasks(masks, sliced=True, slopes=True)
    )
    torch.testing.assert_close(step["y_pred"], output)
    for name, parameter in masked.module.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name])
    found = function.costs_and_slopes_of(masks, range(3))
    torch.testing.assert_close(found, (costs, slopes))


def test_running_statistics_are_the_mean_of_those_of_the_slices():
    net, batch = problem("conv")
    masked, masks = net.module_, some_masks(net, 3)
    norm, means = masked.module[1], []
    for mask, rows in zip(masks.rows, CUTS_OF_THREE, strict=True):
        module = copy.deepcopy(masked.module)
        with torch.no_grad():
            for name, m in masked.layout.spread(mask).items():
                module.get_parameter(name).mul_(m)
        module(batch[0][rows])
        means.append(module[1].running_mean)
    train_step(net, masked, batch, SampledMasks(masks, sliced=True))
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))
    assert norm.num_batches_tracked == 1


def test_buffers_that_do_not_change_keep_every_bit():
    module = NETWORKS["conv"][0]()
    module[1].eval()
    net, batch = problem("conv", module=module)
    masked, masks = net.module_, some_masks(net, 3)
    masked.module[1].train = lambda mode=True: None
    masked.module[1].training = False
    masked.module[1].running_mean.fill_(0.1)
    train_step(net, masked, batch, SampledMasks(masks, sliced=True))
    assert masked.module[1].running_mean.eq(torch.tensor(0.1)).all()


def test_a_frozen_network_gets_no_gradients():
    net, batch = problem("linear", train_weights=False)
    masked, masks = net.module_, some_masks(net, 3)
    _, costs, _, slopes = reference(masked, batch, masks, CUTS[3])
    for slopes_wanted in (False, True):
        sampled = SampledMasks(masks, sliced=True, slopes=slopes_wanted)
        _, _, function = train_step(net, masked, batch, sampled)
        assert all(w.grad is None for w in masked.weights.parameters)
        assert masked.module[0].bias.grad is not None
        torch.testing.assert_close(function.costs_of(masks), costs)
    torch.testing.assert_close(function.costs_and_slopes_of(masks, range(3))[1], slopes)


def test_a_batch_with_few_rows_is_run_whole():
    """Under the first mask; the others cost a forward pass each."""
    net, (X, y) = problem("linear")
    masked, masks = net.module_, some_masks(net, 6)
    step, seen, function = train_step(
        net, masked, (X, y), SampledMasks(masks, sliced=True)
    )
    assert seen.slices == []
    whole = [BatchFunction(net, masked, (X, y))(mask[None])[0] for mask in masks.rows]
    torch.testing.assert_close(function.costs_of(masks), torch.stack(whole))
    torch.testing.assert_close(step["loss"].detach(), whole[0])


def test_costs_are_weighted_means_where_rows_have_weights():
    net, (X, y) = problem("linear")
    masked, masks = net.module_, some_masks(net, 3)
    weight = np.linspace(0.0, 2.0, 10, dtype=np.float32)
    with weighted_loss(net, X.numpy(), weight) as inputs:
        batch = {k: torch.as_tensor(v) for k, v in inputs.items()}, y
        sampled = SampledMasks(masks, sliced=True, slopes=True)
        step, seen, function = train_step(net, masked, batch, sampled)
        costs, slopes = function.costs_and_slopes_of(masks, range(3))
        rows = nn.functional.cross_entropy(step["y_pred"], y, reduction="none")
        w = torch.from_numpy(weight)
        for cost, part in zip(costs, seen.slices, strict=True):
            expected = (w[part] * rows[part]).sum() / w[part].sum()
            torch.testing.assert_close(cost, expected.detach())
        whole = [w[part].sum() / w.sum() for part in seen.slices]
        torch.testing.assert_close(step["loss"].detach(), costs @ torch.stack(whole))
        # The slope of the loss of a slice, not of its share in that of the batch.
        again = [
            function._loss_and_slope(m, p)[1]
            for m, p in zip(masks.rows, seen.slices, strict=True)
        ]
        torch.testing.assert_close(slopes, torch.stack(again))


def test_compared_costs_leave_out_what_slices_differ_by():
    """One forward pass more, under the probabilities; steps are as they were."""
    net, batch = problem("conv")
    masked, passes = net.module_, []
    masks = some_masks(net, 3)
    masks.probabilities = torch.linspace(0.2, 0.9, masks.rows.shape[1])
    _, costs, grads, _ = reference(masked, batch, masks, CUTS[3])
    masked.module.register_forward_hook(lambda *_: passes.append(1))
    sampled = SampledMasks(masks, sliced=True, compared=True)
    _, seen, function = train_step(net, masked, batch, sampled)
    found = function.costs_of(masks)
    assert len(passes) == 3 + 1
    with masked.trial(masks.probabilities):
        output = masked(batch[0])
    others = torch.stack(
        [nn.functional.cross_entropy(output[s], batch[1][s]) for s in seen.slices]
    )
    torch.testing.assert_close(found, costs - others + others.mean())
    for name, parameter in masked.module.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name])


class Wrapped(nn.Module):
    """A layer whose output is not just a tensor."""

    def __init__(self, output):
        super().__init__()
        self.layer = nn.Linear(5, 3)
        self.output = output

    def forward(self, X):
        return self.output(self.layer(X))


def test_outputs_in_tuples_are_joined():
    module = Wrapped(lambda out: (out, {"hidden": out.detach(), "k": 7}))
    net, batch = problem("linear", module=module, net_class=FirstOutput)
    masks = some_masks(net, 3)
    _, costs, grads, _ = reference(net.module_, batch, masks, CUTS[3])
    step, seen, function = train_step(
        net, net.module_, batch, SampledMasks(masks, sliced=True)
    )
    torch.testing.assert_close(function.costs_of(masks), costs)
    weight = net.module_.module.layer.weight
    torch.testing.assert_close(weight.grad, grads["layer.weight"])
    assert step["y_pred"][0].shape == (10, 3)
    assert step["y_pred"][1]["hidden"].shape == (10, 3)
    assert step["y_pred"][1]["k"] == 7
    assert torch.equal(seen.output[1]["hidden"], step["y_pred"][0].detach())


def test_an_output_without_rows_is_refused():
    module = Wrapped(lambda out: (out, out.sum()))
    net, batch = problem("linear", module=module, net_class=FirstOutput)
    with pytest.raises(ValueError, match="evaluation='sliced' needs one that returns"):
        train_step(
            net, net.module_, batch, SampledMasks(some_masks(net, 3), sliced=True)
        )
    assert not net.module_.weights.lent


def test_validation_in_between_is_not_sliced():
    net, batch = problem("linear")
    masked, masks = net.module_, some_masks(net, 3)
    masked.mask = masks.rows[0]
    masked.runner = seen = SampledPass(masked, SampledMasks(masks, sliced=True))
    net.validation_step(batch)
    assert seen.output is None


def test_dropout_draws_from_the_generator_of_the_run():
    module = nn.Sequential(nn.Linear(5, 20), nn.Dropout(0.5), nn.Linear(20, 3))
    net, batch = problem("linear", module=module)
    masked, masks = net.module_, some_masks(net, 3)
    state, grads = torch.get_rng_state(), []
    for _ in range(2):
        masked.draws = SeededDraws(torch.Generator().manual_seed(3))
        train_step(net, masked, batch, SampledMasks(masks, sliced=True))
        grads.append(masked.module[0].weight.grad.clone())
    assert torch.equal(*grads)
    assert torch.equal(torch.get_rng_state(), state)


THETA = torch.tensor([0.3, 0.8, 0.5])


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.parametrize("estimator", [loorf, DoubleControlVariate()])
def test_the_gradient_of_two_slices_has_no_bias(estimator, compared):
    """Its mean over all pairs of masks is the gradient of the mean loss of the slices.

    A network of three weights, so that there are 64 pairs.
    """
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 1, bias=False), nn.Tanh(), Pair())
    net = NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, train_split=None, verbose=0
    ).initialize()
    layout = SingleWeights().layout(net.module_, prunable_parameters(net.module_))
    net.module_ = masked = MaskedModule(net.module_, layout)
    masked.module[0].weight.data = torch.tensor([[1.5, -2.0, 1.0]])
    batch = torch.randn(6, 3), torch.arange(6) % 2
    logits = torch.logit(THETA)
    corners = [torch.tensor(b) for b in itertools.product((0.0, 1.0), repeat=3)]
    chance = {c: torch.where(c > 0, THETA, 1 - THETA).prod() for c in corners}

    mean = torch.zeros(3)
    for a, b in itertools.product(corners, corners):
        masks = GivenMasks(torch.stack([a, b]), THETA)
        sampled = SampledMasks(masks, sliced=True, compared=compared, slopes=True)
        function = train_step(net, masked, batch, sampled)[2]
        estimate = estimator(
            function, logits, RandomStream(0), n_samples=2, samples=masks
        )
        mean += chance[a] * chance[b] * estimate.gradient

    expected = torch.zeros(3)
    for c in corners:
        cost = BatchFunction(net, masked, batch)(c[None])[0]
        expected += chance[c] * cost * (c - THETA)
    torch.testing.assert_close(mean, expected, rtol=1e-4, atol=1e-6)


class Pair(nn.Module):
    def forward(self, X):
        return torch.cat([3 * X, -3 * X], dim=1)


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
@pytest.mark.parametrize("gradient", ["arms", "double-cv-shrunk"])
def test_a_whole_run(gradient):
    """Exactly as sparse as wanted; the same bits again, whatever is drawn outside."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] > 0).astype(np.int64)

    def fit():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.1), nn.Linear(12, 2)
        )
        net = NeuralNetClassifier(
            module,
            criterion=nn.CrossEntropyLoss,
            max_epochs=4,
            batch_size=32,
            verbose=0,
        )
        method = MonteCarlo(gradient=gradient, n_samples=4, evaluation="sliced")
        torch.rand(7)
        pruner = MaskPruner(net, method=method, sparsity=0.8, random_state=3)
        return pruner.fit(X, y)

    first, second = fit(), fit()
    assert sum(int((~m).sum()) for m in first.masks_.values()) == round(0.8 * 96)
    for name, mask in first.masks_.items():
        assert torch.equal(mask, second.masks_[name])
        weight = first.estimator_.module_.get_parameter(name)
        assert torch.equal(weight, second.estimator_.module_.get_parameter(name))
        assert weight[~mask].eq(0).all()
