"""Misspelt parameters of a net are found, and what is right passes."""

import functools

import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping, EpochScoring
from torch import nn

from sklearn_pb.training import build_net, check_estimator_parameter, initialize_net
from sklearn_pb.utils import RandomStream


def net(module=nn.Linear, **options):
    sizes = {"module__in_features": 4, "module__out_features": 3}
    return NeuralNetClassifier(module, **{**sizes, **options})


def said(value):
    return value if isinstance(value, str) else ""


def any_loader(dataset, **options):
    return torch.utils.data.DataLoader(dataset, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"callbacks__x__y": 1}, r"callbacks__x__y=1, but the net has no callback 'x'"),
        ({"callbacks__valid_ac": None}, "'valid_ac'; there are: .*, valid_acc, "),
        (
            {
                "callbacks": [("stop", EarlyStopping)],
                "callbacks__stop__patienc": 3,
            },
            "callbacks__stop__patienc=3, but EarlyStopping takes no argument",
        ),
        (
            {"optimizer__weight_decy": 0.1},
            r"optimizer__weight_decy=0.1, but SGD takes no .* are: .*weight_decay",
        ),
        ({"criterion__wight": 1}, "criterion__wight=1, but NLLLoss takes no argument"),
        ({"module__in_feats": 4}, "module__in_feats=4, but Linear takes no argument"),
        (
            {"module": nn.Linear(4, 3), "module__in_feats": 4},
            "module__in_feats=4, but Linear takes no argument 'in_feats'",
        ),
        ({"iterator_train__shufle": True}, "iterator_train__shufle=True, but DataLoad"),
        ({"iterator_valid__shufle": True}, "iterator_valid__shufle=True, but DataLoad"),
        ({"dataset__lenth": 3}, "dataset__lenth=3, but Dataset takes no argument"),
    ],
    ids=said,
)
def test_what_is_misspelt_is_named(options, message):
    with pytest.raises(TypeError, match=message):
        check_estimator_parameter(net(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks__valid_acc": None, "callbacks__print_log__sink": print},
        {"callbacks": "disable"},
        {"callbacks": [EarlyStopping, EpochScoring("accuracy", name="own")]},
        {
            "callbacks": [("stop", EarlyStopping)],
            "callbacks__stop__patience": 3,
        },
        {"optimizer__param_groups": [("weight", {"lr": 0.1})]},
        {"optimizer": functools.partial(torch.optim.Adam, eps=1), "optimizer__lr": 1},
        {"iterator_train": any_loader, "iterator_train__shufle": True},
        {"compile": False, "compile__anything": 1},
        {"module": nn.Linear(4, 3)},
    ],
    ids=", ".join,
)
def test_what_is_right_passes(options):
    given = net(**options)
    check_estimator_parameter(given)
    if "iterator_train" not in options:
        check_estimator_parameter(given.initialize())


def test_rows_that_the_network_does_not_take():
    found = build_net(net(), n_inputs=3, n_outputs=3, device="auto")
    with pytest.raises(
        ValueError, match=r"Linear fails on X\[:2\], of shape \(2, 3\) an"
    ) as raised:
        initialize_net(found, torch.zeros(5, 3), RandomStream(0))
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert "2x3 and 4x3" in str(raised.value)  # torch's own words
