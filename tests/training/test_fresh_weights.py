"""Networks that start anew, however they were given."""

import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from sklearn_pb.training import with_fresh_weights
from sklearn_pb.utils import RandomStream


class Own(nn.Module):
    """Its layers start as it says."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.constant_(self.layer.weight, 5.0)

    def forward(self, X):
        return self.layer(X)


def spoilt(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(9.0)
    return module


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(4, 3),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
        nn.LSTM(3, 4),
        nn.Embedding(5, 2),
        nn.TransformerEncoderLayer(8, 2, 16),
    ],
    ids=lambda module: type(module).__name__,
)
def test_instances_are_drawn_again(module):
    spoilt(module)
    state = torch.get_rng_state()
    first, again, other = (
        with_fresh_weights(module, RandomStream(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), state)
    differ = False
    for name, given in module.named_parameters():
        a, b, c = (m.get_parameter(name) for m in (first, again, other))
        assert (given == 9).all()
        assert not (a == 9).any()
        assert torch.equal(a, b)
        differ |= not torch.equal(a, c)
    assert differ


def test_a_parent_has_the_last_word():
    fresh = with_fresh_weights(spoilt(Own()), RandomStream(0))
    assert (fresh.layer.weight == 5.0).all()
    assert not (fresh.layer.bias == 9.0).any()


def test_running_statistics_start_anew():
    norm = nn.BatchNorm1d(2)
    norm(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    assert norm.running_mean.any()
    assert not with_fresh_weights(norm, RandomStream(0)).running_mean.any()


def test_a_net_around_an_instance_is_copied():
    net = NeuralNetClassifier(spoilt(nn.Linear(4, 3)), lr=0.3)
    fresh = with_fresh_weights(net, RandomStream(0))
    assert fresh is not net
    assert fresh.lr == 0.3
    assert (net.module.weight == 9).all()
    assert not (fresh.module.weight == 9).any()


@pytest.mark.parametrize("given", [None, Own, NeuralNetClassifier(Own)])
def test_classes_are_fresh_by_themselves(given):
    assert with_fresh_weights(given, RandomStream(0)) is given


def test_a_net_that_has_begun_is_forgotten():
    net = NeuralNetClassifier(Own, lr=0.3).initialize()
    fresh = with_fresh_weights(net, RandomStream(0))
    assert fresh.lr == 0.3 and not hasattr(fresh, "module_")
    assert hasattr(net, "module_")


def test_weights_that_nobody_can_draw_are_an_error():
    module = nn.Sequential(nn.ParameterList([torch.ones(2)]))
    with pytest.raises(ValueError, match=r"layer '0' \(ParameterList\)"):
        with_fresh_weights(module, RandomStream(0))
