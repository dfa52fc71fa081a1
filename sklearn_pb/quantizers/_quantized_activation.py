"""The module that stands in a network where an activation function was."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ..utils import RandomStream
from ._codes import power_of_two, precision_of_logits, real_precision


class QuantizedActivation(nn.Module):
    """Apply a function, then clip to its range and round to even levels.

    While precisions are learned, training passes add noise and do not round; the
    derivatives of prices are added in the backward pass, so that no loss has to know of
    them. Everything is rounded in evaluation, and once precisions are fixed.

    Parameters
    ----------
    function : {"relu", "sigmoid", "tanh"}
        What is applied; outputs of "relu" are clipped at `reach`.
    reach : float
        Size M of the range: of "relu" where it starts, else 1 and 2.
    ceiling : float, default=inf
        What the reach of "relu" may not grow beyond.

    Attributes
    ----------
    reach : nn.Parameter or torch.Tensor
        Size of the range, of shape (): a parameter for "relu" only.
    logits : nn.Parameter or None
        s, while precisions are learned.
    bits : torch.Tensor of uint8, or None
        Precisions, once they are fixed: of shape (), or one that broadcasts to an
        output without its axis of rows.
    n_units : int
        Outputs of a row.
    stream : RandomStream or None
        Where noise comes from; `step` is part of its address.
    step : int
        Number of the training step.
    decay : float
        Price of half the square of the reach.
    price : float
        Price of a bit of each output.
    """

    reach: torch.Tensor
    logits: nn.Parameter | None
    bits: torch.Tensor | None
    levels: torch.Tensor | None

    def __init__(
        self, function: str, reach: float, *, ceiling: float = math.inf
    ) -> None:
        super().__init__()
        self.function = function
        self.ceiling = ceiling
        size = torch.tensor(float(reach))
        if function == "relu":
            self.reach = nn.Parameter(size)
        else:
            self.register_buffer("reach", size)
        self.register_parameter("logits", None)
        self.register_buffer("bits", None)
        self.register_buffer("levels", None, persistent=False)
        self.n_units = 1
        self.stream: RandomStream | None = None
        self.step = 0
        self.decay = 0.0
        self.price = 0.0
        self.rounding = "floor"
        self.widths: tuple[int, ...] | None = None

    def extra_repr(self) -> str:
        """Return what the module shows of itself."""
        return f"{self.function}, bits={self.mean_bits():.3g}"

    def learn(self, logits: torch.Tensor) -> None:
        """Begin to learn precisions.

        Parameters
        ----------
        logits : torch.Tensor
            s at the start, in a shape that broadcasts to an output without its axis of
            rows.
        """
        self.bits = self.levels = None
        self.logits = nn.Parameter(logits)

    def fix(self, bits: torch.Tensor) -> None:
        """Fix the precisions; what they were learned by is dropped.

        Parameters
        ----------
        bits : torch.Tensor of uint8
            At least 1, in a shape that broadcasts to an output without its axis of
            rows.
        """
        device = self.reach.device
        self.logits = None
        self.bits = bits.to(device, torch.uint8)
        self.levels = _levels(self.bits)

    def whole_bits(self, shift: float = 0.0) -> torch.Tensor:
        """Return the precisions that are fixed, or those that are learned, now.

        Parameters
        ----------
        shift : float, default=0.0
            What is added to the logits.

        Returns
        -------
        bits : torch.Tensor of uint8
            In the shape of the logits or of `bits`.
        """
        if self.logits is None:
            assert self.bits is not None
            return self.bits
        logits = self.logits.detach() + shift
        return precision_of_logits(logits, self.rounding, self.widths)

    def mean_bits(self) -> float:
        """Return the mean of whole bits over outputs; NaN before there are any."""
        if self.logits is None and self.bits is None:
            return math.nan
        return float(self.whole_bits().double().mean())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return clipped outputs: noisy in training, rounded otherwise."""
        if self.function == "relu":
            y = torch.minimum(x.relu(), self.reach)
        else:
            y = x.sigmoid() if self.function == "sigmoid" else x.tanh()
        if self.logits is not None and self.training:
            return self._priced(y + self._noise(y))
        rounded = self._rounded(y.detach())
        if not (torch.is_grad_enabled() and y.requires_grad):
            return rounded
        # The difference is 0, and its derivative 1: straight through, bit for bit.
        through = rounded + (y - y.detach())
        return self._priced(through) if self.training else through

    def _rounded(self, y: torch.Tensor) -> torch.Tensor:
        levels = self.levels
        if levels is None:
            levels = _levels(self.whole_bits())
        reach = self.reach.detach()
        if self.function != "tanh":
            return (y * (levels / reach)).round() * (reach / levels)
        return ((y + 1) * (levels / reach)).round() * (reach / levels) - 1

    def _noise(self, y: torch.Tensor) -> torch.Tensor:
        assert self.stream is not None and self.logits is not None
        generator = self.stream.child(self.step).torch_generator(y.device)
        noise = torch.empty_like(y).uniform_(-1.0, 1.0, generator=generator)
        return noise * (self.reach / 2 * self.logits.sigmoid())

    def _priced(self, y: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return y
        price = self.decay / 2 * self.reach.square()
        if self.logits is not None:
            bits = real_precision(self.logits).mean() * self.n_units
            price = price + self.price * bits
        return _Priced.apply(y, price) if price.requires_grad else y

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any
    ) -> None:
        """Take the shape of the state: precisions that are fixed, or learned."""
        bits = state_dict.get(f"{prefix}bits")
        logits = state_dict.get(f"{prefix}logits")
        if bits is not None:
            self.fix(bits)
        elif logits is not None and self.logits is None:
            self.learn(logits.detach().clone().to(self.reach.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


class _Priced(torch.autograd.Function):
    """Values as they are, with a price whose derivatives join in the backward pass."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, price: torch.Tensor) -> torch.Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return gradient, gradient.new_ones(())


def _levels(bits: torch.Tensor) -> torch.Tensor:
    """How many steps the range has."""
    return power_of_two(bits.to(torch.int32)) - 1
