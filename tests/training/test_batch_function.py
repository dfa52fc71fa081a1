"""The loss of a batch as a function of the mask, against plain autograd."""

import copy
import itertools

import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.func import functional_call

from sklearn_pb import MaskPruner
from sklearn_pb.distributions import Concrete, Independent, Sigmoid
from sklearn_pb.gradients import ESTIMATORS, Pathwise, exact, traits_of
from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.methods import SampledMasks
from sklearn_pb.training import BatchFunction, MaskedModule, SeededDraws
from sklearn_pb.training._sampled_pass import SampledPass
from sklearn_pb.utils import RandomStream


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 4, batch_first=True)
        self.out = nn.Linear(4, 3)

    def forward(self, X):
        return self.out(self.lstm(X)[0][:, -1])


class Viewing(nn.Module):
    """A network that can only do with contiguous images."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(48, 3)

    def forward(self, X):
        return self.out(self.drop(self.conv(X)).view(len(X), -1))


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
        lambda: nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)),
        (6, 5),
    ),
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12, 3),
        ),
        (6, 2, 6, 6),
    ),
    "recurrent": (Recurrent, (6, 3, 5)),
    "tied": (Tied, (6, 4)),
    "viewing": (Viewing, (6, 2, 6, 6)),
}


def net_around(module, **settings):
    net = NeuralNetClassifier(
        module, criterion=nn.CrossEntropyLoss, train_split=None, verbose=0, **settings
    ).initialize()
    return net


def masked_net(build, **options):
    torch.manual_seed(0)
    net = net_around(build())
    layout = SingleWeights().layout(net.module_, prunable_parameters(net.module_))
    net.module_ = MaskedModule(net.module_, layout, **options)
    net.module_.train()
    return net


def problem(name, **options):
    build, shape = NETWORKS[name]
    net = masked_net(build, **options)
    batch = torch.randn(shape), torch.arange(shape[0]) % 3
    return net, batch


def reference_loss(masked, batch, mask):
    """The loss under a mask by autograd alone, on a copy of the module."""
    module = copy.deepcopy(masked.module)
    weights = dict(module.named_parameters())
    spread = masked.layout.spread(mask)
    effective = {name: weights[name].detach() * m for name, m in spread.items()}
    output = functional_call(module, effective, (batch[0],))
    return nn.functional.cross_entropy(output, batch[1])


def trace(masked):
    """All that an evaluation must leave as it is."""
    state = masked.module.state_dict()
    grads = {n: p.grad for n, p in masked.module.named_parameters()}
    tensors = {**state, **{f"{n}.grad": g for n, g in grads.items() if g is not None}}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@pytest.mark.parametrize("name", ["linear", "conv", "recurrent", "tied"])
def test_costs_and_slopes_are_those_of_autograd(name):
    net, batch = problem(name)
    masked = net.module_
    net.train_step_single(batch)  # so that there are gradients to disturb
    before = trace(masked)
    function = BatchFunction(net, masked, batch)
    Z = torch.rand(3, function.n_variables)

    points = Z.clone().requires_grad_()
    costs = function(points)
    (slopes,) = torch.autograd.grad(costs @ torch.tensor([1.0, 2.0, 3.0]), points)

    for z, cost, slope, factor in zip(Z, costs, slopes, (1, 2, 3), strict=True):
        z = z.clone().requires_grad_()
        expected = reference_loss(masked, batch, z)
        (expected_slope,) = torch.autograd.grad(expected, z)
        torch.testing.assert_close(cost, expected)
        torch.testing.assert_close(slope, factor * expected_slope)
    torch.testing.assert_close(function(Z), costs.detach())
    after = trace(masked)
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


def test_no_gradient_is_asked_for_where_nobody_wants_it():
    net, batch = problem("linear")
    function = BatchFunction(net, net.module_, batch)
    Z = torch.rand(2, function.n_variables, requires_grad=True)
    with torch.no_grad():
        assert not function(Z).requires_grad
    assert function(Z).requires_grad
    assert not function(Z.detach()).requires_grad


def test_second_derivatives_are_left_out():
    """Of (a J(z))' = a J'(z), only the derivative by a is there."""
    net, batch = problem("linear")
    function = BatchFunction(net, net.module_, batch)
    z = torch.rand(1, function.n_variables, requires_grad=True)
    a = torch.tensor(2.0, requires_grad=True)
    (slope,) = torch.autograd.grad(a * function(z).sum(), z, create_graph=True)
    (by_a,) = torch.autograd.grad(slope.sum(), a)
    assert by_a.item() == pytest.approx(slope.sum().item() / 2, rel=1e-5)
    (slope,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
    assert not slope.requires_grad


def test_rescaled_slopes_have_a_constant_scale():
    net, batch = problem("linear", rescale=True)
    masked = net.module_
    z = torch.rand(masked.layout.n_variables)
    scales = {name: 1 / m.mean() for name, m in masked.layout.spread(z).items()}
    weights = dict(masked.module.named_parameters())
    point = z.clone().requires_grad_()
    effective = {
        name: weights[name].detach() * m * scales[name]
        for name, m in masked.layout.spread(point).items()
    }
    output = functional_call(masked.module, effective, (batch[0],))
    (expected,) = torch.autograd.grad(
        nn.functional.cross_entropy(output, batch[1]), point
    )
    points = z[None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(
        BatchFunction(net, masked, batch)(points).sum(), points
    )
    torch.testing.assert_close(slope[0], expected)


def test_dropout_draws_from_the_generator_of_the_run():
    net, batch = problem("viewing")
    masked = net.module_
    z = torch.ones(2, masked.layout.n_variables)

    def costs():
        masked.draws = SeededDraws(torch.Generator().manual_seed(3))
        return BatchFunction(net, masked, batch)(z)

    state = torch.get_rng_state()
    first = costs()
    assert torch.equal(first, costs())
    assert first[0] != first[1]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_that_needs_contiguous_images_gets_them():
    """And the draws are those of a run that has known this from its start."""
    net, batch = problem("viewing")
    masked = net.module_
    z = torch.ones(2, masked.layout.n_variables)
    results = []
    for known in (None, False):
        masked.takes_channels_last = known
        masked.draws = SeededDraws(torch.Generator().manual_seed(3))
        results.append(BatchFunction(net, masked, batch)(z))
        assert masked.takes_channels_last is False
    assert torch.equal(*results)


def test_images_by_channels_cost_the_same():
    net, batch = problem("conv")
    masked = net.module_
    Z = torch.rand(3, masked.layout.n_variables)
    by_channels = BatchFunction(net, masked, batch)(Z)
    assert masked.takes_channels_last
    masked.takes_channels_last = False
    torch.testing.assert_close(by_channels, BatchFunction(net, masked, batch)(Z))


def test_errors_of_the_network_are_not_hidden():
    net, (X, y) = problem("conv")
    function = BatchFunction(net, net.module_, (X[:, :, :1], y))
    with pytest.raises(RuntimeError, match="Kernel size"):
        function(torch.ones(1, function.n_variables))


@pytest.mark.parametrize("seen", [False, True])
def test_costs_of_samples(seen):
    """n masks take n forward passes in all, the training pass included."""
    net, batch = problem("conv")
    masked, passes = net.module_, []
    masked.module.register_forward_hook(lambda *_: passes.append(1))
    theta = torch.full((masked.layout.n_variables,), 0.7)
    samples = Independent(theta, 4, RandomStream(1))
    samples.keep()
    record = None
    if seen:
        masked.mask = samples.draw(range(1))[0]
        masked.runner = record = SampledPass(masked, SampledMasks(samples))
        net.train_step_single(batch)
        masked.collect()
        masked.runner = None
    costs = BatchFunction(net, masked, batch, record).costs_of(samples)
    assert len(passes) == 4
    for z, cost in zip(samples.draw(range(4)), costs, strict=True):
        torch.testing.assert_close(cost, reference_loss(masked, batch, z))
    if seen:  # the pass says nothing of other samples
        other = Independent(theta, 4, RandomStream(2))
        costs = BatchFunction(net, masked, batch, record).costs_of(other)
        for z, cost in zip(other.draw(range(4)), costs, strict=True):
            torch.testing.assert_close(cost, reference_loss(masked, batch, z))


# On a network of six weights everything can be enumerated.


def tiny():
    return nn.Sequential(
        nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 1, bias=False), Pair()
    )


class Pair(nn.Module):
    def forward(self, X):
        return torch.cat([3 * X, -3 * X], dim=1)


def tiny_problem():
    net = masked_net(tiny)
    with torch.no_grad():
        for sign, weight in zip((1, -1), net.module_.module.parameters(), strict=True):
            weight.copy_(
                sign * torch.linspace(0.5, 1.5, weight.numel()).view_as(weight)
            )
    X = torch.tensor([[1.0, 0.5], [-0.5, 2.0], [0.3, -1.0], [-2.0, 0.4]])
    return net, (X, torch.tensor([0, 1, 1, 0]))


LOGITS = torch.tensor([0.3, -0.5, 1.0, 0.0, -1.0, 0.6])


def enumerated_gradient(masked, batch, logits):
    """By autograd through the mean over all 64 masks."""
    logits = logits.clone().requires_grad_()
    theta = torch.sigmoid(logits)
    mean = torch.zeros(())
    for bits in itertools.product((0.0, 1.0), repeat=len(logits)):
        z = torch.tensor(bits)
        probability = torch.where(z > 0, theta, 1 - theta).prod()
        mean = mean + probability * reference_loss(masked, batch, z).detach()
    (gradient,) = torch.autograd.grad(mean, logits)
    return gradient


UNBIASED = sorted(
    name
    for name, estimator in ESTIMATORS.items()
    if traits_of(estimator).unbiased and name != "exact"
)


def test_the_exact_gradient_is_that_of_enumeration():
    net, batch = tiny_problem()
    function = BatchFunction(net, net.module_, batch)
    gradient = exact(function, LOGITS).gradient
    expected = enumerated_gradient(net.module_, batch, LOGITS)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased_estimators_are_unbiased_on_a_network(name):
    net, batch = tiny_problem()
    function = BatchFunction(net, net.module_, batch)
    expected = enumerated_gradient(net.module_, batch, LOGITS)
    estimator, stream = ESTIMATORS[name], RandomStream(5)
    if hasattr(estimator, "start"):  # one that learns, a temperature among the rest
        estimator = estimator.start(6)
    estimates = torch.stack(
        [
            estimator(function, LOGITS, stream.child(t), n_samples=4).gradient
            for t in range(150)
        ]
    )
    error = (estimates.mean(0) - expected).abs()
    assert (error < 4.5 * estimates.std(0) / 150**0.5 + 1e-4).all()


def test_rebar_learns_its_temperature_on_a_network():
    net, batch = tiny_problem()
    function = BatchFunction(net, net.module_, batch)
    run = ESTIMATORS["rebar"].start(6)
    before = run.control_variate.log_temperature.item()
    for t in range(20):
        run(function, LOGITS, RandomStream(t), n_samples=4)
    assert abs(run.control_variate.log_temperature.item() - before) > 0.05


def test_the_pathwise_gradient_is_that_of_autograd():
    net, batch = tiny_problem()
    estimator, stream = Pathwise(Concrete(0.5)), RandomStream(2)
    estimate = estimator(
        BatchFunction(net, net.module_, batch), LOGITS, stream, n_samples=3
    )
    logits = LOGITS.clone().requires_grad_()
    relaxed = Concrete(0.5).sample(
        torch.logit(Sigmoid().probabilities(logits)), stream, range(3)
    )
    costs = [reference_loss(net.module_, batch, z) for z in relaxed]
    (expected,) = torch.autograd.grad(sum(costs) / 3, logits)
    torch.testing.assert_close(estimate.gradient, expected)
    torch.testing.assert_close(estimate.costs, torch.stack(costs).detach())


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
@pytest.mark.parametrize("method", ["exact", "beta-star"])
def test_gradients_that_enumerate_prune_a_few_channels(method):
    X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    y = (X[:, 0] > 0).long()
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    net = NeuralNetClassifier(
        module, max_epochs=3, train_split=None, verbose=0, criterion=nn.CrossEntropyLoss
    )
    pruner = MaskPruner(
        net, method=method, sparsity=0.5, granularity="channel", random_state=0
    ).fit(X.numpy(), y.numpy())
    weight = pruner.estimator_.module_[0].weight
    assert int(weight.eq(0).all(dim=1).sum()) == 3
