import pytest
import torch
from laboratory.approaches import ContinuationPath, Sampling

from sklearn_pb.distributions import Sigmoid
from sklearn_pb.functions import NNLoss
from sklearn_pb.gradients import loorf
from sklearn_pb.utils import RandomStream

J = NNLoss(5, random_state=0)


def sampling(name, n_samples=3):
    return Sampling(
        name,
        torch.zeros(5),
        parametrization=Sigmoid(),
        n_samples=n_samples,
        learning_rate=0.1,
        stream=RandomStream(2),
    )


def test_sampling_is_the_estimator_of_the_library():
    logits = torch.linspace(-1, 1, 5)
    found = sampling("loorf").gradient(J, logits, 7)
    expected = loorf(J, logits, RandomStream(2).child(0).child(7), n_samples=3)
    assert torch.equal(found, expected.gradient)


@pytest.mark.parametrize("name", ["rebar", "relax"])
def test_learned_estimators_learn(name):
    approach, logits = sampling(name), torch.linspace(-1, 1, 5)
    first = approach.gradient(J, logits, 0)
    assert not torch.equal(first, approach.gradient(J, logits, 0))


def test_continuation_is_the_slope_of_the_soft_cost():
    path, x = ContinuationPath(1000), torch.tensor([[0.3, -0.1, 0.0, 0.5, -0.4]])
    x = x.double()
    sharpness, h = path.sharpness(450), 1e-6
    for i in range(5):
        step = torch.zeros_like(x)
        step[0, i] = h
        up, down = (J(torch.sigmoid(sharpness * (x + s * step)))[0] for s in (1, -1))
        slope = path.gradient(J, x, 450)[0, i]
        assert slope.item() == pytest.approx(((up - down) / (2 * h)).item(), rel=1e-4)


def test_stages_of_the_temperature():
    path = ContinuationPath(2000)
    seen = [path.sharpness(step) for step in range(2000)]
    assert seen[0] == seen[99] == 1.0
    assert seen[100] == pytest.approx(200 ** (1 / 19))
    assert seen[1899] < seen[1900] == seen[-1] == pytest.approx(200.0)
    assert len(set(seen)) == 20
