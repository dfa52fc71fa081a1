"""Monte-Carlo methods: Bernoulli masks, gradients from costs of sampled masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..distributions import PRESETS, CoupledSamples, Independent, Parametrization
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
from ._sampled_masks import SampledMasks

EVALUATIONS = ("auto", "whole", "sliced", "compared")
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
    evaluation : {"auto", "whole", "sliced", "compared"}, default="auto"
        What n masks are run on when a network is trained. "whole": each on the whole
        batch; n forward passes and one backward pass, or n backward passes if the
        gradient takes slopes. "sliced": each on one of n slices of the batch, in one
        forward and one backward pass of the batch in all. "compared": as "sliced", and
        from the cost on a slice is taken what the probabilities themselves, as a mask,
        cost on it; one forward pass more. "auto" is "compared" for a gradient that
        takes the slope at each sample once ("double-cv", "double-cv-shrunk"), and else
        "whole".

    Notes
    -----
    Silva (2023), chapters 4 and 5. Most estimators use values of J only; it has to be
    differentiable for those that declare it (`needs_relaxable`). One that learns a
    control variate, as REBAR, does so over the whole search. In networks second
    derivatives of J are left out, which only what is learned depends on.

    Slices bring no bias, but what their rows differ by is noise in the costs. We
    measured 1.5 to 4 times the variance of "whole" for LOORF and ARMS on a
    convolutional network, and up to 20 times in LeNet-300-100 near the end of a search,
    where masks differ little; "compared" leaves 1.6 to 2.9 times. Slices differ by a
    row at most, and batch norm sees its slice. A batch of less than two rows a slice is
    evaluated whole. Slices are for gradients that ask for the cost, or the slope, at
    each sample once: those whose traits name their `samples`.

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
        evaluation: str = "auto",
    ) -> None:
        self.gradient = gradient
        self.n_samples = n_samples
        self.parametrization = parametrization
        self.initial_probability = initial_probability
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.evaluation = evaluation

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
        check_choice(self.evaluation, "evaluation", EVALUATIONS)
        sliceable = traits_of(estimator).samples is not None
        if self.evaluation in ("sliced", "compared") and not sliceable:
            raise ValueError(
                f"evaluation={self.evaluation!r} does not go with "
                f"gradient={self.gradient!r}, "
                "which asks for more than the cost of each sample, each once; it must "
                "be 'auto' or 'whole'."
            )

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
        """Whether the gradient is for any number of variables."""
        return self.most_variables is None

    @property
    def most_variables(self) -> int | None:  # type: ignore[override]
        """The largest d that the gradient is made for."""
        known = callable(self.gradient) or self.gradient in ESTIMATORS
        return traits_of(self._estimator()).most_variables if known else None

    def start(self, space: SearchSpace) -> MonteCarloSearch:
        """Begin a search."""
        most = self.most_variables
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
        traits = traits_of(self._estimator)
        self._draw, self._slopes = traits.samples, traits.needs_relaxable
        self._evaluation = method.evaluation
        if self._evaluation == "auto":
            self._evaluation = "compared" if self._slopes else "whole"
        self._samples: CoupledSamples | None = None
        self._kept_memory: torch.Tensor | None = None  # fresh memory takes time

    def advance(self, progress: float) -> None:
        """Begin a step, whose samples are not drawn yet."""
        super().advance(progress)
        self._samples = None

    def mask(self) -> torch.Tensor:
        """Return the first of the samples that the gradient is estimated from.

        Where the estimator does not say which these are, it is one that it does not
        use.
        """
        if self._draw is None:
            stream = self.space.stream.child(self.step, _FORWARD)
            return Independent(self.probabilities(), 1, stream).draw(range(1))[0]
        if self._samples is None:
            stream = self.space.stream.child(self.step, _ESTIMATE)
            self._samples = self._draw(self.probabilities(), self._n_samples, stream)
            self._samples.keep()
        return self._samples.draw(range(1))[0]

    def sampled(self) -> SampledMasks | None:
        """Return the samples, once `mask` has drawn them."""
        if self._samples is None:
            return None
        return SampledMasks(
            self._samples,
            sliced=self._evaluation != "whole",
            compared=self._evaluation == "compared",
            slopes=self._slopes,
        )

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert function is not None
        drawn = {} if self._samples is None else {"samples": self._samples}
        gradient = self._estimator(
            function,
            self.logits,
            self.space.stream.child(self.step, _ESTIMATE),
            n_samples=self._n_samples,
            parametrization=self.parametrization,
            **drawn,
        ).gradient
        if self.space.constraint is None:
            return gradient
        known = None if self._samples is None else self._samples.probabilities
        slack = self.parametrization.derivative(self.logits, known)

        def slopes() -> torch.Tensor:
            size = slack.abs().mean().clamp(min=1e-30)
            per_variable = (-1, self.space.n_variables)  # pairs of logits count once
            return (gradient.abs() / size).view(per_variable).mean(0)

        price = self._price(slopes)
        if isinstance(price, torch.Tensor):
            return gradient.addcmul_(slack, price)
        return gradient.add_(slack, alpha=price)

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take a step, after which the samples are not needed any more."""
        super().update(function, slope)
        self._samples = None

    def kept(self) -> torch.Tensor:
        """Return one for what is more likely one than zero."""
        if self._samples is None:
            return super().kept()
        theta = self._samples.probabilities
        if self._kept_memory is None:
            self._kept_memory = torch.empty_like(theta)
        return torch.ge(theta, 0.5, out=self._kept_memory)

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
