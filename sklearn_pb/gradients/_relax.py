"""RELAX: a relaxed cost plus a small network as control variate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..utils import RandomStream, check_number
from ._base import Costs
from ._control_variate import LearnedEstimator
from ._rebar import ScaledRelaxation
from ._slopes import relaxed_costs


@dataclass(frozen=True)
class Relax(LearnedEstimator):
    """RELAX: unbiased, with J(sigma(h / tau)) plus a network as control variate.

    Parameters
    ----------
    temperature : float, default=exp(0.5)
        tau, or its start where it is learned.
    hidden : int, default=10
        Width of the network's one hidden layer of tanh.
    network_learning_rate : float, default=0.01
        Learning rate of the network (Adam).
    weight_decay : float, default=1e-3
        Weight decay of the network.
    learn_temperature : bool, default=True
        Whether a run learns the temperature, for which J must be differentiable twice.

    Notes
    -----
    Grathwohl et al. (2018), section 3.3; Silva (2023), chapter 5 and section B.1.2,
    whose settings are the defaults but for the learning rate of the network, which is
    1 there. The network ends in a layer of zeros, so that a run starts as REBAR does
    with scale 1. A sample costs two evaluations, one of them with its slope.

    Examples
    --------
    >>> from sklearn_pb.gradients import Relax
    >>> run = Relax(hidden=5).start(n_variables=3)
    >>> tuple(run.control_variate.inner.shape)
    (5, 3)
    """

    temperature: float = math.exp(0.5)
    hidden: int = 10
    network_learning_rate: float = 0.01
    weight_decay: float = 1e-3
    learn_temperature: bool = True

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        check_number(self.temperature, "temperature", low=0, low_open=True)
        check_number(self.hidden, "hidden", low=1, integer=True)
        check_number(
            self.network_learning_rate, "network_learning_rate", low=0, low_open=True
        )
        check_number(self.weight_decay, "weight_decay", low=0)

    def control_variate(
        self, n_variables: int, stream: RandomStream
    ) -> RelaxationWithNetwork:
        """Return the control variate at its start."""
        return RelaxationWithNetwork(self, n_variables, stream)


class RelaxationWithNetwork(ScaledRelaxation):
    """c(h) = J(q) + network(2 q - 1), with q = sigma(h / temperature).

    Parameters
    ----------
    settings : Relax
        Temperature, width and learning rates.
    n_variables : int
        The number d of inputs of the network.
    stream : RandomStream
        Where the weights of the hidden layer are drawn from.
    """

    def __init__(self, settings: Relax, n_variables: int, stream: RandomStream) -> None:
        super().__init__(settings.temperature, 1.0, settings.learn_temperature)
        self.scale.requires_grad_(False)
        weights = torch.randn(
            settings.hidden, n_variables, generator=stream.torch_generator()
        )
        self.inner = nn.Parameter(weights / n_variables**0.5)
        self.bias = nn.Parameter(torch.zeros(settings.hidden))
        self.outer = nn.Parameter(torch.zeros(settings.hidden))
        self._options = {
            "lr": settings.network_learning_rate,
            "weight_decay": settings.weight_decay,
        }

    def forward(self, function: Costs, latent: torch.Tensor) -> torch.Tensor:
        """Return c for each row."""
        relaxed = torch.sigmoid(latent * (-self.log_temperature).exp())
        hidden = torch.tanh((2 * relaxed - 1) @ self.inner.T + self.bias)
        return relaxed_costs(function, relaxed) + hidden @ self.outer

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters that are learned, with options of Adam."""
        network = {"params": [self.inner, self.bias, self.outer], **self._options}
        return [*super().groups(learning_rate), network]


relax = Relax()
