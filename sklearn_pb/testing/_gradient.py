"""The conformance check of gradient estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..distributions import PRESETS, Parametrization, Sigmoid
from ..functions import QuadraticFunction
from ..gradients import GradientEstimate, Traits, exact, traits_of
from ..utils import RandomStream
from ._common import attempt, check_tensor, claim, untouched_global_generators

_PROBABILITIES = ((0.5, 0.5, 0.5), (0.2, 0.6, 0.85))
_LIMIT = 5.0  # standard errors: by chance once in some 300,000 coordinates
_RARE = 100  # ones expected near 0 in all draws, so that a standard error can be told

Estimator = Callable[..., GradientEstimate]


def check_gradient_estimator(
    estimator: Estimator,
    *,
    unbiased: bool | None = None,
    n_samples: int = 4,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    n_repetitions: int = 1000,
) -> None:
    """Check that a gradient estimator keeps the contract of `sklearn_pb.gradients`.

    Parameters
    ----------
    estimator : callable
        With the signature of `sklearn_pb.gradients.loorf`. What it is held to depends
        on the traits that it declares, see `sklearn_pb.gradients.with_traits`.
    unbiased : bool, default=None
        Whether its mean has to be the gradient of E[J], which is enumerated; None
        asks its traits.
    n_samples : int, default=4
        Samples it is asked for; more if its traits do not allow so few, or only pairs.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities to check it with.
    n_repetitions : int, default=1000
        Number of estimates that are averaged to find a bias. The more, the nearer to 0
        and 1 are the probabilities for which one is looked for.

    Raises
    ------
    AssertionError
        With a message that says what is wrong and what was expected.
    ValueError
        If the estimator does not support the parametrization.

    Examples
    --------
    >>> from sklearn_pb.gradients import loorf
    >>> from sklearn_pb.testing import check_gradient_estimator
    >>> check_gradient_estimator(loorf, n_repetitions=200)
    """
    traits = traits_of(estimator)
    _check_supported(traits, parametrization)
    function = QuadraticFunction(
        [[1.0, -2.0, 0.5], [0.0, 0.3, 1.5], [0.0, 0.0, -1.0]], constant=2.0
    )
    enough = _allowed_n_samples(traits, n_samples)

    def estimate(
        logits: torch.Tensor, seed: int, J: Any = function, n_samples: int = enough
    ) -> Any:
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
    _check_points(estimate, parametrization.logits(theta), function, traits)
    _check_refusals(estimate, parametrization.logits(theta), traits)
    _check_settled(estimate, parametrization)
    if traits.unbiased if unbiased is None else unbiased:
        for probabilities in (*_PROBABILITIES, _edges(enough * n_repetitions)):
            logits = parametrization.logits(torch.tensor(probabilities).double())
            _check_mean(estimate, logits, function, parametrization, n_repetitions)


def _edges(n_draws: int) -> tuple[float, ...]:
    """Probabilities as near to 0 and 1 as so many draws can tell."""
    rare = min(_PROBABILITIES[1][0], _RARE / n_draws)
    return rare, 0.5, 1 - rare


def _check_supported(traits: Traits, parametrization: Parametrization) -> None:
    if traits.parametrizations is None:
        return
    supported = tuple(PRESETS[name] for name in traits.parametrizations)
    if not isinstance(parametrization, supported):
        raise ValueError(
            f"parametrization={parametrization} is not supported by the estimator; "
            f"its traits allow {list(traits.parametrizations)}."
        )


def _allowed_n_samples(traits: Traits, n_samples: int) -> int:
    n_samples = max(n_samples, traits.fewest_samples)
    return n_samples + n_samples % 2 if traits.even_samples else n_samples


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
    estimate: Callable,
    logits: torch.Tensor,
    function: QuadraticFunction,
    traits: Traits,
) -> None:
    seen: list[torch.Tensor] = []

    def recorded(Z: torch.Tensor) -> torch.Tensor:
        points, relaxed = (
            Z.detach().clone(),
            Z.requires_grad and torch.is_grad_enabled(),
        )
        seen.append(points)
        _check_rows(points, function.n_variables, relaxed and traits.needs_relaxable)
        return function(Z if traits.needs_relaxable else points)

    result = attempt(
        lambda: estimate(logits, 1, recorded),
        "the estimator failed with a function whose costs "
        + (
            "carry a gradient"
            if traits.needs_relaxable
            else "carry no gradient (declare needs_relaxable=True if it needs one)"
        ),
    )
    claim(seen, "the estimator never called the function.")
    costs, expected = result.costs, torch.cat([function(Z) for Z in seen])
    claim(
        torch.isin(costs, expected.to(costs)).all(),
        f"costs are {costs.tolist()}, but the evaluated points cost "
        f"{expected.tolist()}; return the costs as they are.",
    )


def _check_rows(Z: torch.Tensor, d: int, relaxed: bool) -> None:
    claim(
        Z.ndim == 2 and Z.shape[1] == d,
        f"the function was given points of shape {tuple(Z.shape)}; it takes rows "
        f"of {d} variables, (m, {d}).",
    )
    if relaxed:
        claim(
            ((Z >= 0) & (Z <= 1)).all(),
            f"the function was given points outside of [0, 1]: {Z[0].tolist()}.",
        )
    else:
        claim(
            ((Z == 0) | (Z == 1)).all(),
            f"the function was given points that are not binary: {Z[0].tolist()}; "
            "only points that require a gradient may be relaxed, if the traits have "
            "needs_relaxable=True.",
        )


def _check_refusals(estimate: Callable, logits: torch.Tensor, traits: Traits) -> None:
    """Too few samples, or an odd number of pairs, must be refused by name."""
    wrong = [traits.fewest_samples - 1]
    if traits.even_samples:
        wrong.append(traits.fewest_samples + 1)
    for n_samples in wrong if traits.fewest_samples else []:
        try:
            estimate(logits, 3, n_samples=n_samples)
            refusal = "nothing was raised"
        except Exception as error:
            if isinstance(error, ValueError) and "n_samples" in str(error):
                continue
            refusal = f"{type(error).__name__}: {error}"
        claim(
            False,
            f"n_samples={n_samples} contradicts {traits}, but the answer was: "
            f"{refusal}. Raise a ValueError that names n_samples and what is allowed.",
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
