"""Antithetic pairs: one uniform u a coordinate makes two samples, by u and 1 - u."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..utils import RandomStream
from ._regenerated import RegeneratedSamples


class AntitheticPairs(RegeneratedSamples):
    """n / 2 independent pairs of antithetic samples.

    The samples 2p and 2p + 1 are ``1[u < theta]`` and ``1[1 - u < theta]`` with the
    uniforms u of the pair p, as negatively correlated as their marginals allow.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples, even.
    stream : RandomStream
        The address of the draws.

    Raises
    ------
    ValueError
        If n_samples is odd or less than 2.

    Notes
    -----
    Silva (2023), section 4.2.4. `DirichletCopula` with n = 2 is one such pair; here
    the uniforms are known, which ARM needs.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import AntitheticPairs
    >>> from sklearn_pb.utils import RandomStream
    >>> pairs = AntitheticPairs(torch.full((3,), 0.5), 2, RandomStream(0))
    >>> pairs.draw(range(2)).sum(dim=0)
    tensor([1., 1., 1.])
    """

    def __init__(
        self, probabilities: torch.Tensor, n_samples: int, stream: RandomStream
    ) -> None:
        if n_samples < 2 or n_samples % 2:
            raise ValueError(
                f"n_samples={n_samples} cannot be split into pairs; it must be even "
                "and at least 2."
            )
        super().__init__(probabilities, n_samples, stream)

    def _events(self, sample: int) -> Iterator[tuple[slice, torch.Tensor]]:
        pair, second = divmod(sample, 2)
        for block, u in self._uniforms(pair):
            yield block, (1 - u if second else u) < self.probabilities[block]

    def _draw(self, samples: range, dtype: torch.dtype) -> torch.Tensor:
        if samples.step != 1 or samples.start % 2 or samples.stop % 2:
            return super()._draw(samples, dtype)
        theta = self.probabilities
        z = theta.new_empty(len(samples), len(theta), dtype=dtype)
        for row in range(0, len(samples), 2):  # the uniforms of a pair are drawn once
            for block, u in self._uniforms((samples.start + row) // 2):
                z[row, block] = u < theta[block]
                z[row + 1, block] = 1 - u < theta[block]
        return z

    def weighted_uniforms(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the sum over all pairs p of ``weights[p] * (u^(p) - 1/2)``.

        Parameters
        ----------
        weights : torch.Tensor of shape (n / 2,)
            One weight a pair.

        Returns
        -------
        total : torch.Tensor of shape (d,)
            The sum; the uniforms are regenerated, not stored.
        """
        total = torch.zeros_like(self.probabilities)
        for pair, weight in enumerate(weights.tolist()):
            for block, u in self._uniforms(pair):
                total[block] += (weight * (u - 0.5)).to(total.dtype)
        return total

    def correlation(self, part: slice = slice(None)) -> torch.Tensor:
        """Return the correlation of the two samples of a pair.

        Parameters
        ----------
        part : slice, default=slice(None)
            The coordinates asked for; all of them by default.

        Returns
        -------
        correlation : torch.Tensor of shape (d,)
            -q / (1 - q) with q = min(theta, 1 - theta).
        """
        theta = self.probabilities[part]
        rarer = torch.minimum(theta, 1 - theta)
        return -rarer / (1 - rarer)
