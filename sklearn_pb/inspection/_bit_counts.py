"""How many of n samples of one bit are ones: independent, or coupled by Dirichlet."""

from __future__ import annotations

import math

import torch

# Inclusion and exclusion loses about one digit more for every three samples.
MOST_COUPLED = 32


def binomial_counts(probabilities: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Return P(K = 0), ..., P(K = n) of independent samples.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples.

    Returns
    -------
    counts : torch.Tensor of shape (d, n + 1)
        Rows that add up to 1.
    """
    numbers = range(n_samples + 1)
    k = _tensor_like(probabilities, list(numbers))
    choose = _tensor_like(probabilities, [math.comb(n_samples, j) for j in numbers])
    theta = probabilities[:, None]
    return choose * theta**k * (1 - theta) ** (n_samples - k)


def dirichlet_counts(probabilities: torch.Tensor, n_samples: int) -> torch.Tensor:
    """Return P(K = 0), ..., P(K = n) of samples coupled by the Dirichlet copula.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1), in float64.
    n_samples : int
        The number n of samples, from 2 to 32.

    Returns
    -------
    counts : torch.Tensor of shape (d, n + 1)
        Rows that add up to 1.

    Notes
    -----
    The rarer value, of probability q, comes where a share of the Dirichlet vector
    exceeds c = 1 - q^(1 / (n - 1)); m given shares do so together with probability
    max(0, 1 - m c)^(n - 1). The rest is inclusion and exclusion. For n = 4 this is
    table B.1 of Silva (2023), as corrected in ``doc/errata.md``.
    """
    rarer = torch.minimum(probabilities, 1 - probabilities)
    threshold = -torch.special.expm1(rarer.log() / (n_samples - 1))
    numbers = range(n_samples + 1)
    m = _tensor_like(probabilities, list(numbers))
    together = (1 - m * threshold[:, None]).clamp_(min=0) ** (n_samples - 1)
    terms = [[_term(n_samples, k, m) for k in numbers] for m in numbers]
    counts = (together @ _tensor_like(probabilities, terms)).clamp_(min=0)
    ones_are_rarer = (probabilities <= 0.5)[:, None]
    return torch.where(ones_are_rarer, counts, counts.flip(1))


def _term(n: int, k: int, m: int) -> int:
    """Coefficient in P(exactly k of n) of P(m given ones together)."""
    if m < k:
        return 0
    return (-1) ** (m - k) * math.comb(n, m) * math.comb(m, k)


def _tensor_like(like: torch.Tensor, values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)
