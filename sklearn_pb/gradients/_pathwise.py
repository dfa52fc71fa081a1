"""Pathwise gradients: Bernoulli variables replaced by relaxed ones, and a bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from ..distributions import (
    Concrete,
    HardConcrete,
    Parametrization,
    Relaxation,
    Sigmoid,
    log_odds,
)
from ..utils import RandomStream
from ._base import (
    ROWS_AT_ONCE,
    Costs,
    GradientEstimate,
    Traits,
    parametrized,
)
from ._sample_numbers import check_n_samples
from ._slopes import chunks, costs_and_slopes


@dataclass(frozen=True)
class Pathwise:
    """The gradient of E[J(q)] for relaxed samples q, through the samples.

    Parameters
    ----------
    relaxation : Relaxation, default=Concrete()
        What q is drawn from: `sklearn_pb.distributions.Concrete` or `HardConcrete`,
        with a temperature of your choice.

    Attributes
    ----------
    traits : Traits
        Biased as an estimate of the gradient of E[J(z)]; needs a differentiable J.

    Notes
    -----
    Maddison et al. (2016); Jang et al. (2016); Louizos et al. (2018); Silva (2023),
    chapter 5. The bias shrinks with the temperature while the variance grows. As
    straight-through does, it fails on J(z) = (z - C)^2 with C near 1/2 (Tucker et al.,
    2017).

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import Concrete
    >>> from sklearn_pb.gradients import Pathwise
    >>> from sklearn_pb.utils import RandomStream
    >>> sharp = Pathwise(Concrete(temperature=0.1))
    >>> sharp(lambda Z: Z.sum(1), torch.zeros(3), RandomStream(0)).gradient.shape
    torch.Size([3])
    """

    traits: ClassVar[Traits] = Traits(unbiased=False, needs_relaxable=True)

    relaxation: Relaxation = Concrete()  # noqa: RUF009 (a frozen value)

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        self.relaxation.check()

    def __call__(
        self,
        function: Costs,
        logits: torch.Tensor,
        stream: RandomStream,
        *,
        n_samples: int = 10,
        parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    ) -> GradientEstimate:
        """Estimate the gradient of E[J(q)].

        Parameters
        ----------
        function : callable
            J: maps (m, d) points to (m,) costs, differentiable in them.
        logits : torch.Tensor of shape (d,), or (2, d) for two-logit parametrizations
            Where the gradient is taken.
        stream : RandomStream
            The address of the draws; give another one each step.
        n_samples : int, default=10
            Number of evaluations, at least 1.
        parametrization : Parametrization, default=Sigmoid()
            The map from logits to probabilities.

        Returns
        -------
        estimate : GradientEstimate
            Biased. Costs of shape (n_samples,), those of the relaxed samples.

        Raises
        ------
        ValueError
            If n_samples < 1, or the costs carry no gradient.
        """
        check_n_samples(n_samples, self, "pathwise")
        self.check()
        odds = log_odds(parametrization.probabilities(logits).detach())
        total, costs = torch.zeros_like(odds), []
        for part in chunks(n_samples, len(odds), ROWS_AT_ONCE):
            with torch.enable_grad():
                odds.requires_grad_()
                relaxed = self.relaxation.sample(odds, stream, part)
            values, slopes = costs_and_slopes(function, relaxed.detach())
            (gradient,) = torch.autograd.grad(relaxed, odds, slopes)
            total += gradient / n_samples
            costs.append(values)
        return parametrized(total, torch.cat(costs), logits, parametrization)


concrete = Pathwise(Concrete())
hard_concrete = Pathwise(HardConcrete())
