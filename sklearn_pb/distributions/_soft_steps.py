"""Soft steps: increasing maps of the reals onto (0, 1) that sharpen into a step.

They are parametrizations of one logit a variable. Besides, they work in place and give
their derivative from their value: masks of networks are large.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch

from ..kernels import arithmetic_for
from ..utils import check_number
from ._parametrizations import Parametrization, Sigmoid


class SoftStep(Parametrization):
    """A smooth step f with f(-inf) = 0, f(0) = 1/2 and f(inf) = 1."""

    @abstractmethod
    def step_(self, x: torch.Tensor) -> torch.Tensor:
        """Replace x by f(x), in place.

        Parameters
        ----------
        x : torch.Tensor
            Where the step is wanted.

        Returns
        -------
        value : torch.Tensor
            The same tensor.
        """

    @abstractmethod
    def backward_(self, slope: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Multiply a slope by f'(x), in place.

        Parameters
        ----------
        slope : torch.Tensor
            Derivative of a cost by f(x).
        value : torch.Tensor
            f(x).

        Returns
        -------
        slope : torch.Tensor
            The same tensor: the derivative by x.
        """

    def sharpened(
        self, logits: torch.Tensor, sharpness: float, out: torch.Tensor
    ) -> torch.Tensor:
        """Put f(sharpness * logits) into memory at hand.

        Parameters
        ----------
        logits : torch.Tensor
            Where the step is wanted, before they are sharpened.
        sharpness : float
            What they are multiplied by.
        out : torch.Tensor shaped as `logits`
            Overwritten.

        Returns
        -------
        value : torch.Tensor
            `out`.
        """
        return self.step_(torch.mul(logits, sharpness, out=out))

    def check(self) -> None:
        """Raise if a parameter is out of its range."""

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return f(logits)."""
        return self.step_(logits.clone())

    def _score_factor(self, logits: torch.Tensor) -> torch.Tensor:
        theta = self.probabilities(logits)
        return self.backward_(torch.ones_like(theta), theta) / (theta * (1 - theta))


@dataclass(frozen=True)
class Logistic(Sigmoid, SoftStep):
    """f(x) = 1 / (1 + exp(-x)), the usual choice: Savarese (2025), equation (4.15)."""

    def step_(self, x: torch.Tensor) -> torch.Tensor:
        """Replace x by its logistic sigmoid, in place."""
        return x.sigmoid_()

    def sharpened(
        self, logits: torch.Tensor, sharpness: float, out: torch.Tensor
    ) -> torch.Tensor:
        """Put the logistic sigmoid of ``sharpness * logits`` into memory at hand."""
        arithmetic_for(out, logits).put_logistic(out, logits, sharpness)
        return out

    def backward_(self, slope: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Multiply a slope by f (1 - f), in place."""
        return torch.ops.aten.sigmoid_backward.grad_input(
            slope, value, grad_input=slope
        )


@dataclass(frozen=True)
class Erf(SoftStep):
    """f(x) = (1 + erf x) / 2, with the lightest tails of all.

    Notes
    -----
    Savarese (2025), section 4.2.4.
    """

    def step_(self, x: torch.Tensor) -> torch.Tensor:
        """Replace x by (1 + erf x) / 2, in place; accurate in the lower tail too."""
        return x.neg_().erfc_().div_(2)

    def backward_(self, slope: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Multiply a slope by exp(-x^2) / sqrt(pi), in place."""
        x = self.logits(value)
        return slope.mul_(x.square_().neg_().exp_().div_(math.pi**0.5))

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return the inverse, from the normal quantile."""
        return torch.special.ndtri(probabilities).div_(2**0.5)


@dataclass(frozen=True)
class Arctan(SoftStep):
    """f(x) = (1 + (2 / pi) arctan x) / 2, with the heaviest tails.

    Notes
    -----
    Savarese (2025), section 4.2.4, which prints pi / 2 for 2 / pi: then f would leave
    [0, 1].
    """

    def step_(self, x: torch.Tensor) -> torch.Tensor:
        """Replace x by 1/2 + arctan(x) / pi, in place."""
        return x.atan_().div_(math.pi).add_(0.5)

    def backward_(self, slope: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Multiply a slope by sin(pi f)^2 / pi, in place."""
        return slope.mul_((value * math.pi).sin_().square_().div_(math.pi))

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return tan(pi (f - 1/2))."""
        return torch.tan((probabilities - 0.5) * math.pi)


@dataclass(frozen=True)
class Algebraic(SoftStep):
    """f(x) = (1 + x / (1 + abs(x)^k)^(1/k)) / 2.

    Parameters
    ----------
    power : float, default=2.0
        The exponent k, greater than 0. Higher is closer to a ramp.

    Notes
    -----
    Savarese (2025), section 4.2.4. With ``x = beta s``; the source writes
    ``1 / beta + abs(s)^k`` in the denominator, which is the same at the sharpness
    ``beta^(1/k)``.
    """

    power: float = 2.0

    def check(self) -> None:
        """Raise if a parameter is out of its range."""
        check_number(self.power, "power", low=0, low_open=True)

    def step_(self, x: torch.Tensor) -> torch.Tensor:
        """Replace x by f(x), in place; huge x are no trouble."""
        small = x.abs().clamp_(max=1)  # x / (1 + x^k)^(1/k) = (1 + x^-k)^(-1/k)
        large = x.abs().clamp_(min=1)
        size = small * (small**self.power + large**-self.power) ** (-1 / self.power)
        return x.sign_().mul_(size).add_(1).div_(2)

    def backward_(self, slope: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Multiply a slope by (1 - abs(2 f - 1)^k)^(1 + 1/k) / 2, in place."""
        left = 1 - (2 * value - 1).abs_() ** self.power
        return slope.mul_(left.clamp_(min=0) ** (1 + 1 / self.power)).div_(2)

    def logits(self, probabilities: torch.Tensor) -> torch.Tensor:
        """Return y / (1 - abs(y)^k)^(1/k) with y = 2 f - 1."""
        y = 2 * probabilities - 1
        return y * (1 - y.abs() ** self.power) ** (-1 / self.power)


SOFT_STEPS: dict[str, type[SoftStep]] = {
    "algebraic": Algebraic,
    "arctan": Arctan,
    "erf": Erf,
    "sigmoid": Logistic,
}
