"""Double control variates: LOORF on what a first-order expansion leaves of J."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..distributions import CoupledSamples, Independent, Parametrization, Sigmoid
from ..utils import RandomStream, check_number
from ._base import (
    ROWS_AT_ONCE,
    Costs,
    GradientEstimate,
    Traits,
    leave_one_out_weights,
    parametrized,
)
from ._sample_numbers import check_n_samples
from ._slopes import chunks, slopes_at_samples


@dataclass(frozen=True)
class DoubleControlVariate:
    """The gradient of E[J(z)] from costs and slopes at the samples.

    Parameters
    ----------
    coefficient : float, default=1.0
        Factor of the control variate, the first-order expansion of J. No factor brings
        in a bias; 0 is LOORF. Slopes at the corners say little of a J with strong
        interactions: then a factor below 1 varies less.
    shrinkage : float or "auto", default=1.0
        Factor in [0, 1] of the noisy term, the LOORF on residuals. 1 is unbiased; 0
        leaves the first-order term alone. "auto" measures the signal-to-noise ratio
        of the noisy term: biased, but the factor comes near 1 as n grows.

    Attributes
    ----------
    traits : Traits
        Unbiased if shrinkage = 1; needs a differentiable J and 2 samples or more.

    Notes
    -----
    Titsias and Shi (2022), with a fixed coefficient. The sample z_k is given the
    control variate ``s_-k . (z_k - theta)``, where ``s_-k`` is the mean slope of J at
    the other samples. Its covariance with z_k is ``s_-k theta (1 - theta)``; the mean
    of that over k is the first-order term. The residual cost of another sample, from
    which the baseline is made, depends on z_k through its slope, but the mean of its
    control variate given z_k is zero all the same, and no bias comes in.

    "auto" is the factor c that gives c R the least squared error,
    ``|E R|^2 / E |R|^2``, with ``|E R|^2`` estimated by ``|R|^2`` less the sample
    variance of R, for sigmoid logits.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.gradients import DoubleControlVariate
    >>> from sklearn_pb.utils import RandomStream
    >>> estimator = DoubleControlVariate(shrinkage="auto")
    >>> estimator(lambda Z: Z.sum(1), torch.zeros(2), RandomStream(0)).gradient
    tensor([0.2500, 0.2500])
    """

    coefficient: float = 1.0
    shrinkage: float | str = 1.0

    @property
    def traits(self) -> Traits:
        """What it promises and needs."""
        unbiased = self.shrinkage == 1
        return Traits(
            unbiased=unbiased,
            fewest_samples=2,
            needs_relaxable=True,
            samples=Independent,
        )

    def check(self) -> None:
        """Raise if a parameter is out of its range."""
        check_number(self.coefficient, "coefficient")
        if not isinstance(self.shrinkage, str):
            check_number(self.shrinkage, "shrinkage", low=0, high=1)
        elif self.shrinkage != "auto":
            raise ValueError(
                f"shrinkage={self.shrinkage!r} is unknown; it must be 'auto' or a "
                "number in [0, 1]."
            )

    def __call__(
        self,
        function: Costs,
        logits: torch.Tensor,
        stream: RandomStream,
        *,
        n_samples: int = 10,
        parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
        samples: CoupledSamples | None = None,
    ) -> GradientEstimate:
        """Estimate the gradient of E[J(z)].

        Parameters
        ----------
        function : callable
            J: maps (m, d) points to (m,) costs, differentiable in them.
        logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
            Where the gradient is taken.
        stream : RandomStream
            The address of the draws; give another one each step.
        n_samples : int, default=10
            Number of evaluations with their slopes, at least 2.
        parametrization : Parametrization, default=Sigmoid()
            The map from logits to probabilities.
        samples : CoupledSamples, default=None
            Samples drawn before, as `traits` says, from this stream; None draws them.

        Returns
        -------
        estimate : GradientEstimate
            Costs of shape (n_samples,).

        Raises
        ------
        ValueError
            If n_samples < 2, a parameter is out of its range or J has no slope.
        """
        self.check()
        check_n_samples(n_samples, self, "double-cv")
        theta = parametrization.probabilities(logits).detach()
        samples = samples or Independent(theta, n_samples, stream)
        at = _evaluate(function, samples)
        along, distances = _projections(samples, at.total)
        control = (along - at.own) * (self.coefficient / (n_samples - 1))
        weights = leave_one_out_weights(at.costs.to(theta) - control)
        covariance = samples.weighted_sum(weights)
        covariance *= self._shrinkage(covariance, weights, distances)
        first_order = at.total.mul_(theta).mul_(1 - theta)
        covariance.add_(first_order, alpha=self.coefficient / n_samples)
        return parametrized(covariance, at.costs, logits, parametrization)

    def _shrinkage(
        self, mean: torch.Tensor, weights: torch.Tensor, distances: torch.Tensor
    ) -> float:
        """The factor of the mean of the n vectors ``n weights[k] (z_k - theta)``."""
        if not isinstance(self.shrinkage, str):
            return self.shrinkage
        n, square = len(weights), float(mean.square().sum())
        if square == 0:
            return 0.0
        spread = float((n * weights.square() * distances).sum()) - square
        return min(1.0, max(0.0, 1 - spread / ((n - 1) * square)))


class _AtSamples(NamedTuple):
    """Costs J_k (n,), s_k . (z_k - theta) (n,) and the sum (d,) of the slopes s_k."""

    costs: torch.Tensor
    own: torch.Tensor
    total: torch.Tensor


def _evaluate(function: Costs, samples: CoupledSamples) -> _AtSamples:
    theta = samples.probabilities
    costs, own, total = [], [], torch.zeros_like(theta)
    for Z, values, slopes in slopes_at_samples(function, samples):
        costs.append(values)
        total += slopes.sum(dim=0)
        own.append((slopes * (Z - theta)).sum(dim=1))
    return _AtSamples(torch.cat(costs), torch.cat(own), total)


def _projections(
    samples: CoupledSamples, direction: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """direction . (z_k - theta) and |z_k - theta|^2 for every sample."""
    theta = samples.probabilities
    along, distances = [], []
    for part in chunks(samples.n_samples, len(theta), ROWS_AT_ONCE):
        deviations = samples.draw(part).sub_(theta)
        along.append(deviations @ direction)
        distances.append(deviations.square_().sum(dim=1))
    return torch.cat(along), torch.cat(distances)


double_control_variate = DoubleControlVariate()
shrunk_double_control_variate = DoubleControlVariate(shrinkage="auto")
