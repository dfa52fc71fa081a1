import math

import pytest
import torch

from sklearn_pb.distributions import PRESETS
from sklearn_pb.functions import NNLoss, TabularFunction, tabulate
from sklearn_pb.inspection import true_gradient_trajectory


def test_one_bit_by_hand():
    path = true_gradient_trajectory(TabularFunction([0.0, 2.0]), 3, 0.5)
    logit, seen = 0.0, []
    for _ in range(4):
        theta = 1 / (1 + math.exp(-logit))
        seen.append((logit, 2 * theta))
        logit -= 0.5 * 2 * theta * (1 - theta)
    expected = torch.tensor(seen, dtype=torch.float64)
    torch.testing.assert_close(path.logits[:, 0], expected[:, 0])
    torch.testing.assert_close(path.costs, expected[:, 1])


@pytest.mark.parametrize("preset", PRESETS)
def test_autograd_makes_the_same_path(preset):
    parametrization, J = PRESETS[preset](), NNLoss(4, random_state=0)
    path = true_gradient_trajectory(J, 20, 0.05, parametrization=parametrization)
    table = tabulate(J)
    logits = parametrization.logits(torch.full((4,), 0.5, dtype=torch.float64))
    for step in range(21):
        torch.testing.assert_close(path.logits[step], logits)
        logits = logits.requires_grad_()
        cost = table(parametrization.probabilities(logits)[None])[0]
        assert float(path.costs[step]) == pytest.approx(cost.item())
        (gradient,) = torch.autograd.grad(cost, logits)
        logits = logits.detach() - 0.05 * gradient
        parametrization.constrain_(logits)
    assert path.costs[-1] < path.costs[0]


def test_entropy_and_start():
    start = torch.tensor([0.0, 100.0])
    path = true_gradient_trajectory(TabularFunction([0.0] * 4), 1, logits=start)
    torch.testing.assert_close(path.entropy, torch.full((2,), math.log(2)).double())
    assert torch.equal(start, torch.tensor([0.0, 100.0]))
    middle = true_gradient_trajectory(TabularFunction([0.0] * 8), 1)
    assert float(middle.entropy[0]) == pytest.approx(3 * math.log(2))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_steps": 0}, "n_steps=0 must be"),
        ({"learning_rate": 0.0}, r"learning_rate=0.0 must be"),
        ({"function": NNLoss(17, random_state=0)}, "n_variables=17"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        true_gradient_trajectory(**{"function": TabularFunction([0.0, 1.0])} | options)
