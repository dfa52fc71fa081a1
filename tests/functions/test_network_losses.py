import numpy as np
import pytest
import torch
from sklearn.metrics import (
    hinge_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    zero_one_loss,
)

from sklearn_pb.functions._network_losses import NETWORK_LOSSES


def outputs_and_codes(n_classes, n=3, m=40):
    generator = torch.Generator().manual_seed(n_classes)
    units = 1 if n_classes == 2 else n_classes
    shape = (n, units, m)
    outputs = torch.randn(shape, generator=generator, dtype=torch.float64)
    return outputs, torch.randint(n_classes, (m,), generator=generator)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_classification_losses_are_those_of_scikit_learn(n_classes):
    outputs, codes = outputs_and_codes(n_classes)
    labels = range(n_classes)
    got = {
        name: NETWORK_LOSSES[name].mean(outputs, codes)
        for name in ("log_loss", "hinge", "zero_one")
    }
    for row, scores in enumerate(outputs.numpy()):
        if n_classes == 2:
            share = 1 / (1 + np.exp(-scores[0]))
            decision, predicted = scores[0], scores[0] > 0
            probabilities = np.stack([1 - share, share], 1)
        else:
            decision, predicted = scores.T, scores.argmax(0)
            probabilities = torch.from_numpy(scores).softmax(0).T.numpy()
        expected = {
            "log_loss": log_loss(codes, probabilities, labels=labels),
            "hinge": hinge_loss(codes, decision, labels=labels),
            "zero_one": zero_one_loss(codes, predicted),
        }
        for name, value in expected.items():
            assert got[name][row].item() == pytest.approx(value), name


def test_regression_losses_are_those_of_scikit_learn():
    outputs, _ = outputs_and_codes(2)
    y = torch.linspace(-1, 1, outputs.shape[2], dtype=torch.float64)
    squared = NETWORK_LOSSES["squared_error"].mean(outputs, y)
    absolute = NETWORK_LOSSES["absolute_error"].mean(outputs, y)
    for row, predicted in enumerate(outputs[:, 0]):
        assert squared[row].item() == pytest.approx(mean_squared_error(y, predicted))
        assert absolute[row].item() == pytest.approx(mean_absolute_error(y, predicted))


def test_losses_say_whether_they_can_be_descended():
    for loss in NETWORK_LOSSES.values():
        outputs = torch.randn(2, 1, 9, requires_grad=True)
        assert loss.mean(outputs, torch.arange(9) % 2).requires_grad is (
            loss.differentiable
        )
