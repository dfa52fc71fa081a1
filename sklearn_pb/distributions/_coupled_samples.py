"""The contract of couplings: n samples of Bernoulli variables, drawn on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from ..kernels import backend_for
from ..utils import RandomStream

_ROOM = 4 << 20  # bytes that `keep` may take: for d of a million and more, d floats


class CoupledSamples(ABC):
    """n samples of independent Bernoulli variables, regenerated on demand.

    The coordinates are independent of each other; only the n samples of one coordinate
    may depend on each other. Marginals are those of `probabilities`: to their precision
    for independent samples, to 2^-32 for coupled ones.

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
        self.probabilities = probabilities.detach()
        self.n_samples = n_samples
        self.stream = stream
        self._kept: torch.Tensor | None = None

    def draw(self, samples: range) -> torch.Tensor:
        """Return the samples of the given numbers.

        Parameters
        ----------
        samples : range
            Numbers from 0 to n - 1.

        Returns
        -------
        z : torch.Tensor of shape (len(samples), d)
            Zeros and ones.
        """
        if self._kept is None:
            return self._draw(samples, self.probabilities.dtype)
        # A copy: what is done to it must not reach the sums.
        every = len(samples) == self.n_samples and samples.step == 1
        some = self._kept if every else self._kept[list(samples)]
        return some.to(self.probabilities.dtype, copy=every)

    def weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the sum over all samples s of ``weights[s] * z^(s)``.

        Parameters
        ----------
        weights : torch.Tensor of shape (n,)
            One weight a sample.

        Returns
        -------
        total : torch.Tensor of shape (d,)
            The sum; samples that are not kept are regenerated.
        """
        if self._kept is None:
            return self._weighted_sum(weights)
        return _sum_of_rows(weights, self._kept, self.probabilities.dtype)

    def keep(self) -> None:
        """Keep the samples, a byte a bit, if they fit into 4 MiB.

        To be called before samples are drawn several times. Others are regenerated
        whenever they are asked for.
        """
        n, d = self.n_samples, len(self.probabilities)
        if self._kept is None and n * d <= _ROOM:
            self._kept = self._draw(range(n), torch.uint8)

    def mask(self, sample: int) -> torch.Tensor:
        """Return one sample in the form that is at hand.

        Parameters
        ----------
        sample : int
            Its number.

        Returns
        -------
        mask : torch.Tensor of shape (d,)
            Zeros and ones, as bytes if samples are kept; not to be changed.
        """
        if self._kept is not None:
            return self._kept[sample]
        return self.draw(range(sample, sample + 1))[0]

    @abstractmethod
    def _draw(self, samples: range, dtype: torch.dtype) -> torch.Tensor: ...

    @abstractmethod
    def _weighted_sum(self, weights: torch.Tensor) -> torch.Tensor: ...

    def correlation(self, part: slice = slice(None)) -> torch.Tensor | float:
        """Return the correlation of two samples of the same coordinate.

        Parameters
        ----------
        part : slice, default=slice(None)
            The coordinates asked for; all of them by default.

        Returns
        -------
        correlation : float or torch.Tensor of shape (d,)
            0 for independent samples.
        """
        return 0.0


def _sum_of_rows(
    weights: torch.Tensor, rows: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Sum over the rows, floats or bytes, each with its weight."""
    if rows.is_floating_point():
        return weights.to(dtype) @ rows
    return backend_for(rows.device).weighted_rows(rows, weights, dtype)
