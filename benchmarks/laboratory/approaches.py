"""How the logits of one run are moved: gradient estimators, and the continuation path.

An approach is asked for a gradient at every step, and says from which probabilities
masks are drawn when it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from sklearn_pb.distributions import Parametrization
from sklearn_pb.gradients import (
    ESTIMATORS,
    LearnedEstimator,
    Relax,
    straight_through,
)
from sklearn_pb.schedules import ExponentialSharpness, Staircase
from sklearn_pb.utils import RandomStream

Costs = Callable[[torch.Tensor], torch.Tensor]
STAGE = 100  # iterations at one temperature
COLDEST = 200.0  # 1 / the last temperature


class Sampling:
    """A Monte Carlo gradient estimator, with its own learning where it has some.

    Parameters
    ----------
    name : str
        A key of `NAMED` or of `sklearn_pb.gradients.ESTIMATORS`.
    logits : torch.Tensor
        Where the run starts.
    parametrization : Parametrization
        The map from logits to probabilities.
    n_samples : int
        Samples a step.
    learning_rate : float
        That of the logits; REBAR and RELAX learn with it as well.
    stream : RandomStream
        The address of the run's draws.
    """

    def __init__(
        self,
        name: str,
        logits: torch.Tensor,
        *,
        parametrization: Parametrization,
        n_samples: int,
        learning_rate: float,
        stream: RandomStream,
    ) -> None:
        estimator = NAMED[name] if name in NAMED else ESTIMATORS[name]
        if isinstance(estimator, LearnedEstimator):
            estimator = estimator.start(
                logits.shape[-1],
                stream.child(1),
                learning_rate=learning_rate,
                dtype=logits.dtype,
            )
        self._estimator = estimator
        self._options = {"n_samples": n_samples, "parametrization": parametrization}
        self._stream = stream.child(0)

    def gradient(
        self, function: Costs, logits: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Return the estimate of one step."""
        stream = self._stream.child(step)
        return self._estimator(function, logits, stream, **self._options).gradient


class ContinuationPath:
    """CP: the slope of J(sigma(x / tau)), tau falling from 1 to 1/200 in stages.

    Parameters
    ----------
    steps : int
        Length of the run.

    Notes
    -----
    Silva (2023), section B.1.2: exponential, updated every 100 iterations.
    """

    def __init__(self, steps: int) -> None:
        stages = max(1, steps // STAGE)
        self._sharpness = Staircase(ExponentialSharpness(COLDEST), stages)
        self._steps = steps

    def sharpness(self, step: int) -> float:
        """Return 1 / tau at a step."""
        return self._sharpness((step + 0.5) / self._steps)

    def gradient(
        self, function: Costs, logits: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Return the slope at the temperature of the step."""
        with torch.enable_grad():
            x = logits.detach().requires_grad_()
            soft = torch.sigmoid(self.sharpness(step) * x)
            rows = soft if soft.ndim == 2 else soft[None]
            (slope,) = torch.autograd.grad(function(rows).sum(), x)
        return slope


# The network of RELAX learns with rate 1 in the source; our default is 0.01.
NAMED: Mapping[str, Callable] = {
    "st": straight_through,
    "relax": Relax(network_learning_rate=1.0),
    "relax-slow": Relax(),
}
