"""Monte-Carlo methods: Bernoulli masks, gradients from costs of sampled masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..distributions import PRESETS, Independent, Parametrization
from ..gradients import (
    ESTIMATORS,
    EstimatorRun,
    GradientEstimate,
    LearnedEstimator,
    Traits,
    traits_of,
)
from ..utils import check_choice, check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import LogitSearch

_ESTIMATE, _FORWARD, _LEARNED = 0, 1, 2  # addresses below a step's stream


class MonteCarlo(Method):
    """Follow an estimate of the gradient of E[J(z)], z Bernoulli.

    Parameters
    ----------
    gradient : str or callable, default="loorf"
        The gradient estimator: a name of `sklearn_pb.gradients.ESTIMATORS`, or a
        callable with the signature of `sklearn_pb.gradients.loorf`, such as
        ``Rebar(temperature=0.5)``.
    n_samples : int, default=10
        Samples a step. Most estimators evaluate each of them once; see theirs.
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
    Silva (2023), chapters 4 and 5. Most estimators use values of J only; it has to be
    differentiable for those that declare it (`needs_relaxable`). One that learns a
    control variate, as REBAR, does so over the whole search.

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
        if not isinstance(self.parametrization, Parametrization):
            check_choice(self.parametrization, "parametrization", PRESETS)
        estimator = self._estimator()
        self._check_traits(traits_of(estimator))
        if hasattr(estimator, "check"):  # one with settings of its own
            estimator.check()
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

    def _check_traits(self, traits: Traits) -> None:
        lowest = traits.fewest_samples
        check_number(self.n_samples, "n_samples", low=lowest, integer=True)
        if traits.even_samples and self.n_samples % 2:
            raise ValueError(
                f"n_samples={self.n_samples!r} must be even with "
                f"gradient={self.gradient!r}, which draws samples in pairs."
            )
        allowed = traits.parametrizations
        if allowed is not None and _name(self.parametrization) not in allowed:
            raise ValueError(
                f"parametrization={self.parametrization!r} does not go with "
                f"gradient={self.gradient!r}; it must be one of {', '.join(allowed)}."
            )

    def _estimator(self) -> Callable[..., GradientEstimate]:
        return self.gradient if callable(self.gradient) else ESTIMATORS[self.gradient]

    @property
    def needs_relaxable(self) -> bool:  # type: ignore[override]
        """Whether the gradient needs a cost that is differentiable on [0, 1]^d."""
        known = callable(self.gradient) or self.gradient in ESTIMATORS
        return known and traits_of(self._estimator()).needs_relaxable

    @property
    def fits_networks(self) -> bool:  # type: ignore[override]
        """Whether the gradient needs values at binary masks only, and not all 2^d."""
        return not self.needs_relaxable and self._most_variables() is None

    def _most_variables(self) -> int | None:
        return traits_of(self._estimator()).most_variables

    def start(self, space: SearchSpace) -> MonteCarloSearch:
        """Begin a search."""
        most = self._most_variables()
        if most is not None and space.n_variables > most:
            raise ValueError(
                f"n_variables={space.n_variables} is too large for "
                f"gradient={self.gradient!r}; it must be at most {most}."
            )
        return MonteCarloSearch(space, self)


def _name(parametrization: str | Parametrization) -> str | None:
    """The name of a parametrization among the presets, if it has one."""
    if isinstance(parametrization, str):
        return parametrization
    names = (name for name, kind in PRESETS.items() if kind is type(parametrization))
    return next(names, None)


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
        self._estimator = method._estimator()
        if isinstance(self._estimator, LearnedEstimator):
            self._estimator = self._estimator.start(
                space.n_variables,
                space.stream.child(0, _LEARNED),
                learning_rate=method.learning_rate,
                device=space.device,
                dtype=space.dtype,
            )
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
        if self.space.constraint is None:
            return gradient
        slack = self.parametrization.derivative(self.logits)
        size = slack.abs().mean().clamp(min=1e-30)
        per_variable = (-1, self.space.n_variables)  # pairs of logits count once
        price = self._price(lambda: (gradient.abs() / size).view(per_variable).mean(0))
        return gradient.add_(slack.mul_(price))

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with what the estimator has learned if it learns."""
        state = super().state_dict()
        if isinstance(self._estimator, EstimatorRun):
            state["estimator"] = self._estimator.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        if isinstance(self._estimator, EstimatorRun):
            self._estimator.load_state_dict(state["estimator"])
