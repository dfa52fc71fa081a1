"""Masked forward and backward passes against plain autograd."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call

from sklearn_pb.masks import SingleWeights, prunable_parameters
from sklearn_pb.training import MaskedModule

NETWORKS = {
    "linear": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)),
        (3, 5),
    ),
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, stride=2),
            nn.BatchNorm2d(3),
            nn.Flatten(),
            nn.Linear(12, 2),
        ),
        (4, 2, 6, 6),
    ),
    "attention": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        (2, 3, 8),
    ),
}


def single_weights(module):
    return SingleWeights().layout(module, prunable_parameters(module))


def masked_pair(name, **options):
    torch.manual_seed(0)
    build, shape = NETWORKS[name]
    module = build()
    layout = single_weights(module)
    masked = MaskedModule(module, layout, **options)
    masked.mask = torch.rand(layout.n_variables)
    return masked, torch.randn(shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_output_and_gradients_equal_autograd(name):
    masked, X = masked_pair(name)
    reference = copy.deepcopy(masked.module)
    mask = masked.mask.clone().requires_grad_()
    weights = dict(reference.named_parameters())
    effective = {n: weights[n] * m for n, m in masked.layout.spread(mask).items()}
    expected = functional_call(reference, effective, (X,))
    expected.square().sum().backward()

    masked.wants_slope = True
    output = masked(X)
    output.square().sum().backward()
    slope = masked.collect()
    torch.testing.assert_close(output, expected)
    torch.testing.assert_close(slope, mask.grad)
    for name_, parameter in masked.module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name_].grad)


def test_tied_weights_are_masked_on_both_sides():
    module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    module[1].weight = module[0].weight
    masked = MaskedModule(module, single_weights(module))
    masked.mask = torch.zeros(16)
    assert masked(torch.ones(1, 4)).eq(0).all()


def test_rescale_divides_by_the_mean_and_has_a_constant_quotient():
    module = nn.Sequential(nn.Linear(3, 1, bias=False))
    masked = MaskedModule(module, single_weights(module), rescale=True)
    masked.mask, masked.wants_slope = torch.tensor([0.2, 0.4, 0.6]), True
    weight, X = module[0].weight.detach().clone(), torch.tensor([[1.0, 2.0, 3.0]])
    output = masked(X)
    torch.testing.assert_close(output, (weight * masked.mask * X / 0.4).sum(1, True))
    output.sum().backward()
    torch.testing.assert_close(masked.collect(), (weight * X / 0.4)[0])
    torch.testing.assert_close(module[0].weight.grad, masked.mask * X / 0.4)
    assert torch.equal(module[0].weight, weight)


def test_weights_are_back_after_every_kind_of_pass():
    masked, X = masked_pair("conv")
    before = {n: p.detach().clone() for n, p in masked.module.named_parameters()}

    def unchanged():
        now = masked.module.named_parameters()
        return all(torch.equal(p, before[n]) for n, p in now)

    with torch.no_grad():
        masked(X)
    assert unchanged()
    masked(X)
    masked(X).sum().backward()
    assert not unchanged()
    assert masked.collect() is None
    assert unchanged()
    with pytest.raises(RuntimeError):
        masked(torch.zeros(1, 5, 3, 3))
    assert unchanged()


def test_two_passes_before_one_backward_add_up():
    masked, X = masked_pair("linear")
    masked.wants_slope = True
    masked(X).square().sum().backward()
    once = masked.collect().clone()
    masked.zero_grad()
    (masked(X).square().sum() + masked(X).square().sum()).backward()
    torch.testing.assert_close(masked.collect(), 2 * once)


@pytest.mark.parametrize("rescale", [False, True])
def test_baked_module_gives_the_masked_output(rescale):
    masked, X = masked_pair("conv", rescale=rescale)
    masked.mask = (masked.mask > 0.7).float()
    masked.eval()
    expected = masked(X)
    masked.bake()
    torch.testing.assert_close(masked.module(X), expected)
    zeros = sum(int(w.eq(0).sum()) for w in masked.layout.parameters(masked.module))
    assert zeros == int(masked.mask.eq(0).sum())


def test_a_trial_leaves_no_trace():
    masked, X = masked_pair("conv")
    before = copy.deepcopy(masked.module.state_dict())
    mask = masked.mask
    with masked.trial(torch.ones_like(mask)):
        output = masked(X)
    assert not output.requires_grad
    assert masked.mask is mask
    for name, value in masked.module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_pickles_and_copies():
    masked, X = masked_pair("linear")
    for other in (pickle.loads(pickle.dumps(masked)), copy.deepcopy(masked)):
        torch.testing.assert_close(other(X), masked(X))
