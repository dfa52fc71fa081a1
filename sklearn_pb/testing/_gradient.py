"""The conformance check of gradient estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..distributions import Parametrization, Sigmoid
from ..functions import QuadraticFunction
from ..gradients import GradientEstimate, exact
from ..utils import RandomStream
from ._common import attempt, check_tensor, claim, untouched_global_generators

_PROBABILITIES = ((0.5, 0.5, 0.5), (0.2, 0.6, 0.85))
_LIMIT = 5.0  # standard errors: by chance once in some 300,000 coordinates

Estimator = Callable[..., GradientEstimate]


def check_gradient_estimator(
    estimator: Estimator,
    *,
    unbiased: bool = True,
    n_samples: int = 4,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    n_repetitions: int = 1000,
) -> None:
    """Check that a gradient estimator keeps the contract of `sklearn_pb.gradients`.

    Parameters
    ----------
    estimator : callable
        With the signature of `sklearn_pb.gradients.loorf`.
    unbiased : bool, default=True
        Whether its mean has to be the gradient of E[J], which is enumerated.
    n_samples : int, default=4
        Evaluations it is asked to make.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities to check it with.
    n_repetitions : int, default=1000
        Number of estimates that are averaged to find a bias.

    Raises
    ------
    AssertionError
        With a message that says what is wrong and what was expected.

    Examples
    --------
    >>> from sklearn_pb.gradients import loorf
    >>> from sklearn_pb.testing import check_gradient_estimator
    >>> check_gradient_estimator(loorf, n_repetitions=200)
    """
    function = QuadraticFunction(
        [[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]], constant=2.0
    )

    def estimate(logits: torch.Tensor, seed: int, J: Any = function) -> Any:
        return estimator(
            J,
            logits,
            RandomStream(seed, (7,)),
            n_samples=n_samples,
            parametrization=parametrization,
        )

    for dtype in (torch.float32, torch.float64):
        theta = torch.tensor(_PROBABILITIES[1], dtype=dtype)
        _check_estimate(estimate, parametrization.logits(theta), function)
    _check_points(estimate, parametrization.logits(theta), function)
    _check_settled(estimate, parametrization)
    if unbiased:
        for probabilities in _PROBABILITIES:
            logits = parametrization.logits(torch.tensor(probabilities).double())
            _check_mean(estimate, logits, function, parametrization, n_repetitions)


def _check_estimate(
    estimate: Callable, logits: torch.Tensor, function: QuadraticFunction
) -> None:
    before = logits.clone()
    with untouched_global_generators("the estimator"):
        result = attempt(
            lambda: estimate(logits, 0),
            "the estimator failed when called as estimator(function, logits, stream, "
            "n_samples=..., parametrization=...)",
        )
    claim(torch.equal(logits, before), "the estimator changed the logits in place.")
    for field in GradientEstimate._fields:
        claim(
            hasattr(result, field),
            f"the estimator returned a {type(result).__name__} without `{field}`; it "
            "must return a GradientEstimate.",
        )
    check_tensor(result.gradient, "the gradient", tuple(logits.shape), logits.dtype)
    claim(
        not result.gradient.requires_grad,
        "the gradient carries an autograd graph; detach it.",
    )
    costs = result.costs
    claim(
        isinstance(costs, torch.Tensor) and costs.ndim == 1 and len(costs) > 0,
        f"costs are {costs!r}; they must be a tensor with one cost a sample.",
    )
    again = estimate(logits, 0)
    claim(
        torch.equal(again.gradient, result.gradient)
        and torch.equal(again.costs, costs),
        "two calls with the same stream gave different estimates; every draw must come "
        "from the stream.",
    )


def _check_points(
    estimate: Callable, logits: torch.Tensor, function: QuadraticFunction
) -> None:
    seen: list[torch.Tensor] = []

    def recorded(Z: torch.Tensor) -> torch.Tensor:
        seen.append(Z.detach().clone())
        return function(Z)

    costs = estimate(logits, 1, recorded).costs
    claim(seen, "the estimator never called the function.")
    d = function.n_variables
    for Z in seen:
        claim(
            Z.ndim == 2 and Z.shape[1] == d,
            f"the function was given points of shape {tuple(Z.shape)}; it takes rows "
            f"of {d} variables, (m, {d}).",
        )
        claim(
            ((Z == 0) | (Z == 1)).all(),
            f"the function was given points that are not binary: {Z[0].tolist()}.",
        )
    expected = torch.cat([function(Z) for Z in seen]).to(costs)
    claim(
        torch.isin(costs, expected).all(),
        f"costs are {costs.tolist()}, but the evaluated points cost "
        f"{expected.tolist()}; return the costs as they are.",
    )


def _check_settled(estimate: Callable, parametrization: Parametrization) -> None:
    """Probabilities that are 0 or 1, or nearly, must not give NaN or infinity."""
    theta = torch.tensor([1e-30, 1e-7, 1 - 2.0**-24])
    logits = parametrization.logits(theta)
    gradient = estimate(logits, 2).gradient
    claim(
        torch.isfinite(gradient).all(),
        f"the gradient is {gradient.tolist()} at probabilities "
        f"{parametrization.probabilities(logits).tolist()}; it must stay finite near 0 "
        "and 1.",
    )


def _check_mean(
    estimate: Callable,
    logits: torch.Tensor,
    function: QuadraticFunction,
    parametrization: Parametrization,
    n_repetitions: int,
) -> None:
    expected = exact(function, logits, parametrization=parametrization).gradient
    estimates = torch.stack(
        [estimate(logits, seed).gradient for seed in range(n_repetitions)]
    )
    mean = estimates.mean(dim=0)
    error = estimates.std(dim=0) / n_repetitions**0.5
    far = (mean - expected).abs() > _LIMIT * error + 1e-9
    claim(
        not far.any(),
        f"the mean of {n_repetitions} estimates is {mean.tolist()} with standard "
        f"errors {error.tolist()}, but the gradient of E[J] is {expected.tolist()} (at "
        f"probabilities {parametrization.probabilities(logits).tolist()}, with "
        f"{parametrization}); pass unbiased=False if a bias is intended.",
    )
