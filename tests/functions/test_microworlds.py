import numpy as np
import pytest
import torch
from scipy import stats

from sklearn_pb.functions import ExponentialTabularLoss, NNLoss, tabulate


@pytest.mark.parametrize("d", [1, 4, 10])
def test_exponential_costs_span_minus_one_to_one(d):
    values = ExponentialTabularLoss(d, random_state=0).values
    assert len(values) == 2**d
    assert values.min() == -1.0
    assert values.max() == 1.0


def test_exponential_costs_are_exponential():
    values = ExponentialTabularLoss(14, random_state=0).values.numpy()
    above = 1.0 - values
    assert stats.kstest(above / above.mean(), "expon").pvalue > 0.01
    assert np.median(values) > 0.7  # most points are bad


def test_network_statistics_hold_on_fresh_uniform_points():
    generator = torch.Generator().manual_seed(99)
    points = torch.rand(20_000, 10, generator=generator, dtype=torch.float64)
    costs = NNLoss(10, random_state=0)(points)
    assert abs(costs.mean().item()) < 0.1
    assert costs.std().item() == pytest.approx(1.0, abs=0.1)


def test_network_is_the_one_of_torch_modules():
    J = NNLoss(6, random_state=1)
    layers = [module for k in range(10) for module in torch_block(J, k)]
    network = torch.nn.Sequential(*layers).eval().double()
    Z = torch.rand(5, 6, dtype=torch.float64)
    torch.testing.assert_close(J(Z), network(2 * Z - 1)[:, 0])


def torch_block(J, k):
    """Layer k as a linear map with weights +-1, batch norm and LeakyReLU."""
    weight, bias = J._layers[f"weight_{k}"], J._layers[f"bias_{k}"]
    scale = weight.abs()
    assert torch.allclose(scale, scale[:, :1].expand_as(scale))
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = weight.sign()
    norm = torch.nn.BatchNorm1d(len(bias), affine=False)
    norm.running_var = scale[:, 0] ** -2 - norm.eps
    norm.running_mean = -bias / scale[:, 0]
    return [linear, norm] + ([torch.nn.LeakyReLU()] if k < 9 else [])


def test_network_gradient():
    J = NNLoss(5, random_state=0)
    Z = torch.rand(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(J, Z)


def test_network_has_local_minima_to_get_stuck_in():
    values = tabulate(NNLoss(10, random_state=0)).values
    numbers = torch.arange(1024)
    is_minimum = torch.ones(1024, dtype=torch.bool)
    for i in range(10):
        is_minimum &= values <= values[numbers ^ (1 << i)]
    assert is_minimum.sum() > 1


@pytest.mark.parametrize("world", [ExponentialTabularLoss, NNLoss])
def test_the_seed_decides_and_global_state_does_not(world):
    state = torch.get_rng_state()
    first, again = world(5, random_state=3), world(5, random_state=3)
    other = world(5, random_state=4)
    assert torch.equal(tabulate(first).values, tabulate(again).values)
    assert not torch.equal(tabulate(first).values, tabulate(other).values)
    assert torch.equal(torch.get_rng_state(), state)
    world(5, random_state=np.random.RandomState(0))
    world(5)


@pytest.mark.parametrize("world", [ExponentialTabularLoss, NNLoss])
def test_the_number_of_variables_is_checked(world):
    with pytest.raises(ValueError, match="n_variables"):
        world(0)


def test_a_table_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="between 1 and 26, got 40"):
        ExponentialTabularLoss(40)
