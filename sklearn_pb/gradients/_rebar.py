"""REBAR: the cost of a relaxed sample as control variate, scaled by a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..utils import RandomStream, check_number
from ._base import Costs
from ._control_variate import ControlVariate, LearnedEstimator
from ._slopes import relaxed_costs

FARTHEST = 4.0  # log temperatures are kept within +-4


@dataclass(frozen=True)
class Rebar(LearnedEstimator):
    """REBAR: unbiased, with eta J(sigma(h / tau)) as control variate.

    Parameters
    ----------
    temperature : float, default=exp(0.5)
        tau, or its start where it is learned.
    scale : float, default=1.0
        eta, or its start where it is learned.
    learn_temperature : bool, default=True
        Whether a run learns the temperature, for which J must be differentiable twice.
        False learns the scale only.

    Notes
    -----
    Tucker et al. (2017), equation (5); Silva (2023), chapter 5 and section B.1.2,
    whose settings are the defaults: Adam, with the learning rate of the logits. A
    sample costs two evaluations, one of them with its slope, because both relaxed
    samples of the source coincide when their noise is coupled.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.gradients import Rebar
    >>> from sklearn_pb.utils import RandomStream
    >>> run = Rebar(temperature=1.0).start(n_variables=2)
    >>> step = run(lambda Z: (Z[:, 0] - Z[:, 1]) ** 2, torch.zeros(2), RandomStream(0))
    >>> run.control_variate.scale != 1.0
    tensor(True)
    """

    temperature: float = math.exp(0.5)
    scale: float = 1.0
    learn_temperature: bool = True

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        check_number(self.temperature, "temperature", low=0, low_open=True)
        check_number(self.scale, "scale")

    def control_variate(
        self, n_variables: int, stream: RandomStream
    ) -> ScaledRelaxation:
        """Return the control variate at its start."""
        return ScaledRelaxation(self.temperature, self.scale, self.learn_temperature)


class ScaledRelaxation(ControlVariate):
    """c(h) = scale * J(sigma(h / temperature)).

    Parameters
    ----------
    temperature : float
        Start of the temperature.
    scale : float
        Start of the scale.
    learn_temperature : bool
        Whether the temperature changes.
    """

    def __init__(
        self, temperature: float, scale: float, learn_temperature: bool
    ) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(temperature)), requires_grad=learn_temperature
        )
        self.scale = nn.Parameter(torch.tensor(float(scale)))

    def forward(self, function: Costs, latent: torch.Tensor) -> torch.Tensor:
        """Return c for each row."""
        relaxed = torch.sigmoid(latent * (-self.log_temperature).exp())
        return self.scale * relaxed_costs(function, relaxed)

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the parameters that are learned, with options of Adam."""
        own = (self.log_temperature, self.scale)
        return [{"params": [p for p in own if p.requires_grad]}]

    def constrain_(self) -> None:
        """Keep the temperature in a range where nothing overflows."""
        with torch.no_grad():
            self.log_temperature.clamp_(-FARTHEST, FARTHEST)


rebar = Rebar()
