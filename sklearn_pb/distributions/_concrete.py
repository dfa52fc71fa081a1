"""Concrete and hard concrete: Bernoulli variables relaxed to [0, 1].

A Bernoulli variable is the sign of a *latent* one: ``z = 1[l > 0]`` with
``l = log(theta / (1 - theta)) + noise`` and logistic noise. A relaxation is a smooth
function of the same l, so that it carries gradients for the log-odds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from ..utils import RandomStream, check_number

_FARTHEST = 100.0  # log-odds are kept within +-100, so that no difference is inf - inf
_SMALLEST = 2.0**-54  # uniforms are kept as far as this from 0, and twice that from 1


def log_odds(probabilities: torch.Tensor) -> torch.Tensor:
    """Return log(theta / (1 - theta)), finite for theta = 0 and 1 too.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        theta, in [0, 1].

    Returns
    -------
    log_odds : torch.Tensor of shape (d,)
        In [-100, 100].
    """
    return torch.logit(probabilities).clamp(-_FARTHEST, _FARTHEST)


def logistic_noise(
    stream: RandomStream, samples: range, like: torch.Tensor
) -> torch.Tensor:
    """Return standard logistic noise, log(u / (1 - u)) of uniform draws u.

    Parameters
    ----------
    stream : RandomStream
        The address of the draws.
    samples : range
        Numbers of the samples; each has draws of its own, whatever the others are.
    like : torch.Tensor of shape (d,)
        Gives the number of variables, the dtype and the device.

    Returns
    -------
    noise : torch.Tensor of shape (len(samples), d)
        Finite. Drawn in double precision, so that both tails are as fine.
    """
    noise = torch.empty(
        (len(samples), len(like)), dtype=torch.float64, device=like.device
    )
    for row, s in zip(noise, samples, strict=True):
        row.uniform_(generator=stream.child(s).torch_generator(like.device))
    noise.clamp_(_SMALLEST, 1 - 2 * _SMALLEST)
    return torch.logit(noise).to(like.dtype)


def conditional_latent(
    log_odds: torch.Tensor, hard: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Return a latent variable given its sign.

    Parameters
    ----------
    log_odds : torch.Tensor of shape (d,)
        log(theta / (1 - theta)).
    hard : torch.Tensor of shape (m, d)
        The signs: 1 where the latent variable is to be positive, else 0.
    noise : torch.Tensor of shape (m, d)
        Fresh logistic noise.

    Returns
    -------
    latent : torch.Tensor of shape (m, d)
        Distributed as ``log_odds + noise`` given that it is positive where `hard` is
        1, negative elsewhere; differentiable by `log_odds`.

    Notes
    -----
    Tucker et al. (2017), appendix C, in a form without cancellation: with
    s(x) = log(1 + e^x), the latent variable is ``s(noise + s(log_odds))`` given 1
    and ``-s(s(-log_odds) - noise)`` given 0.
    """
    softplus = torch.nn.functional.softplus
    positive = softplus(noise + softplus(log_odds))
    negative = -softplus(softplus(-log_odds) - noise)
    return torch.where(hard > 0, positive, negative)


def conditional_derivative(
    latent: torch.Tensor, log_odds: torch.Tensor
) -> torch.Tensor:
    """Return how fast a latent variable of known sign moves with the log-odds.

    Parameters
    ----------
    latent : torch.Tensor of shape (m, d)
        The latent variables.
    log_odds : torch.Tensor of shape (d,)
        log(theta / (1 - theta)).

    Returns
    -------
    derivative : torch.Tensor of shape (m, d)
        In [0, 1): that of `conditional_latent` by `log_odds`, at the noise where it
        equals `latent`.

    Notes
    -----
    ``P(z) (1 - exp(-abs(latent)))``, with z the sign of the latent variable.
    """
    agreeing = torch.where(latent > 0, log_odds, -log_odds)
    return torch.expm1(-latent.abs()).neg_() * torch.sigmoid(agreeing)


class Relaxation(ABC):
    """A smooth stand-in for the step ``z = 1[latent > 0]``."""

    @abstractmethod
    def relax(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the relaxed value of latent variables.

        Parameters
        ----------
        latent : torch.Tensor
            Log-odds plus logistic noise.

        Returns
        -------
        z : torch.Tensor shaped as `latent`
            In [0, 1], differentiable by `latent`.
        """

    @abstractmethod
    def check(self) -> None:
        """Raise if a parameter is out of its range."""

    def relax_(self, latent: torch.Tensor) -> torch.Tensor:
        """Replace latent variables by their relaxed values, in place.

        Parameters
        ----------
        latent : torch.Tensor
            Log-odds plus logistic noise.

        Returns
        -------
        z : torch.Tensor shaped as `latent`
            The same tensor, without a gradient.
        """
        with torch.no_grad():
            return latent.copy_(self.relax(latent))

    def backward_(
        self, slope: torch.Tensor, latent: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        """Multiply a slope by the derivative of `relax`, in place.

        Parameters
        ----------
        slope : torch.Tensor
            Derivative of a cost by the relaxed values.
        latent : torch.Tensor shaped as `slope`
            Where the derivative is taken; may be overwritten.
        value : torch.Tensor shaped as `slope`
            The relaxed values of `latent`.

        Returns
        -------
        slope : torch.Tensor
            The same tensor: the derivative by the latent variables.
        """
        with torch.enable_grad():
            point = latent.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.relax(point), point, slope)
        return slope.copy_(gradient)

    @property
    def price_shift(self) -> float:
        """What is taken from the log-odds where a one has a price.

        A price is for sigma(log_odds - shift), the probability that a sample counts as
        a one. It is 0 unless that is more than theta.
        """
        return 0.0

    def sample(
        self, log_odds: torch.Tensor, stream: RandomStream, samples: range
    ) -> torch.Tensor:
        """Return relaxed samples, differentiable by the log-odds.

        Parameters
        ----------
        log_odds : torch.Tensor of shape (d,)
            log(theta / (1 - theta)).
        stream : RandomStream
            The address of the draws.
        samples : range
            Numbers of the samples.

        Returns
        -------
        z : torch.Tensor of shape (len(samples), d)
            In [0, 1].
        """
        return self.relax(log_odds + logistic_noise(stream, samples, log_odds))


@dataclass(frozen=True)
class Concrete(Relaxation):
    """The binary Concrete distribution (Gumbel-softmax): sigma(latent / temperature).

    Parameters
    ----------
    temperature : float, default=2/3
        Greater than 0. Lower is closer to Bernoulli; a sample exceeds 1/2 with
        probability theta at every temperature.

    Notes
    -----
    Maddison et al. (2016); Jang et al. (2016); Silva (2023), section 5.2. The
    temperature divides the log-odds and the noise alike. Equation (26) of Oh et al.
    divides the log-odds alone, which is a misprint: with it, samples would not become
    binary as the temperature falls.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import Concrete
    >>> Concrete(temperature=0.5).relax(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([0.1192, 0.5000, 0.8808])
    """

    temperature: float = 2 / 3

    def relax(self, latent: torch.Tensor) -> torch.Tensor:
        """Return sigma(latent / temperature)."""
        return torch.sigmoid(latent / self.temperature)

    def relax_(self, latent: torch.Tensor) -> torch.Tensor:
        """Replace latent variables by sigma(latent / temperature), in place."""
        return latent.div_(self.temperature).sigmoid_()

    def backward_(
        self, slope: torch.Tensor, latent: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        """Multiply a slope by z (1 - z) / temperature, in place."""
        torch.ops.aten.sigmoid_backward.grad_input(slope, value, grad_input=slope)
        return slope.div_(self.temperature)

    def check(self) -> None:
        """Raise if a parameter is out of its range."""
        check_number(self.temperature, "temperature", low=0, low_open=True)


@dataclass(frozen=True)
class HardConcrete(Relaxation):
    """A Concrete variable stretched to (gamma, zeta) and clamped to [0, 1].

    Parameters
    ----------
    temperature : float, default=2/3
        Greater than 0.
    gamma : float, default=-0.1
        Lower limit of the stretched variable, less than 0.
    zeta : float, default=1.1
        Upper limit of the stretched variable, greater than 1.

    Notes
    -----
    Louizos et al. (2018), equations (10) to (12), with their values of the parameters.
    Samples are exactly 0 and exactly 1 with positive probability.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.distributions import HardConcrete
    >>> HardConcrete().nonzero_probability(torch.zeros(1))
    tensor([0.8318])
    """

    temperature: float = 2 / 3
    gamma: float = -0.1
    zeta: float = 1.1

    def relax(self, latent: torch.Tensor) -> torch.Tensor:
        """Return min(1, max(0, sigma(latent / tau) (zeta - gamma) + gamma))."""
        soft = torch.sigmoid(latent / self.temperature)
        return (soft * (self.zeta - self.gamma) + self.gamma).clamp(0, 1)

    def relax_(self, latent: torch.Tensor) -> torch.Tensor:
        """Replace latent variables by their stretched and clamped values, in place."""
        soft = latent.div_(self.temperature).sigmoid_()
        return soft.mul_(self.zeta - self.gamma).add_(self.gamma).clamp_(0, 1)

    def backward_(
        self, slope: torch.Tensor, latent: torch.Tensor, value: torch.Tensor
    ) -> torch.Tensor:
        """Multiply a slope by the derivative, zero where the value is 0 or 1."""
        width = self.zeta - self.gamma
        soft = torch.sub(value, self.gamma, out=latent).div_(width)
        torch.ops.aten.sigmoid_backward.grad_input(slope, soft, grad_input=slope)
        slope.mul_(width / self.temperature)
        return slope.masked_fill_((value <= 0) | (value >= 1), 0.0)

    @property
    def price_shift(self) -> float:
        """tau log(-gamma / zeta): a sample counts as a one if it is not zero."""
        return self.temperature * math.log(-self.gamma / self.zeta)

    def nonzero_probability(self, log_odds: torch.Tensor) -> torch.Tensor:
        """Return the probability that a sample is not zero.

        Parameters
        ----------
        log_odds : torch.Tensor of shape (d,)
            log(theta / (1 - theta)).

        Returns
        -------
        probability : torch.Tensor of shape (d,)
            sigma(log_odds - tau log(-gamma / zeta)): their equation (12), the expected
            L0 norm of one variable.
        """
        return torch.sigmoid(log_odds - self.price_shift)

    def check(self) -> None:
        """Raise if a parameter is out of its range."""
        check_number(self.temperature, "temperature", low=0, low_open=True)
        check_number(self.gamma, "gamma", high=0, high_open=True)
        check_number(self.zeta, "zeta", low=1, low_open=True)
