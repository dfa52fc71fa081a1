"""The enumerated gradient is that of the multilinear extension."""

import pytest
import torch

from sklearn_pb.distributions import PRESETS
from sklearn_pb.functions import (
    BlackBoxFunction,
    ExponentialTabularLoss,
    NNLoss,
    enumerate_points,
    tabulate,
)
from sklearn_pb.gradients import exact

THETA = torch.tensor([1e-3, 0.2, 0.5, 0.9, 0.999], dtype=torch.float64)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "function", [ExponentialTabularLoss(5, 0), NNLoss(5, 0)], ids=["table", "network"]
)
def test_autograd_through_the_multilinear_extension(function, preset):
    parametrization = PRESETS[preset]()
    logits = parametrization.logits(THETA).requires_grad_()
    extension = tabulate(function)
    mean = extension(parametrization.probabilities(logits)[None])[0]
    (expected,) = torch.autograd.grad(mean, logits)
    got = exact(function, logits, parametrization=parametrization)
    torch.testing.assert_close(got.gradient, expected, rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(got.costs, function(next(enumerate_points(5)).double()))


def test_many_chunks_of_points():
    d = 18
    weights = torch.linspace(-1, 2, d, dtype=torch.float64)
    function = BlackBoxFunction(lambda Z: Z @ weights.to(Z), d)
    logits = torch.linspace(-3, 3, d, dtype=torch.float64)
    theta = torch.sigmoid(logits)
    got = exact(function, logits)
    torch.testing.assert_close(got.gradient, weights * theta * (1 - theta))
    assert got.costs.shape == (2**d,)


def test_too_many_variables():
    with pytest.raises(ValueError, match="n_variables=21 is too large"):
        exact(lambda Z: Z.sum(1), torch.zeros(21))
