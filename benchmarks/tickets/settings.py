"""How each network is trained, and how long tickets are searched for in it.

The settings of the large networks are those of Savarese (2025), section 4.3.3; that of
the small one is ours.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from contests import fresh_net
from networks import Augmented
from skorch import NeuralNetClassifier
from skorch.callbacks import LRScheduler
from torch import nn

from sklearn_pb.tickets import (
    Continuous,
    IterativeMagnitude,
    RandomPruning,
    Sequential,
    Stochastic,
    TicketSearch,
)


@dataclass(frozen=True)
class Setting:
    """Training and search in one network.

    Parameters
    ----------
    epochs : int
        Of each round, and of retraining.
    rounds, few_rounds : int
        Rounds of searches that remove a share in each, and of continuous ones.
    prune_rate : float
        That share.
    s_init : sequence of float
        Where continuous searches start, one run each.
    rewind_epoch : int
        The epoch whose weights tickets start from.
    batch_size : int
        Rows in a batch.
    net : dict
        Further parameters of the skorch net.
    include : class, default=None
        Layers that are pruned.
    decays : bool, default=False
        Whether the learning rate falls to a tenth after 56 and 71 of 85 epochs.
    augmented : bool, default=False
        Whether images are shifted and flipped.
    """

    epochs: int
    rounds: int
    few_rounds: int
    prune_rate: float
    s_init: Sequence[float]
    rewind_epoch: int = 0
    batch_size: int = 128
    net: dict[str, Any] = field(default_factory=dict)
    include: type[nn.Module] | None = None
    decays: bool = False
    augmented: bool = False

    def make_net(self, options: argparse.Namespace) -> NeuralNetClassifier:
        """Return a net that is not yet trained."""
        net = fresh_net(options, options.epochs).set_params(**self.net)
        if self.decays:
            milestones = [options.epochs * part // 85 for part in (56, 71)]
            schedule = torch.optim.lr_scheduler.MultiStepLR
            decay = LRScheduler(schedule, milestones=milestones, gamma=0.1)
            net.set_params(callbacks=[("decay", decay)])
        if self.augmented:
            net.set_params(module=Augmented, module__network=net.module)
        return net


def _numbers(low: float, high: float, n: int) -> tuple[float, ...]:
    return tuple(float(x) for x in np.linspace(low, high, n).round(3))


_SGD: dict[str, Any] = {
    "optimizer": torch.optim.SGD,
    "lr": 0.1,
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 1e-4,
}
_RESIDUAL = {
    "epochs": 85,
    "rounds": 30,
    "few_rounds": 5,
    "prune_rate": 0.2,
    "s_init": _numbers(-0.3, 0.3, 11),
    "rewind_epoch": 2,
    "net": _SGD,
    "include": nn.Conv2d,
    "decays": True,
    "augmented": True,
}
SETTINGS = {
    "strided-conv": Setting(5, 8, 3, 0.35, _numbers(-0.2, 0.4, 4)),
    "conv-6": Setting(
        40, 30, 4, 0.2, _numbers(-0.2, 0.1, 16), batch_size=60, net={"lr": 3e-4}
    ),
    "resnet-20": Setting(**_RESIDUAL),
    "vgg-16": Setting(**_RESIDUAL, batch_size=64),
}

CONTROLS = ("fresh", "reshuffled")


@dataclass(frozen=True)
class Contender:
    """A search with what the finder needs beside it.

    Parameters
    ----------
    search : callable
        Makes the search from the values of `s_init`.
    few_rounds : bool, default=False
        Whether few rounds are enough.
    prune_rate : float, default=None
        None takes that of the network.
    controls : tuple of str, default=()
        What is retrained beside each ticket.
    """

    search: Callable[[Sequence[float]], TicketSearch]
    few_rounds: bool = False
    prune_rate: float | None = None
    controls: tuple[str, ...] = ()


def _continuous(s_init: Sequence[float]) -> TicketSearch:
    return Continuous(s_init=tuple(s_init))


def _continuous_rewound(s_init: Sequence[float]) -> TicketSearch:
    return Continuous(s_init=tuple(s_init), rewinds=True)


def _magnitude(s_init: Sequence[float]) -> TicketSearch:
    return IterativeMagnitude()


def _magnitude_continued(s_init: Sequence[float]) -> TicketSearch:
    return IterativeMagnitude(rewinds=False)


def _stochastic(s_init: Sequence[float]) -> TicketSearch:
    return Stochastic(s_init=1.0)


def _sequential(s_init: Sequence[float]) -> TicketSearch:
    return Sequential()


def _random(s_init: Sequence[float]) -> TicketSearch:
    return RandomPruning()


CONTENDERS = {
    "imp": Contender(_magnitude, controls=CONTROLS),
    "imp-continued": Contender(_magnitude_continued),
    "continuous": Contender(_continuous, few_rounds=True, controls=CONTROLS),
    "continuous-rewound": Contender(_continuous_rewound, few_rounds=True),
    "stochastic": Contender(_stochastic),
    "sequential": Contender(_sequential),
    "random": Contender(_random),
    **{
        f"imp-{rate}": Contender(_magnitude, prune_rate=rate / 100)
        for rate in (20, 40, 60)
    },
}
EXPERIMENTS = {
    "table_4_2": (
        *("imp", "imp-continued", "continuous"),
        *("sequential", "stochastic", "random"),
    ),
    "figure_4_8": ("imp-20", "imp-40", "imp-60"),
    "figure_4_11": ("imp", "stochastic", "continuous-rewound"),
    "figure_4_13": ("imp", "sequential"),
}
