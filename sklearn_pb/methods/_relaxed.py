"""Relaxed masks: one Concrete or hard concrete sample a step, and its slope."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from ..distributions import (
    PRESETS,
    Concrete,
    Direct,
    HardConcrete,
    Parametrization,
    Relaxation,
    Sigmoid,
)
from ..utils import RandomStream, check_choice, check_number
from ._base import Function, Method, SearchSpace
from ._logit_search import LogitSearch
from ._shared_scale import SharedScale

RELAXATIONS: dict[str, type[Relaxation]] = {
    "concrete": Concrete,
    "hard-concrete": HardConcrete,
}

_NEAREST = 0.1  # distance from 0 and 1 up to which 1 / (theta (1 - theta)) grows


class Relaxed(Method):
    """Train with relaxed Bernoulli masks; the slope reaches the logits through them.

    Parameters
    ----------
    relaxation : str or Relaxation, default="concrete"
        "concrete", "hard-concrete" or an object of `sklearn_pb.distributions`.
    temperature : float, callable or None, default=None
        Temperature of the relaxation: a number, or a schedule that maps the progress
        in [0, 1] to one, such as ``LinearTemperature(1.0, 0.03)`` of
        `sklearn_pb.schedules`. None takes that of the relaxation, 2/3 by default.
    parametrization : str or Parametrization, default="sigmoid"
        "sigmoid", "direct", "cosine", "escort" or an object of
        `sklearn_pb.distributions`.
    initial_probability : float, default=0.5
        Probability of a one at the start, in (0, 1).
    learning_rate : float, default=0.1
        Size of a step of the logits.
    smoothing : float, default=0.9
        Memory of the mean square that steps are divided by, in [0, 1).
    momentum : float, default=0.0
        Memory of the mean of the gradients, in [0, 1). 0 is RMSprop; 0.9 with
        ``smoothing=0.999`` is what Adam usually means.

    shared_scale : bool, default=False
        Whether steps are divided by one root mean square for all logits, so that they
        keep the direction of the gradient. A projection on a budget then weighs the
        slopes of the variables against each other, and not only their signs.
    saturation : float or None, default=8.0
        The logits of the sigmoid are kept where ``|logit| <= saturation``, so that
        they can come back; None lets them go. Other parametrizations have their own
        limits.

    Notes
    -----
    Maddison et al. (2017), Jang et al. (2017): a sample z is a smooth function of
    log(theta / (1 - theta)) plus logistic noise, so that dJ/dtheta at z has a closed
    form. Louizos et al. (2018) for "hard-concrete", whose price of a one is for
    P(z > 0), their equation (12); that of the others is for theta. There is one sample
    a step, as large as the mask: `MonteCarlo` with the gradient "concrete" averages
    several, for functions that are cheap.

    With the direct parametrization a constraint may set theta to 0 or 1, or beyond.
    Samples are drawn for theta clamped to [0, 1] (Oh et al., 2023, appendix C), and are
    certain there, without a slope: what is zero stays zero, but for what momentum and
    the constraint do. The factor 1 / (theta (1 - theta)) of slopes grows no further
    than at 0.1; the few samples that it would raise are mostly noise. Equation (26) of
    the same authors divides the log-odds alone by the temperature, a misprint.

    Examples
    --------
    >>> from sklearn_pb.methods import Relaxed
    >>> from sklearn_pb.schedules import ExponentialTemperature
    >>> Relaxed("hard-concrete", temperature=ExponentialTemperature(1.0, 0.1))
    Relaxed(relaxation='hard-concrete',
            temperature=ExponentialTemperature(initial=1.0, final=0.1))
    """

    needs_relaxable = True

    def __init__(
        self,
        relaxation: str | Relaxation = "concrete",
        *,
        temperature: float | Callable[[float], float] | None = None,
        parametrization: str | Parametrization = "sigmoid",
        initial_probability: float = 0.5,
        learning_rate: float = 0.1,
        smoothing: float = 0.9,
        momentum: float = 0.0,
        shared_scale: bool = False,
        saturation: float | None = 8.0,
    ) -> None:
        self.relaxation = relaxation
        self.temperature = temperature
        self.parametrization = parametrization
        self.initial_probability = initial_probability
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.momentum = momentum
        self.shared_scale = shared_scale
        self.saturation = saturation

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        if not isinstance(self.relaxation, Relaxation):
            check_choice(self.relaxation, "relaxation", RELAXATIONS)
        self._relaxation().check()
        self._check_temperature()
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
        check_number(self.momentum, "momentum", low=0, high=1, high_open=True)
        if not isinstance(self.shared_scale, bool):
            raise TypeError(
                f"shared_scale={self.shared_scale!r} must be True or False."
            )
        if self.saturation is not None:
            check_number(self.saturation, "saturation", low=0, low_open=True)

    def _check_temperature(self) -> None:
        if self.temperature is None:
            return
        if not _has_temperature(self._relaxation()):
            raise ValueError(
                f"temperature={self.temperature!r} must be None with "
                f"relaxation={self.relaxation!r}, which has no temperature."
            )
        if not callable(self.temperature):
            check_number(self.temperature, "temperature", low=0, low_open=True)
            return
        for progress in (0.0, 0.5, 1.0):
            value, name = self.temperature(progress), f"temperature({progress})"
            check_number(value, name, low=0, low_open=True)

    def _relaxation(self) -> Relaxation:
        given = self.relaxation
        return given if isinstance(given, Relaxation) else RELAXATIONS[given]()

    def start(self, space: SearchSpace) -> RelaxedSearch:
        """Begin a search."""
        return RelaxedSearch(space, self)


def _has_temperature(relaxation: Any) -> bool:
    return is_dataclass(relaxation) and "temperature" in {
        field.name for field in fields(relaxation)
    }


class RelaxedSearch(LogitSearch):
    """A run of `Relaxed`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : Relaxed
        The hyperparameters.
    """

    needs_slope = True

    def __init__(self, space: SearchSpace, method: Relaxed) -> None:
        parametrization = method.parametrization
        if not isinstance(parametrization, Parametrization):
            parametrization = PRESETS[parametrization]()
        super().__init__(
            space,
            parametrization,
            method.initial_probability,
            method.learning_rate,
            method.smoothing,
            momentum=method.momentum,
        )
        if method.shared_scale:
            self._optimizer = SharedScale(
                [self.logits], method.learning_rate, method.momentum, method.smoothing
            )
        self._relaxation = method._relaxation()
        self._temperature = method.temperature
        self._saturation = method.saturation
        shape = torch.zeros(space.n_variables, dtype=space.dtype, device=space.device)
        self._odds, self._latent, self._mask = shape, shape.clone(), shape.clone()

    @property
    def relaxation(self) -> Relaxation:
        """What the mask is drawn from at this moment."""
        temperature = self._temperature
        if temperature is None:
            return self._relaxation
        if callable(temperature):
            temperature = temperature(self.progress)
        return replace(self._relaxation, temperature=float(temperature))  # type: ignore[type-var]

    def mask(self) -> torch.Tensor:
        """Return the relaxed sample of this step."""
        _draw_logistic_(self._latent, self.space.stream.child(self.step))
        self._latent.add_(self._measure_odds())
        return self.relaxation.relax_(self._mask.copy_(self._latent))

    def _measure_odds(self) -> torch.Tensor:
        """The log-odds of ones; infinite for what is certain, which has no slope."""
        if isinstance(self.parametrization, Sigmoid):
            return self._odds.copy_(self.logits)
        if isinstance(self.parametrization, Direct):
            return torch.clamp(self.logits, 0, 1, out=self._odds).logit_()
        return self._odds.copy_(self.probabilities()).logit_()

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert slope is not None
        price = self._price(lambda: slope.abs())
        relaxation = self.relaxation
        gradient = relaxation.backward_(slope, self._latent, self._mask)
        if isinstance(price, torch.Tensor) or price != 0:
            kept = self._odds.sub_(relaxation.price_shift).sigmoid_()
            gradient.add_(kept.addcmul_(kept, kept, value=-1).mul_(price))
        return self._pull_back(gradient)

    def _pull_back(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient for the logits of one for the log-odds."""
        if isinstance(self.parametrization, Sigmoid):
            return gradient
        if not isinstance(self.parametrization, Direct):
            return self.parametrization.pull_back(gradient, self.logits)
        theta = torch.clamp(self.logits, _NEAREST, 1 - _NEAREST, out=self._latent)
        return gradient.div_(theta).div_(theta.neg_().add_(1))

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one step on the logits, then keep them where their gradient lives."""
        super().update(function, slope)
        if self._saturation is not None and isinstance(self.parametrization, Sigmoid):
            self.logits.clamp_(-self._saturation, self._saturation)
            self._keep_gone()

    def scores(self) -> torch.Tensor:
        """Return what a one is preferred by, finer than probabilities that saturate."""
        if isinstance(self.parametrization, Sigmoid):
            return self.logits.clone()
        if isinstance(self.parametrization, Direct):
            return self.logits - 0.5
        return super().scores()


def _draw_logistic_(noise: torch.Tensor, stream: RandomStream) -> None:
    """Fill a tensor with logistic noise, in its own precision: it need not be exact."""
    eps = torch.finfo(noise.dtype).eps
    noise.uniform_(generator=stream.torch_generator(noise.device))
    noise.clamp_(eps / 4, 1 - eps / 2).logit_()
