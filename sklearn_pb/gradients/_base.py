"""What gradient estimators share: evaluating regenerated samples, the result type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import torch

from ..distributions import CoupledSamples, Parametrization
from ..utils import RandomStream

Costs = Callable[[torch.Tensor], torch.Tensor]
Samples = Callable[[torch.Tensor, int, RandomStream], CoupledSamples]
Estimator = TypeVar("Estimator", bound=Callable[..., "GradientEstimate"])

ROWS_AT_ONCE = 1 << 14  # coordinates of the samples held at a time, if d allows
PARTS = 32  # a d-vector is worked on in so many parts: temporaries stay small
SHORTEST_PART = 1 << 11


class GradientEstimate(NamedTuple):
    """A gradient and the costs it was made from.

    Attributes
    ----------
    gradient : torch.Tensor shaped as the logits
        Estimate of the gradient of E[J(z)] for the logits.
    costs : torch.Tensor of shape (n,)
        The costs of the samples, in their order.
    """

    gradient: torch.Tensor
    costs: torch.Tensor


@dataclass(frozen=True)
class Traits:
    """What a gradient estimator promises and what it needs.

    Parameters
    ----------
    unbiased : bool, default=True
        Whether its mean is the gradient of E[J(z)].
    fewest_samples : int, default=1
        The least `n_samples`.
    even_samples : bool, default=False
        Whether samples come in pairs.
    needs_relaxable : bool, default=False
        Whether J must be differentiable on [0, 1]^d.
    most_variables : int, default=None
        The largest d; None is no limit.
    parametrizations : tuple of str, default=None
        Names of the parametrizations it is defined for; None is all of them.
    samples : callable, default=None
        The coupling, from probabilities, n and a stream, of an estimator that asks J
        for each of n samples once, in their order, and for nothing else. Such an
        estimator takes ``samples=``, where they have been drawn before.
    """

    unbiased: bool = True
    fewest_samples: int = 1
    even_samples: bool = False
    needs_relaxable: bool = False
    most_variables: int | None = None
    parametrizations: tuple[str, ...] | None = None
    samples: Samples | None = None


def with_traits(**traits: Any) -> Callable[[Estimator], Estimator]:
    """Declare the traits of a gradient estimator.

    Parameters
    ----------
    **traits : bool, int, tuple or callable
        Fields of `Traits`.

    Returns
    -------
    decorate : callable
        Hangs the traits on the estimator, which it returns.
    """

    def decorate(estimator: Estimator) -> Estimator:
        estimator.traits = Traits(**traits)  # type: ignore[attr-defined]
        return estimator

    return decorate


def traits_of(estimator: Callable[..., GradientEstimate]) -> Traits:
    """Return the traits of a gradient estimator.

    Parameters
    ----------
    estimator : callable
        The estimator; one without traits is taken to promise the defaults.

    Returns
    -------
    traits : Traits
        What it promises and needs.
    """
    return getattr(estimator, "traits", Traits())


def sample_costs(function: Costs, samples: CoupledSamples) -> torch.Tensor:
    """Evaluate every sample, holding a few of them at a time.

    Parameters
    ----------
    function : callable
        Maps (m, d) points to (m,) costs. One with a method ``costs_of(samples)`` is
        asked that instead, and is free to evaluate the samples as it likes.
    samples : CoupledSamples
        The samples.

    Returns
    -------
    costs : torch.Tensor of shape (n,)
        One cost a sample.
    """
    if hasattr(function, "costs_of"):
        return function.costs_of(samples)
    n, d = samples.n_samples, len(samples.probabilities)
    chunk = max(1, ROWS_AT_ONCE // d)
    costs = function(samples.draw(range(min(chunk, n)))).detach()
    if chunk >= n:
        return costs
    costs = torch.cat([costs, costs.new_empty(n - chunk)])
    for s in range(chunk, n, chunk):
        some = range(s, min(s + chunk, n))
        costs[s : some.stop] = function(samples.draw(some)).detach()
    return costs


def parts_of(d: int) -> Iterator[slice]:
    """Yield the ranges of coordinates to work on one after the other.

    Parameters
    ----------
    d : int
        The number of coordinates.

    Yields
    ------
    part : slice
        A few dozen ranges at most, or one if d is small.
    """
    length = max(SHORTEST_PART, -(-d // PARTS))
    for start in range(0, d, length):
        yield slice(start, min(start + length, d))


def leave_one_out_weights(costs: torch.Tensor) -> torch.Tensor:
    """Weights of the leave-one-out baseline; they sum to zero.

    Parameters
    ----------
    costs : torch.Tensor of shape (n,)
        Costs of the samples, n at least 2.

    Returns
    -------
    weights : torch.Tensor of shape (n,)
        ``(J_s - mean J) / (n - 1)``.
    """
    return (costs - costs.mean()) / (len(costs) - 1)


def parametrized(
    covariance: torch.Tensor,
    costs: torch.Tensor,
    logits: torch.Tensor,
    parametrization: Parametrization,
) -> GradientEstimate:
    """Turn an estimated covariance into a gradient for the logits.

    Parameters
    ----------
    covariance : torch.Tensor of shape (d,)
        Estimate of Cov(J, z_i); overwritten where it has the shape of the logits.
    costs : torch.Tensor of shape (n,)
        The costs it was made from.
    logits : torch.Tensor
        Where the gradient is taken.
    parametrization : Parametrization
        The map from logits to probabilities.

    Returns
    -------
    estimate : GradientEstimate
        The gradient and the costs.
    """
    covariance, logits = covariance.detach(), logits.detach()
    same = covariance.shape == logits.shape
    if same and parametrization.keeps_covariance(logits):
        return GradientEstimate(covariance, costs)
    gradient = covariance if same else torch.empty_like(logits)
    for part in parts_of(len(covariance)):
        gradient[..., part] = parametrization.pull_back(
            covariance[part], logits[..., part]
        )
    return GradientEstimate(gradient, costs)
