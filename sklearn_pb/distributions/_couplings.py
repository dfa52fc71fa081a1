"""Couplings: how n samples of the same Bernoulli variables depend on each other."""

from __future__ import annotations

import torch

from ..kernels import backend_for
from ..utils import RandomStream
from ._coupled_samples import CoupledSamples

KEPT = 1 << 12  # sample bits: few enough to be no matter of memory


class KernelSamples(CoupledSamples):
    """Samples made by the kernels of a device; the few of a small d are kept.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples.
    stream : RandomStream
        The address of the draws.
    """

    def __init__(
        self, probabilities: torch.Tensor, n_samples: int, stream: RandomStream
    ) -> None:
        super().__init__(probabilities, n_samples, stream)
        self._kernels = backend_for(probabilities.device)

    def draw(self, samples: range) -> torch.Tensor:
        """Return the samples of the given numbers."""
        self._keep_few()
        return super().draw(samples)

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the sum over all samples s of ``weights[s] * z^(s)``."""
        self._keep_few()
        return super().weighted_sum(weights)

    def _keep_few(self) -> None:
        """Remember all samples, if that is cheaper than making them again."""
        if self._kept is None and self.n_samples * len(self.probabilities) <= KEPT:
            every = range(self.n_samples)
            self._kept = self._draw(every, self.probabilities.dtype)


class Independent(KernelSamples):
    """Independent samples.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples.
    stream : RandomStream
        The address of the draws.
    """

    def __init__(
        self, probabilities: torch.Tensor, n_samples: int, stream: RandomStream
    ) -> None:
        super().__init__(probabilities, n_samples, stream)
        self._thresholds = self._kernels.bernoulli_thresholds(self.probabilities)

    def _draw(self, samples: range, dtype: torch.dtype) -> torch.Tensor:
        return self._kernels.bernoulli(
            self.probabilities, self._thresholds, self.stream, samples, dtype
        )

    def _weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        return self._kernels.bernoulli_weighted_sum(
            self.probabilities, self._thresholds, self.stream, weights
        )


class DirichletCopula(KernelSamples):
    """Mutually antithetic samples by the Dirichlet copula.

    The coordinate with the rarer value 1 is copied from the event, the other one from
    its complement; for n = 2 this is the plain antithetic pair. Source: Dimitriev and
    Zhou (2021); Silva (2023), algorithm 5 (whose exponents are misplaced: see
    ``doc/errata.md``).

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples, at least 2.
    stream : RandomStream
        The address of the draws.

    Raises
    ------
    ValueError
        If n_samples < 2.

    Notes
    -----
    Draws have 32 bits, so a value whose probability is far below 2^-32 may never come.
    """

    def __init__(
        self, probabilities: torch.Tensor, n_samples: int, stream: RandomStream
    ) -> None:
        if n_samples < 2:
            raise ValueError(
                f"n_samples={n_samples} cannot be coupled; it must be at least 2."
            )
        super().__init__(probabilities, n_samples, stream)
        self._complement = self.probabilities > 0.5
        self._thresholds = self._kernels.dirichlet_thresholds(
            self.probabilities, stream, n_samples
        )

    def _draw(self, samples: range, dtype: torch.dtype) -> torch.Tensor:
        return self._kernels.coupled(
            self._thresholds, self._complement, self.stream, samples, dtype
        )

    def _weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        return self._kernels.coupled_weighted_sum(
            self._thresholds,
            self._complement,
            self.stream,
            weights,
            self.probabilities.dtype,
        )

    def correlation(self, part: slice = slice(None)) -> torch.Tensor:
        """Return the correlation of two samples of each coordinate.

        Parameters
        ----------
        part : slice, default=slice(None)
            The coordinates asked for; all of them by default.

        Returns
        -------
        correlation : torch.Tensor of shape (d,)
            In [-1, 0]; 0 where theta is 0 or 1.
        """
        return dirichlet_correlation(_rarer(self.probabilities[part]), self.n_samples)


def _rarer(probabilities: torch.Tensor) -> torch.Tensor:
    return torch.minimum(probabilities, 1 - probabilities)


def dirichlet_correlation(tail: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Return the correlation of two samples coupled by the Dirichlet copula.

    Parameters
    ----------
    tail : torch.Tensor of shape (d,)
        q = min(theta, 1 - theta), the probability of the rarer value.
    n_samples : int
        The number n of coupled samples, at least 2.

    Returns
    -------
    correlation : torch.Tensor of shape (d,)
        (max(0, 2 q^(1/(n-1)) - 1)^(n-1) - q^2) / (q (1 - q)), and 0 where q = 0.
    """
    # In place, because the callers count every vector of d floats.
    root = tail.log().div_(n_samples - 1).expm1_().mul_(2).add_(1).clamp_(min=0)
    both = root.pow_(n_samples - 1)
    rho = both.div_(tail).sub_(tail).div_(1 - tail)
    return rho.masked_fill_(tail <= 0, 0.0)
