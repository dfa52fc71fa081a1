"""Bias, variance and cost of a gradient estimator at one point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..distributions import Parametrization, Sigmoid
from ..gradients import ESTIMATORS, GradientEstimate, exact
from ..utils import RandomStream, check_choice, check_number
from ._closed_form_variance import CLOSED_FORMS, MAX_VARIABLES, Setting, closed_form

_MOST_EXACT = 20  # variables of a gradient by enumeration
METHODS = ("auto", "exact", "sampled")

Costs = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class GradientVariance:
    """How far the estimates of a gradient lie from it.

    Parameters
    ----------
    bias : torch.Tensor shaped as the logits, or None
        The mean estimate less the gradient of E[J]; None where that is unknown, which
        is where d > 20.
    variance : torch.Tensor shaped as the logits
        Of each coordinate of the estimate.
    bias_error, variance_error : torch.Tensor shaped as the logits
        Standard errors of the two; zero where they are exact.
    evaluations : int
        Points at which J was evaluated for one estimate, relaxed ones included.
    n_repetitions : int or None
        The number of estimates drawn; None if nothing was.
    """

    bias: torch.Tensor | None
    variance: torch.Tensor
    bias_error: torch.Tensor
    variance_error: torch.Tensor
    evaluations: int
    n_repetitions: int | None = None

    @property
    def total(self) -> float:
        """The sum of the variances over the coordinates."""
        return float(self.variance.sum())


def gradient_variance(
    estimator: str | Callable[..., GradientEstimate],
    function: Costs,
    logits: torch.Tensor,
    n_samples: int = 10,
    *,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    method: str = "auto",
    n_repetitions: int = 1000,
    random_state: int | np.random.RandomState | None = None,
) -> GradientVariance:
    """Find bias and variance of a gradient estimator at given logits.

    Parameters
    ----------
    estimator : str or callable
        A key of `sklearn_pb.gradients.ESTIMATORS`, or an estimator.
    function : callable
        J: maps (m, d) points to (m,) costs.
    logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
        Where the gradient is taken.
    n_samples : int, default=10
        Samples of one estimate.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.
    method : {"auto", "exact", "sampled"}, default="auto"
        "exact" takes a closed form, made from all 2^d costs: there is one for
        "reinforce", "loorf", "arms" (n <= 32), "disarm", "beta-star", "muprop",
        "exact" and `straight_through`, with d <= 16. "sampled" repeats the estimate.
        "auto" is exact where it can be.
    n_repetitions : int, default=1000
        Number of estimates to draw, at least 2; they are all held in memory.
    random_state : int, numpy.random.RandomState or None, default=None
        Seed of the draws.

    Returns
    -------
    result : GradientVariance
        Bias and variance by coordinate with their standard errors, and the cost.

    Raises
    ------
    TypeError
        If an argument is not of the wanted kind.
    ValueError
        If an argument is out of its range, or there is no closed form and
        ``method="exact"``.

    Notes
    -----
    Silva (2023), section B.1.1, sums over multisets of points up to n = d = 4. The
    closed forms here condition on one bit of every sample and need two moments of the
    cost only, so that n = d = 10 takes milliseconds. They are computed in float64.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.functions import ExponentialTabularLoss
    >>> from sklearn_pb.inspection import gradient_variance
    >>> J, logits = ExponentialTabularLoss(4, random_state=0), torch.zeros(4)
    >>> for name in ("reinforce", "loorf", "arms", "beta-star"):
    ...     print(name, round(gradient_variance(name, J, logits, 4).total, 4))
    reinforce 0.1107
    loorf 0.1361
    arms 0.1095
    beta-star 0.0991
    """
    if isinstance(estimator, str):
        check_choice(estimator, "estimator", ESTIMATORS)
        estimator = ESTIMATORS[estimator]
    elif not callable(estimator):
        raise TypeError(
            f"estimator={estimator!r} must be a gradient estimator or a key of "
            "sklearn_pb.gradients.ESTIMATORS."
        )
    check_choice(method, "method", METHODS)
    check_number(n_repetitions, "n_repetitions", low=2, integer=True)
    _check_logits(logits, parametrization)
    form = closed_form(estimator, logits.shape[-1], n_samples)
    if form is None and method == "exact":
        raise ValueError(_no_form(estimator, logits.shape[-1], n_samples))
    stream = RandomStream.from_random_state(random_state)
    options = {"n_samples": n_samples, "parametrization": parametrization}
    counted = _Counted(function)
    estimator(counted, logits, stream.child(0), **options)  # checks n_samples as well
    if form is None or method == "sampled":
        draws = torch.stack(
            [
                estimator(function, logits, stream.child(t), **options).gradient
                for t in range(n_repetitions)
            ]
        ).double()
        return _sampled(
            draws, _truth(function, logits, parametrization), counted.points
        )
    logits = logits.detach().double()
    mean, variance = form(Setting(function, logits, parametrization, n_samples))
    truth = exact(function, logits, parametrization=parametrization).gradient
    nothing = torch.zeros_like(mean)
    return GradientVariance(mean - truth, variance, nothing, nothing, counted.points)


def _check_logits(logits: Any, parametrization: Parametrization) -> None:
    rows = parametrization.components
    allowed = "(d,)" if rows == 1 else f"({rows}, d)"
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"logits={logits!r} must be a tensor of shape {allowed}.")
    fits = logits.ndim == (1 if rows == 1 else 2) and logits.shape[:-1] in ((), (rows,))
    if not fits or logits.shape[-1] == 0 or not logits.is_floating_point():
        raise ValueError(
            f"logits of shape {tuple(logits.shape)} and {logits.dtype} must be "
            f"floating point of shape {allowed} for {parametrization!r}."
        )


def _no_form(estimator: Callable[..., Any], d: int, n_samples: int) -> str:
    known = sorted(form.__name__ for form in CLOSED_FORMS)
    return (
        f"method='exact' has no closed form for estimator={estimator!r} with "
        f"{d} variables and n_samples={n_samples}; there are closed forms of "
        f"{', '.join(known)} with at most {MAX_VARIABLES} variables and, for arms, at "
        "most 32 samples. method='sampled' always works."
    )


class _Counted:
    """A function that counts the points it is asked for."""

    def __init__(self, function: Costs) -> None:
        self.points = 0
        self._function = function

    def __call__(self, Z: torch.Tensor) -> torch.Tensor:
        self.points += len(Z)
        return self._function(Z)


def _truth(
    function: Costs, logits: torch.Tensor, parametrization: Parametrization
) -> torch.Tensor | None:
    if logits.shape[-1] > _MOST_EXACT:
        return None
    logits = logits.detach().double()
    return exact(function, logits, parametrization=parametrization).gradient


def _sampled(
    draws: torch.Tensor, truth: torch.Tensor | None, evaluations: int
) -> GradientVariance:
    n = len(draws)
    mean, variance = draws.mean(0), draws.var(0)
    fourth = (draws - mean).pow(4).mean(0)
    spread = (fourth - variance.square() * (n - 3) / (n - 1)).clamp(min=0)
    return GradientVariance(
        bias=None if truth is None else mean - truth,
        variance=variance,
        bias_error=(variance / n).sqrt(),
        variance_error=(spread / n).sqrt(),
        evaluations=evaluations,
        n_repetitions=n,
    )
