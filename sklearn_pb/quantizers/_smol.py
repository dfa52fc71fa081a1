"""SMOL: noise on the weights finds out how many bits each of them needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from ..utils import check_number
from ._base import Quantization, QuantizationRun, QuantizationSpace
from ._codes import power_of_two
from ._controller import PriceController
from ._learned_precisions import (
    SMOOTH,
    Hardening,
    LearnedPrecisions,
    encode,
    rounded,
)
from ._quantized_tensor import QuantizedTensor
from ._scales import initial_scales, maxima

_MEASUREMENTS = 200  # of the size, in the search
_LARGEST_LOGIT = 5.0  # noise beyond is no stronger, but its logit would not come back
_SCALE_TRAVEL = 2.0  # how far the log of a learned scale can go over the search


class Smol(Quantization):
    """Learn by how much each weight can be disturbed, and give it that many bits.

    Parameters
    ----------
    distance : float, default=12.0
        How far the logits s of the noise can travel in the search: its learning rate is
        this over the number of steps. From 8 bits to 2 it is 4.8.
    penalty : float, default=0.2
        Price of one bit a weight, averaged over all weights, in units of the loss,
        where `PrecisionTarget` has none. With a target the price only begins with it.

    Notes
    -----
    Savarese (2025), algorithm 5. In the search weights are
    :math:`w + c\\,\\sigma(s)\\,\\epsilon` with :math:`\\epsilon` uniform in [-1, 1]
    and c the scale, and the loss has the price of :math:`\\log_2(1 + e^{-s})` bits
    added to it, averaged over weights: :math:`\\lambda` of the source is `penalty` over
    the number of weights. After each step weights are clipped to
    :math:`\\pm c (2 - \\sigma(s))`. Then precisions are made whole, and weights are
    fine-tuned with straight-through gradients. A target is met by steering the price,
    and exactly by moving all real precisions by the same before they are made whole.

    Examples
    --------
    >>> from sklearn_pb.quantizers import Smol
    >>> Smol(distance=10.0)
    Smol(distance=10.0)
    """

    def __init__(self, *, distance: float = 12.0, penalty: float = 0.2) -> None:
        self.distance = distance
        self.penalty = penalty

    def check(self) -> None:
        """Raise if `distance` is not positive, or `penalty` is negative."""
        check_number(self.distance, "Smol.distance", low=0, low_open=True)
        check_number(self.penalty, "Smol.penalty", low=0)

    def start(self, space: QuantizationSpace) -> SmolRun:
        """Begin a run."""
        return SmolRun(space, self.distance, self.penalty)


class SmolRun(QuantizationRun):
    """A run of `Smol`.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    distance : float
        How far logits can travel in the search.
    penalty : float
        Price of a bit where the space has none.
    """

    def __init__(
        self, space: QuantizationSpace, distance: float, penalty: float
    ) -> None:
        super().__init__(space)
        options, target = space.options, space.target
        self.precisions = LearnedPrecisions(space)
        self.scales = initial_scales(space.weights, options.scale, space.channel_axes)
        self.bits: list[torch.Tensor] | None = None  # once they are fixed
        self.strength = penalty if target.penalty is None else target.penalty
        self._controller: PriceController | None = None
        if target.value is not None:
            self._controller = PriceController(max(self.strength, 1e-6), target.value)
        self._interval = max(1, space.n_steps // _MEASUREMENTS)
        self._shares = self.precisions.shares()
        rate = distance / max(1, space.n_steps)
        self._adam = torch.optim.Adam([self.precisions.logits], lr=rate)
        self._log_scales = [scale.log() for scale in self.scales]
        self._scale_adam = torch.optim.Adam(
            self._log_scales, lr=_SCALE_TRAVEL / max(1, space.n_steps)
        )
        self._noise: list[torch.Tensor] = []
        self._noise_of = -1  # the step it was drawn for

    @property
    def _learns_scales(self) -> bool:
        return self.space.options.scale == "learned"

    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write weights with noise; rounded ones in evaluation and fine-tuning."""
        if training and self.bits is None:
            self._lend_noisy(weights, out)
            return
        values = self._values(weights)
        for value, bits, scale, lent in zip(
            values, self._whole_bits(values), self.scales, out, strict=True
        ):
            lent.copy_(rounded(value, bits, scale))

    def collect(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Take a step with the logits of the noise, and one with learned scales."""
        keep = self.space.alive if self.bits is None else self.bits
        for gradient, kept in zip(gradients, keep, strict=True):
            if gradient is not None and kept is not None:
                gradient.mul_(kept != 0)
        if self._learns_scales:
            self._scale_step(weights, gradients)
        if self.bits is not None:
            return
        self.precisions.logits.grad = self.slope(gradients) + self.price_slope()
        self._adam.step()
        self.precisions.logits.clamp_(max=_LARGEST_LOGIT)
        if self._controller is not None and self.step % self._interval == 0:
            size = self.precisions.size(self._values(weights), self.scales, SMOOTH)
            self._controller.follow(size, self.progress)
            self.strength = self._controller.price

    def slope(self, gradients: Sequence[torch.Tensor | None]) -> torch.Tensor:
        """Return the gradient of the loss under this noise by the logits.

        Parameters
        ----------
        gradients : sequence of torch.Tensor or None
            Of the loss by the noisy weights; zero where weights are dead.

        Returns
        -------
        slope : torch.Tensor of shape (n_groups,)
            For the logits of all groups.
        """
        parts = []
        for gradient, noise, scale, groups in zip(
            gradients, self._noise, self.scales, self.space.groups, strict=True
        ):
            if gradient is None:
                parts.append(noise.new_zeros(groups.n_groups))
            else:
                parts.append(groups.sums(gradient * noise * scale))
        sigma = torch.sigmoid(self.precisions.logits)
        return torch.cat(parts).to(sigma) * sigma * (1 - sigma)

    def price_slope(self) -> torch.Tensor:
        """Return the gradient of the price of all bits by the logits.

        Returns
        -------
        slope : torch.Tensor of shape (n_groups,)
            Nowhere positive: noisier weights need fewer bits.
        """
        assert self.strength is not None
        fall = torch.sigmoid(-self.precisions.logits) / math.log(2)
        return -self.strength * self._shares * fall

    def confine_(self, weights: Sequence[torch.Tensor]) -> None:
        """Clip weights to where they can be coded; before, scales grow with them."""
        if self.bits is None:
            sigma = torch.sigmoid(self.precisions.logits)
            units = self.precisions.spread(sigma)
            if self.space.options.scale in ("layer", "channel"):
                self._grow_scales(weights, units)
        else:
            units = [power_of_two(1 - bits.to(torch.int32)) for bits in self.bits]
        for weight, unit, scale in zip(weights, units, self.scales, strict=True):
            limit = ((2 - unit) * scale).to(weight.dtype)
            torch.clamp(weight, -limit, limit, out=weight)

    def _grow_scales(
        self, weights: Sequence[torch.Tensor], units: Sequence[torch.Tensor]
    ) -> None:
        """Let no weight be clipped: untrained weights have yet to find their range."""
        for i, (weight, unit) in enumerate(zip(weights, units, strict=True)):
            needed = weight.abs().to(torch.float32) / (2 - unit)
            axis = self.space.channel_axes[i] if self.scales[i].dim() else None
            self.scales[i] = torch.maximum(self.scales[i], maxima(needed, axis))

    def freeze(self, weights: Sequence[torch.Tensor]) -> None:
        """Make precisions whole so that the target is met, and clip to them."""
        self.bits = self._whole_bits(self._values(weights))
        self._noise = []
        super().freeze(weights)
        self.confine_(weights)

    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return the codes that the run has, or would have if it ended here."""
        values = self._values(weights)
        codes = encode(values, self._whole_bits(values), self.scales)
        return [
            QuantizedTensor(c.codes.cpu(), c.step.cpu(), c.bits.cpu()) for c in codes
        ]

    def mean_bits(self) -> float:
        """Return the mean of the bits, at present without a trim to the target."""
        bits = self.bits
        if bits is None:
            values = self._values(self.space.weights)
            bits = self.precisions.bits(values, Hardening())
        total = sum(float(own.sum(dtype=torch.float64)) for own in bits)
        return total / max(1, sum(own.numel() for own in bits))

    def state_dict(self) -> dict[str, Any]:
        """Return logits, scales, optimizers and the price; once frozen, the bits."""
        state = super().state_dict()
        state |= {
            "bits": None if self.bits is None else [b.clone() for b in self.bits],
            "scales": [scale.clone() for scale in self.scales],
            "log_scales": [log.clone() for log in self._log_scales],
            "scale_adam": deepcopy(self._scale_adam.state_dict()),
            "strength": self.strength,
        }
        if self.bits is None:
            state |= {
                "logits": self.precisions.logits.clone(),
                "adam": deepcopy(self._adam.state_dict()),
                "controller": self._controller and self._controller.state_dict(),
            }
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        device = self.precisions.logits.device
        bits = state["bits"]
        self.bits = None if bits is None else [b.to(device) for b in bits]
        self.scales = [scale.to(device) for scale in state["scales"]]
        for log, saved in zip(self._log_scales, state["log_scales"], strict=True):
            log.copy_(saved)
        self._scale_adam.load_state_dict(deepcopy(state["scale_adam"]))
        self.strength = state["strength"]
        if bits is not None:
            return
        self.precisions.logits.copy_(state["logits"])
        self._adam.load_state_dict(deepcopy(state["adam"]))
        if self._controller is not None:
            self._controller.load_state_dict(state["controller"])

    def _values(self, weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Weights in units of their scale."""
        return [
            weight.detach().to(torch.float32) / scale
            for weight, scale in zip(weights, self.scales, strict=True)
        ]

    def _whole_bits(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        if self.bits is not None:
            return self.bits
        how = self.precisions.hardening(values, self.scales)
        return self.precisions.bits(values, how)

    def _lend_noisy(
        self, weights: Sequence[torch.Tensor], out: Sequence[torch.Tensor]
    ) -> None:
        if self._noise_of != self.step:
            self._draw_noise(weights)
        sigma = torch.sigmoid(self.precisions.logits)
        for weight, noise, amplitude, scale, lent in zip(
            weights,
            self._noise,
            self.precisions.spread(sigma),
            self.scales,
            out,
            strict=True,
        ):
            torch.mul(noise, (amplitude * scale).to(noise.dtype), out=lent)
            lent.add_(weight)

    def _draw_noise(self, weights: Sequence[torch.Tensor]) -> None:
        """New noise for the step, in the memory of the old; none for dead weights."""
        stream = self.space.stream.child(self.step)
        generator = stream.torch_generator(weights[0].device)
        if not self._noise:
            self._noise = [torch.empty_like(weight) for weight in weights]
        for noise, alive in zip(self._noise, self.space.alive, strict=True):
            noise.uniform_(-1, 1, generator=generator)
            if alive is not None:
                noise.mul_(alive)
        self._noise_of = self.step

    def _scale_step(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Take a step with the logarithms of the scales."""
        values = self._values(weights)
        for i, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
            slope = torch.zeros_like(self._log_scales[i])
            if gradient is not None:
                moves = self._moves_with_scale(i, value)
                slope = (gradient.to(moves) * moves).sum() * self.scales[i]
            self._log_scales[i].grad = slope
        self._scale_adam.step()
        self.scales = [log.exp() for log in self._log_scales]

    def _moves_with_scale(self, index: int, value: torch.Tensor) -> torch.Tensor:
        """Derivative of the lent values by the scale; weights at its end move along."""
        if self.bits is not None:
            bits = self.bits[index]
            end = 2 - power_of_two(1 - bits.to(torch.int32))
            code = rounded(value, bits, torch.ones((), device=value.device))
            return torch.where(value.abs() >= end, code, code - value)
        sigma = torch.sigmoid(self.precisions.logits)
        amplitude = self.precisions.spread(sigma)[index]
        end = 2 - amplitude
        held = torch.where(value.abs() >= end * (1 - 1e-6), value.sign() * end, 0.0)
        return held + self._noise[index] * amplitude
