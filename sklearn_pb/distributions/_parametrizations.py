"""Parametrizations of Bernoulli probabilities: theta(r), its inverse and its score.

Every unbiased estimator of this package first estimates the covariance of the cost
with each z_i, which is theta_i (1 - theta_i) dE[J]/dtheta_i; a parametrization turns
that into the gradient for its logits r. Source: Silva (2023), section 4.4, table 4.2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

_SAFE = 16.0  # logits up to here have a sigmoid that is neither 0 nor 1


class Parametrization(ABC):
    """A map from free parameters r, the *logits*, to probabilities theta in [0, 1]."""

    components: ClassVar[int] = 1

    @abstractmethod
    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return theta(r).

        Parameters
        ----------
        logits : torch.Tensor of shape (d,), or (components, d)
            The free parameters r.

        Returns
        -------
        probabilities : torch.Tensor of shape (d,)
            P(z_i = 1).
        """

    @abstractmethod
    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return one r with theta(r) = `probabilities`.

        Parameters
        ----------
        probabilities : torch.Tensor of shape (d,)
            Values in (0, 1).

        Returns
        -------
        logits : torch.Tensor of shape (d,), or (components, d)
            The inverse map of table 4.2.
        """

    @abstractmethod
    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        """theta'(r) / (theta (1 - theta)), of a shape that broadcasts to the logits."""

    def pull_back(self, covariance: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the gradient for the logits of a covariance with each z_i.

        Parameters
        ----------
        covariance : torch.Tensor of shape (d,)
            Estimate of Cov(J, z_i), which is theta_i (1 - theta_i) dE[J]/dtheta_i.
        logits : torch.Tensor of shape (d,), or (components, d)
            Where the gradient is taken.

        Returns
        -------
        gradient : torch.Tensor shaped as `logits`
            Zero where theta is exactly 0 or 1.
        """
        theta = self.probabilities(logits)
        settled = (theta <= 0) | (theta >= 1)
        return (covariance * self._score_factor(logits)).masked_fill(settled, 0.0)

    def keeps_covariance(self, logits: torch.Tensor) -> bool:
        """Return whether `pull_back` changes nothing, so that it may be left out.

        Parameters
        ----------
        logits : torch.Tensor of shape (d,), or (components, d)
            Where the gradient is taken.

        Returns
        -------
        keeps : bool
            False where that is not known.
        """
        return False

    def score(self, logits: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return the score function, the gradient of log p(z; theta(r)).

        Parameters
        ----------
        logits : torch.Tensor of shape (d,), or (components, d)
            The free parameters.
        z : torch.Tensor of shape (d,)
            A point of {0, 1}^d.

        Returns
        -------
        score : torch.Tensor shaped as `logits`
            Zero where theta is exactly 0 or 1.
        """
        return self.pull_back(z - self.probabilities(logits), logits)

    def derivative(
        self, logits: torch.Tensor, probabilities: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return dtheta_i/dr_i.

        Parameters
        ----------
        logits : torch.Tensor of shape (d,), or (components, d)
            The free parameters.
        probabilities : torch.Tensor of shape (d,), default=None
            Theta, where it is known; None computes it.

        Returns
        -------
        derivative : torch.Tensor shaped as `logits`
            The derivative of each probability by each of its own logits.
        """
        theta = self.probabilities(logits) if probabilities is None else probabilities
        return self.pull_back(theta * (1 - theta), logits)

    def constrain_(self, logits: torch.Tensor) -> None:  # noqa: B027
        """Bring updated logits back into their domain, in place.

        Parameters
        ----------
        logits : torch.Tensor
            The free parameters; only `Direct` limits them.
        """


@dataclass(frozen=True)
class Sigmoid(Parametrization):
    """theta = 1 / (1 + exp(-r)).

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import Sigmoid
    >>> Sigmoid().probabilities(torch.zeros(2))
    tensor([0.5000, 0.5000])
    """

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logistic sigmoid of the logits."""
        return torch.sigmoid(logits)

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return log(theta) - log(1 - theta)."""
        return torch.logit(probabilities)

    def keeps_covariance(self, logits: torch.Tensor) -> bool:
        """Return whether no probability is as near to 0 or 1 as to be rounded there."""
        low, high = torch.aminmax(logits.detach())
        return bool(low > -_SAFE) and bool(high < _SAFE)

    def derivative(
        self, logits: torch.Tensor, probabilities: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return theta (1 - theta)."""
        theta = self.probabilities(logits) if probabilities is None else probabilities
        return torch.addcmul(theta, theta, theta, value=-1)

    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.new_ones(())


@dataclass(frozen=True)
class Direct(Parametrization):
    """theta = r, kept inside [eps, 1 - eps] after every update.

    Parameters
    ----------
    eps : float, default=1e-3
        Distance kept from 0 and 1, so that no gradient dies early.
    """

    eps: float = 1e-3

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits themselves, as they are in [0, 1]."""
        return logits.clamp(0, 1)

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the probabilities themselves."""
        return probabilities.clone()

    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        return 1 / (logits * (1 - logits))

    def constrain_(self, logits: torch.Tensor) -> None:
        """Clamp the logits to [eps, 1 - eps], in place."""
        with torch.no_grad():
            logits.clamp_(self.eps, 1 - self.eps)


@dataclass(frozen=True)
class Cosine(Parametrization):
    """theta = (1 - cos r) / 2: probabilities swing, they never saturate."""

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return (1 - cos r) / 2, computed as sin(r / 2)^2."""
        return torch.sin(logits / 2).square()

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return pi - arccos(2 theta - 1), computed as 2 arcsin(sqrt(theta))."""
        return 2 * torch.asin(probabilities.sqrt())

    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        return 2 / torch.sin(logits)


@dataclass(frozen=True)
class Escort(Parametrization):
    """theta = abs(r_1)^P / (abs(r_1)^P + abs(r_2)^P), two logits a variable.

    Parameters
    ----------
    power : float, default=4.0
        The exponent P (Mei et al., 2020).
    """

    components: ClassVar[int] = 2
    power: float = 4.0

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the escort probability of the first of each pair of logits."""
        return torch.sigmoid(self.power * logits.abs().log().diff(dim=0).neg()[0])

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return ((theta / (1 - theta))^(1/P), 1)."""
        odds = probabilities / (1 - probabilities)
        return torch.stack([odds.pow(1 / self.power), torch.ones_like(odds)])

    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.power / logits[0], -self.power / logits[1]])


PRESETS: dict[str, type[Parametrization]] = {
    "sigmoid": Sigmoid,
    "direct": Direct,
    "cosine": Cosine,
    "escort": Escort,
}
