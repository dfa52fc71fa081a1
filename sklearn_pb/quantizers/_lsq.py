"""LSQ: the step of each layer's codes is learned with the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from ..utils import check_number
from ._base import Quantization, QuantizationSpace
from ._straight_through import (
    StraightThroughRun,
    check_bits,
    fixed_bits,
    living_means,
)

_SMALLEST = 1e-3  # of its first value: how far a step may shrink


class LSQ(Quantization):
    """Learn what a code is multiplied by, from the error that the rounding makes.

    Parameters
    ----------
    bits : int, default=None
        Bits of a code, from 1 to 16. None takes the target, or without one the
        initial bits.
    learning_rate : float, default=0.01
        How fast steps are trained, by gradient descent with momentum.
    momentum : float, default=0.9
        Memory of the gradient, in [0, 1).

    Notes
    -----
    Esser et al. (2020), equations 1 to 5. Codes of k bits go from
    :math:`-Q_N = -2^{k-1}` to :math:`Q_P = 2^{k-1} - 1`. The step starts as
    :math:`2 \\langle |w| \\rangle / \\sqrt{Q_P}`, and its gradient is scaled by
    :math:`1 / \\sqrt{n Q_P}` for the n weights that share it, so that a step and its
    weights move by similar fractions. There is one step a layer, as in the source, or
    one an output channel with ``scale="channel"``. The source has no codes of one bit;
    here they are -1 and 1, :math:`Q_P = 1`, and the step starts as the mean of abs(w).

    Examples
    --------
    >>> from sklearn_pb.quantizers import LSQ
    >>> LSQ(bits=2)
    LSQ(bits=2)
    """

    learns_precision: ClassVar[bool] = False

    def __init__(
        self,
        *,
        bits: int | None = None,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
    ) -> None:
        self.bits = bits
        self.learning_rate = learning_rate
        self.momentum = momentum

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_bits(self.bits)
        check_number(self.learning_rate, "learning_rate", low=0, low_open=True)
        check_number(self.momentum, "momentum", low=0, high=1, high_open=True)

    def start(self, space: QuantizationSpace) -> LSQRun:
        """Begin a run."""
        return LSQRun(space, self)


class LSQRun(StraightThroughRun):
    """A run of `LSQ`.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    method : LSQ
        The hyperparameters.

    Attributes
    ----------
    steps : list of torch.Tensor
        What codes are multiplied by: of shape (), or one an output channel.
    """

    def __init__(self, space: QuantizationSpace, method: LSQ) -> None:
        super().__init__(space, fixed_bits(space, method.bits))
        self._rate = method.learning_rate
        self._momentum = method.momentum
        self._highest = float(2 ** (self.bits - 1) - 1) or 1.0
        self._lowest = -float(2 ** (self.bits - 1))
        self.steps = [
            self._first_step(index, weight.detach())
            for index, weight in enumerate(space.weights)
        ]
        self._floors = [step * _SMALLEST for step in self.steps]
        self._velocities = [torch.zeros_like(step) for step in self.steps]

    def _first_step(self, index: int, weight: torch.Tensor) -> torch.Tensor:
        alive = self.space.alive[index]
        means = living_means(weight, alive, self._axis(index)).to(torch.float32)
        step = means if self.bits == 1 else 2 * means / math.sqrt(self._highest)
        return torch.where(step > 0, step, torch.ones_like(step))

    def encode(
        self, index: int, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest codes, and the learned step."""
        step = self.steps[index]
        scaled = weight / step
        codes = self._round(scaled).clamp_(self._lowest, self._highest)
        return codes.to(torch.int32), step

    def _round(self, scaled: torch.Tensor) -> torch.Tensor:
        if self.bits == 1:
            return torch.where(scaled < 0, -1.0, 1.0)
        return scaled.round()

    def pull_back_(
        self, index: int, weight: torch.Tensor, gradient: torch.Tensor
    ) -> None:
        """Train the step; weights beyond the last code have no gradient."""
        step = self.steps[index]
        scaled = weight / step
        inside = (scaled > self._lowest) & (scaled < self._highest)
        slope = self.step_slope(scaled).mul_(gradient)
        alive = self.space.alive[index]
        if alive is not None:
            slope.masked_fill_(~alive, 0.0)
        self._descend(index, self._gathered(slope, step))
        gradient.mul_(inside)

    def step_slope(self, scaled: torch.Tensor) -> torch.Tensor:
        """Return the derivative of rounded weights by their step.

        Parameters
        ----------
        scaled : torch.Tensor
            Weights divided by their step.

        Returns
        -------
        slope : torch.Tensor
            The code minus the scaled weight, or the last code for what lies beyond it
            (equation 3 of the source).
        """
        inside = (scaled > self._lowest) & (scaled < self._highest)
        codes = self._round(scaled).clamp_(self._lowest, self._highest)
        return torch.where(inside, codes - scaled, codes)

    def _gathered(self, slope: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """The scaled gradient by each step, in its shape."""
        if step.dim() == 0:
            total = slope.sum()
        else:
            others = [i for i in range(slope.dim()) if step.shape[i] == 1]
            total = slope.sum(others, keepdim=True) if others else slope
        n_sharing = max(1, slope.numel() // max(1, step.numel()))
        return total.to(step.dtype) / math.sqrt(n_sharing * self._highest)

    def _descend(self, index: int, gradient: torch.Tensor) -> None:
        velocity = self._velocities[index].mul_(self._momentum).add_(gradient)
        step = self.steps[index].sub_(velocity, alpha=self._rate)
        torch.maximum(step, self._floors[index], out=step)

    def state_dict(self) -> dict[str, Any]:
        """Return steps and their velocities with the counters."""
        learned = {"steps": self.steps, "velocities": self._velocities}
        return super().state_dict() | learned

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        _copy_(self.steps, state["steps"])
        _copy_(self._velocities, state["velocities"])

    def _axis(self, index: int) -> int | None:
        """The axis of channels that have steps of their own."""
        if self.space.options.scale == "channel":
            return self.space.channel_axes[index]
        return None


def _copy_(tensors: Sequence[torch.Tensor], saved: Sequence[torch.Tensor]) -> None:
    for tensor, value in zip(tensors, saved, strict=True):
        tensor.copy_(value)
