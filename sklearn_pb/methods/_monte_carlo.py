"""Monte-Carlo methods: Bernoulli masks, gradients from costs of sampled masks."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..distributions import PRESETS, Independent, Parametrization
from ..gradients import ESTIMATORS, GradientEstimate
from ..utils import check_choice, check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import LogitSearch

_ESTIMATE, _FORWARD = 0, 1  # addresses below a step's stream


class MonteCarlo(Method):
    """Follow an estimate of the gradient of E[J(z)], z Bernoulli.

    Parameters
    ----------
    gradient : str or callable, default="loorf"
        The gradient estimator: "loorf", "arms", "reinforce", "exact" or a function
        with the signature of `sklearn_pb.gradients.loorf`.
    n_samples : int, default=10
        Evaluations a step.
    parametrization : str or Parametrization, default="sigmoid"
        "sigmoid", "direct", "cosine", "escort" or an object of
        `sklearn_pb.distributions`.
    initial_probability : float, default=0.5
        Probability of a one at the start.
    learning_rate : float, default=0.1
        Size of a step of the logits (RMSprop).
    smoothing : float, default=0.9
        Memory of RMSprop, in [0, 1).

    Notes
    -----
    Silva (2023), chapter 4. Only values of J are used, so J need not be
    differentiable.

    Examples
    --------
    >>> from sklearn_pb.methods import MonteCarlo
    >>> MonteCarlo(gradient="arms", n_samples=4)
    MonteCarlo(gradient='arms', n_samples=4)
    """

    def __init__(
        self,
        *,
        gradient: str | Callable[..., GradientEstimate] = "loorf",
        n_samples: int = 10,
        parametrization: str | Parametrization = "sigmoid",
        initial_probability: float = 0.5,
        learning_rate: float = 0.1,
        smoothing: float = 0.9,
    ) -> None:
        self.gradient = gradient
        self.n_samples = n_samples
        self.parametrization = parametrization
        self.initial_probability = initial_probability
        self.learning_rate = learning_rate
        self.smoothing = smoothing

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        if not callable(self.gradient):
            check_choice(self.gradient, "gradient", ESTIMATORS)
        lowest = 2 if self.gradient in ("loorf", "arms") else 1
        check_number(self.n_samples, "n_samples", low=lowest, integer=True)
        if not isinstance(self.parametrization, Parametrization):
            check_choice(self.parametrization, "parametrization", PRESETS)
        check_number(
            self.initial_probability,
            "initial_probability",
            low=0,
            high=1,
            low_open=True,
            high_open=True,
        )
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)

    def start(self, space: SearchSpace) -> MonteCarloSearch:
        """Begin a search."""
        return MonteCarloSearch(space, self)


class MonteCarloSearch(LogitSearch):
    """A run of `MonteCarlo`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : MonteCarlo
        The hyperparameters.
    """

    def __init__(self, space: SearchSpace, method: MonteCarlo) -> None:
        parametrization = method.parametrization
        if not isinstance(parametrization, Parametrization):
            parametrization = PRESETS[parametrization]()
        super().__init__(
            space,
            parametrization,
            method.initial_probability,
            method.learning_rate,
            method.smoothing,
        )
        gradient = method.gradient
        self._estimator = gradient if callable(gradient) else ESTIMATORS[gradient]
        self._n_samples = method.n_samples

    def mask(self) -> torch.Tensor:
        """Return a sample that the gradient estimate does not use."""
        stream = self.space.stream.child(self.step, _FORWARD)
        return Independent(self.probabilities(), 1, stream).draw(range(1))[0]

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert function is not None
        gradient = self._estimator(
            function,
            self.logits,
            self.space.stream.child(self.step, _ESTIMATE),
            n_samples=self._n_samples,
            parametrization=self.parametrization,
        ).gradient
        if not self.penalties:
            return gradient
        slack = self.parametrization.derivative(self.logits)
        size = slack.abs().mean().clamp(min=1e-30)
        per_variable = (-1, self.space.n_variables)  # pairs of logits count once
        price = self._price(lambda: (gradient.abs() / size).view(per_variable).mean(0))
        return gradient.add_(slack.mul_(price))
