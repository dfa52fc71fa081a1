"""The Gaussian copula: samples made mutually antithetic by correlated normals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch

from ..utils import RandomStream
from ._regenerated import RegeneratedSamples

NODES = 10  # of the Gauss-Legendre rule: rho to the last digit of float64


class GaussianCopula(RegeneratedSamples):
    """Mutually antithetic samples by the Gaussian copula.

    Of n independent normals the mean is taken away and the rest scaled back to unit
    variance: each two have the correlation -1/(n-1), the least that n variables can
    have together. A sample is one where its normal lies below Phi^-1(theta).

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples, at least 2; two are the plain antithetic pair.
    stream : RandomStream
        The address of the draws.

    Raises
    ------
    ValueError
        If n_samples < 2.

    Notes
    -----
    Dimitriev and Zhou (2021), section 4. A normal lies below the common level just if
    the independent one that it was made of lies below a threshold, which is the same
    for all samples of a coordinate: besides the thresholds nothing is stored.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import GaussianCopula
    >>> from sklearn_pb.utils import RandomStream
    >>> samples = GaussianCopula(torch.tensor([0.1, 0.5]), 3, RandomStream(0))
    >>> samples.correlation()
    tensor([-0.1029, -0.3333])
    """

    def __init__(
        self, probabilities: torch.Tensor, n_samples: int, stream: RandomStream
    ) -> None:
        if n_samples < 2:
            raise ValueError(
                f"n_samples={n_samples} cannot be coupled; it must be at least 2."
            )
        super().__init__(probabilities, n_samples, stream)
        self._thresholds = torch.zeros_like(self.probabilities)
        for sample in range(n_samples):
            for block, normals in self._normals(sample):
                self._thresholds[block] += normals / n_samples
        spread = math.sqrt((n_samples - 1) / n_samples)
        for block in self._blocks():
            level = torch.special.ndtri(self.probabilities[block].double())
            self._thresholds[block] += spread * level

    def _events(self, sample: int) -> Iterator[tuple[slice, torch.Tensor]]:
        for block, normals in self._normals(sample):
            yield block, normals < self._thresholds[block]

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
        theta = self.probabilities[part]
        return gaussian_correlation(torch.minimum(theta, 1 - theta), self.n_samples)


def gaussian_correlation(tail: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Return the correlation of two samples coupled by the Gaussian copula.

    Parameters
    ----------
    tail : torch.Tensor of shape (d,)
        q = min(theta, 1 - theta), the probability of the rarer value.
    n_samples : int
        The number n of coupled samples, at least 2.

    Returns
    -------
    correlation : torch.Tensor of shape (d,)
        (Phi_2(h, h; -1/(n-1)) - q^2) / (q (1 - q)) with h = Phi^-1(q), and 0 where
        q = 0.

    Notes
    -----
    The numerator is an integral over the angle of the correlation (Drezner and
    Wesolowsky, 1990), in which nothing cancels however small q is:
    int_0^asin(r) exp(-h^2 / (1 + sin t)) dt / (2 pi).
    """
    if n_samples == 2:  # never both the rarer value; and 1 + sin t vanishes at the end
        return -tail / (1 - tail)
    q = tail.double()
    squared = torch.special.ndtri(q).square()
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    end = math.asin(-1 / (n_samples - 1))
    covariance = torch.zeros_like(q)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        steepness = 1 / (1 + math.sin(end * (1 + node) / 2))
        covariance += weight * torch.exp(-steepness * squared)
    rho = end / (4 * math.pi) * covariance / (q * (1 - q))
    return torch.where(q > 0, rho, 0.0).to(tail.dtype)
