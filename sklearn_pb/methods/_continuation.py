"""Continuation: a deterministic soft mask sigma(beta s) that hardens as beta grows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from ..distributions import SOFT_STEPS, Logistic, SoftStep
from ..schedules import ExponentialSharpness
from ..utils import check_choice, check_number, placed
from ._base import Function, Method, SearchSpace
from ._logit_search import OPTIMIZERS, LogitAdam, LogitSearch, roomy_density
from ._soft_mask import SoftMask, SoftStepNumbers

# Without a saturation, gradients of settled values fade; smaller ones than this are
# left to fade, as rounding is all that is left of them.
_FADED = 1e-12
_NEAREST = 1e-6  # to 0 and 1 that a soft step has a slope in single precision
_FARTHEST = 1e30  # what single precision can be clamped to


class Continuation(Method):
    """Continuous sparsification (CS): anneal a sigmoid into a step.

    Parameters
    ----------
    beta_final : float, default=200.0
        Sharpness at the end of the search; it grows exponentially from 1. Not used
        where `sharpness` is given.
    s_init : float, default=0.0
        Start of every soft mask parameter s. Lower gives sparser masks where no
        sparsity is asked for.
    learning_rate : float, default=0.01
        Size of a step of s.
    smoothing : float, default=0.9
        Memory of RMSprop, in [0, 1).
    optimizer : {"rmsprop", "sgd"}, default="rmsprop"
        How s steps: divided by the root mean square of its gradients, so that one
        learning rate serves every network, or plainly along them.
    interval : int, default=1
        Training steps of the weights for one step of s. 2 saves about half of what the
        mask costs, where weights are many and batches small.
    saturation : float or None, default=8.0
        The mask is kept where the logistic sigmoid is for ``|beta s| <= saturation``,
        whatever the soft step, so that no mask value loses its gradient before the
        search ends; None follows the source to the letter.
    sharpness : callable or None, default=None
        Another schedule of beta: maps the progress in [0, 1] to a number greater than
        0. See `sklearn_pb.schedules`.
    soft_step : str or SoftStep, default="sigmoid"
        What is sharpened: "sigmoid", "erf", "arctan", "algebraic" or an object of
        `sklearn_pb.distributions`.

    Notes
    -----
    Savarese (2025), algorithm 1: mask sigma(beta s) in training, 1[s >= 0] at the
    end, no weight decay on s; section 4.2.4 has the other soft steps. `saturation` is
    ours: without it the mask settles when beta times abs(s) passes 20, wherever the
    penalty has steered it by then.

    Silva (2023), section 3.2, calls it CP, with the temperature tau = 1 / beta. Its
    schedule falls from 1 to 1/200 in stages of 100 iterations each: for 2000 of them
    ``sharpness=Staircase(ExponentialSharpness(200), 20)``, with ``saturation=None``.

    Examples
    --------
    >>> from sklearn_pb.methods import Continuation
    >>> Continuation(beta_final=100)
    Continuation(beta_final=100)
    """

    needs_relaxable = True

    def __init__(
        self,
        *,
        beta_final: float = 200.0,
        s_init: float = 0.0,
        learning_rate: float = 0.01,
        smoothing: float = 0.9,
        optimizer: str = "rmsprop",
        interval: int = 1,
        saturation: float | None = 8.0,
        sharpness: Callable[[float], float] | None = None,
        soft_step: str | SoftStep = "sigmoid",
    ) -> None:
        self.beta_final = beta_final
        self.s_init = s_init
        self.learning_rate = learning_rate
        self.smoothing = smoothing
        self.optimizer = optimizer
        self.interval = interval
        self.saturation = saturation
        self.sharpness = sharpness
        self.soft_step = soft_step

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.beta_final, "beta_final", low=0, low_open=True)
        check_number(self.s_init, "s_init")
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.smoothing, "smoothing", low=0, high=1, high_open=True)
        check_choice(self.optimizer, "optimizer", OPTIMIZERS)
        check_number(self.interval, "interval", low=1, integer=True)
        if self.saturation is not None:
            check_number(self.saturation, "saturation", low=0, low_open=True)
        self._check_sharpness()
        if not isinstance(self.soft_step, SoftStep):
            check_choice(self.soft_step, "soft_step", SOFT_STEPS)
        self._soft_step().check()

    def _check_sharpness(self) -> None:
        if self.sharpness is None:
            return
        if not callable(self.sharpness):
            raise TypeError(
                f"sharpness={self.sharpness!r} must be None or a callable, such as "
                "sklearn_pb.schedules.LinearSharpness(200)."
            )
        for progress in (0.0, 1.0):
            value, name = self.sharpness(progress), f"sharpness({progress})"
            check_number(value, name, low=0, low_open=True)

    def _soft_step(self) -> SoftStep:
        step = self.soft_step
        return step if isinstance(step, SoftStep) else SOFT_STEPS[step]()

    def start(self, space: SearchSpace) -> ContinuationSearch:
        """Begin a search."""
        return ContinuationSearch(space, self)


def _reach(step: SoftStep, saturation: float | None) -> float:
    """Where a soft step is as far from 1 as the sigmoid is at the saturation."""
    if saturation is None:
        return math.inf
    if isinstance(step, Logistic):
        return float(saturation)
    distance = max(1 / (1 + math.exp(min(saturation, 50.0))), _NEAREST)
    least = torch.tensor(distance, dtype=torch.float64)
    return min(-float(step.logits(least)), _FARTHEST)


class ContinuationSearch(LogitSearch):
    """A run of `Continuation`.

    Parameters
    ----------
    space : SearchSpace
        What is masked.
    method : Continuation
        The hyperparameters.
    """

    needs_slope = True

    def __init__(self, space: SearchSpace, method: Continuation) -> None:
        self._sharpness = method.sharpness or ExponentialSharpness(
            float(method.beta_final)
        )
        self._step = method._soft_step()
        start = torch.tensor(method.s_init, dtype=torch.float64)
        initial = float(self._step.probabilities(start * self._sharpness(0.0)))
        fades = method.saturation is None
        super().__init__(
            space,
            self._step,
            initial,
            method.learning_rate,
            method.smoothing,
            optimizer=method.optimizer,
            **({"epsilon": _FADED} if fades else {}),
        )
        if space.logits is None:
            self.logits.div_(self.beta)
        roomy = roomy_density(initial, space.sparsity)
        if roomy == initial and space.starts_cold:
            self.logits.fill_(float(method.s_init))  # exact, however large it is
        self._reach = _reach(self._step, method.saturation)  # of beta s
        self.interval = method.interval
        self._mask = placed(self.probabilities(), 3)
        self._soft: SoftMask | None = None

    @property
    def beta(self) -> float:
        """The sharpness at this moment."""
        return self._sharpness(self.progress)

    def mask(self) -> torch.Tensor:
        """Return sigma(beta s), or another soft step of beta s."""
        return self._step.sharpened(self.logits, self.beta, self._mask)

    def kept(self) -> torch.Tensor:
        """Return the mask of the last step, as soft as it was."""
        return self._mask

    def probabilities(self) -> torch.Tensor:
        """Return the soft step of beta s."""
        return self._step.step_(self.beta * self.logits)

    def _move_to(self, position: torch.Tensor) -> None:
        super()._move_to(position)
        self.logits.div_(self.beta)

    def scores(self) -> torch.Tensor:
        """Return s itself, finer than the mask where that saturates."""
        return self.logits.clone()

    def _gradient(
        self, function: Function | None, slope: torch.Tensor | None
    ) -> torch.Tensor:
        assert slope is not None
        price = torch.as_tensor(self._price(lambda: slope.abs())).to(slope)
        torch.add(price * self.beta, slope, alpha=self.beta, out=slope)
        return self._step.backward_(slope, self._mask)

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take one optimizer step on s, then keep it where its gradient lives."""
        super().update(function, slope)
        if self._reach < math.inf:
            limit = self._reach / self.beta
            self.logits.clamp_(-limit, limit)
            self._keep_gone()

    def soft_mask(self) -> SoftMask | None:
        """Return s, if a step of it is the usual one and none of its values is gone."""
        beta = self.beta
        if self._soft is None:
            optimizer, is_usual = self._optimizer, isinstance(self._step, Logistic)
            if not isinstance(optimizer, LogitAdam) or not is_usual:
                return None
            if self._gone is not None or not self.constraint.is_uniform_price:
                return None
            vectors = self.logits, optimizer.square, self._mask
            self._soft = SoftMask(*vectors, beta, self._begin_step)
        self._soft.sharpness = beta
        return self._soft

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state, whose optimizer has vectors of its own."""
        super().load_state_dict(state)
        self._soft = None

    def _begin_step(
        self, slopes: Callable[[], torch.Tensor], density: Callable[[], float]
    ) -> SoftStepNumbers:
        price = self.constraint.uniform_price(
            slopes, density, self.progress, self._step_size
        )
        assert self._soft is not None and isinstance(self._optimizer, LogitAdam)
        limit = self._reach / self._soft.sharpness
        return SoftStepNumbers(price, *self._optimizer.begin_step(), limit)
