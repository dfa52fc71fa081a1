"""SMOL: noise on the weights finds out how many bits each of them needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch

from ..utils import check_number
from ._base import Quantization, QuantizationRun, QuantizationSpace
from ._codes import power_of_two, quantize_smol
from ._controller import PriceController
from ._learned_precisions import SMOOTH, Hardening, LearnedPrecisions
from ._quantized_tensor import QuantizedTensor
from ._scales import Scales
from ._target_fit import TargetFit, encode, mean_bits, rounded
from ._weight_noise import WeightNoise

_MEASUREMENTS = 200  # of the size, in the search
_MEMORY = (0.9, 0.99)  # of Adam for the logits: prices change faster than in 1000 steps
_LARGEST_LOGIT = 5.0  # noise beyond is no stronger, but its logit would not come back
_DRIFT = 0.01  # of bytes in the fine-tuning, as a fraction, that is put up with


class Smol(Quantization):
    """Learn by how much each weight can be disturbed, and give it that many bits.

    Parameters
    ----------
    distance : float, default=20.0
        How far the logits s of the noise can travel in the search: its learning rate is
        this over the number of steps. From 8 bits to 2 it is 4.8.
    penalty : float, default=0.02
        Price of one bit a weight, averaged over all weights, in units of the loss,
        where `PrecisionTarget` has none. With a target the price only begins with it.

    Notes
    -----
    Savarese (2025), algorithm 5. In the search weights are
    :math:`w + c\\,\\sigma(s)\\,\\epsilon` with :math:`\\epsilon` uniform in [-1, 1]
    and c the scale, and the loss has the price of :math:`\\log_2(1 + e^{-s})` bits
    added to it, averaged over weights: :math:`\\lambda` of the source is `penalty` over
    the number of weights. Then precisions are made whole, and weights are fine-tuned
    with straight-through gradients.

    Beyond the source, weights have a scale. Where that is None they are clipped to
    :math:`\\pm (2 - \\sigma(s))` after each step. Scales of layers and channels grow
    instead, as long as the search lasts, so that nothing is clipped: a network that
    starts untrained finds its range first. A learned scale follows its gradient, and
    weights are clipped to it.

    A target is met by steering the price, and exactly by adding the same to all real
    precisions before they are made whole. Where that is too coarse, as it is for whole
    layers, some of the smallest weights become zero besides (not without
    zero precision).

    Examples
    --------
    >>> from sklearn_pb.quantizers import Smol
    >>> Smol(distance=10.0)
    Smol(distance=10.0)
    """

    def __init__(self, *, distance: float = 20.0, penalty: float = 0.02) -> None:
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
        target = space.target
        self.scales = Scales(space)
        self.precisions = LearnedPrecisions(space)
        self.fit = TargetFit(self.precisions)
        self.fit.check()
        self.noise = WeightNoise(space, self.precisions)
        self.bits: list[torch.Tensor] | None = None  # once they are fixed
        self.strength = penalty if target.penalty is None else target.penalty
        self._controller: PriceController | None = None
        if target.value is not None:
            self._controller = PriceController(max(self.strength, 1e-6), target.value)
        self._interval = max(1, space.n_steps // _MEASUREMENTS)
        self._shares = self.precisions.shares()
        rate = distance / max(1, space.n_steps)
        self._adam = torch.optim.Adam(
            [self.precisions.logits], lr=rate, betas=_MEMORY, eps=1e-30
        )

    # Training

    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write weights with noise; rounded ones in evaluation and fine-tuning."""
        if training and self.bits is None:
            self.noise.add(weights, self.scales.values, self.step, out)
            return
        values = self.scales.in_units(weights)
        for value, bits, scale, lent in zip(
            values, self._whole_bits(values), self.scales.values, out, strict=True
        ):
            lent.copy_(rounded(value, bits, scale))

    def collect(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Take a step with the logits of the noise, and one with learned scales."""
        kept = self.space.alive if self.bits is None else self.bits
        for gradient, own in zip(gradients, kept, strict=True):
            if gradient is not None and own is not None:
                gradient.mul_(own != 0)
        if not all(g is None or bool(g.isfinite().all()) for g in gradients):
            return  # of a loss that is about to end the run
        if self.bits is None:
            slope = self.noise.slope(gradients, self.scales.values)
            self.precisions.logits.grad = slope + self.price_slope()
        if self.scales.learn:
            self.scales.step(self._scale_slopes(weights, gradients))
        if self.bits is None:
            self._adam.step()
            self.precisions.logits.clamp_(max=_LARGEST_LOGIT)
        if self.step % self._interval == 0 and self.space.target.value is not None:
            self._follow(weights, self.space.target.value)

    def price_slope(self) -> torch.Tensor:
        """Return the gradient of the price of all bits by the logits.

        Returns
        -------
        slope : torch.Tensor of shape (n_groups,)
            Nowhere positive: noisier weights need fewer bits.
        """
        fall = torch.sigmoid(-self.precisions.logits) / math.log(2)
        return -(self.strength or 0.0) * self._shares * fall

    def confine_(self, weights: Sequence[torch.Tensor]) -> None:
        """Clip weights to where they can be coded; before, scales grow with them."""
        ends = self._ends()
        if self.scales.grow and self.bits is None:
            self.scales.grow_to(weights, ends)
        for weight, end, scale in zip(weights, ends, self.scales.values, strict=True):
            limit = (end * scale).to(weight.dtype)
            torch.clamp(weight, -limit, limit, out=weight)

    def freeze(self, weights: Sequence[torch.Tensor]) -> None:
        """Make precisions whole so that the target is met, and clip to them."""
        self.bits = self._whole_bits(self.scales.in_units(weights))
        self.noise.forget()
        super().freeze(weights)
        self.confine_(weights)

    def _follow(self, weights: Sequence[torch.Tensor], wanted: float) -> None:
        """Steer the price; in the fine-tuning, bytes that drift as codes change."""
        values, scales = self.scales.in_units(weights), self.scales.values
        every_tenth = self.step % (10 * self._interval) == 0
        if self.bits is None:
            assert self._controller is not None
            if every_tenth or self.step == self._interval:
                size = self.fit.calibrate(values, scales, SMOOTH)
            else:
                size = self.fit.size(values, scales, SMOOTH)
            self._controller.follow(size, self.progress)
            self.strength = self._controller.price
        elif self.space.target.unit == "bytes" and every_tenth:
            size = self.fit.real_size(values, self.bits, scales)
            if abs(size / wanted - 1) > _DRIFT:
                self.bits = None
                self.bits = self._whole_bits(values)

    def _ends(self) -> list[torch.Tensor]:
        """Largest magnitude of each weight, in units of its scale."""
        if self.bits is None:
            return [2 - amplitude for amplitude in self.noise.amplitudes()]
        return [2 - power_of_two(1 - own.to(torch.int32)) for own in self.bits]

    def _scale_slopes(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> list[torch.Tensor]:
        """Gradients of the loss by the scales; weights at their end move along."""
        slopes = []
        values = self.scales.in_units(weights)
        for i, (value, end) in enumerate(zip(values, self._ends(), strict=True)):
            gradient = gradients[i]
            if gradient is None:
                slopes.append(torch.zeros_like(self.scales.values[i]))
                continue
            held = value.abs() >= end * (1 - 1e-6)
            moves = torch.where(held, value, 0.0)
            if self.bits is None:
                numbers = self.noise.draw(weights, self.step)[i]
                moves += numbers * self.noise.amplitudes()[i]
            else:
                code = quantize_smol(value, self.bits[i])
                moves += torch.where(held, 0.0, code - value)
            slopes.append((gradient * moves).sum().to(torch.float32))
        return slopes

    # Results

    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return the codes that the run has, or would have if it ended here."""
        values = self.scales.in_units(weights)
        codes = encode(values, self._whole_bits(values), self.scales.values)
        return [
            QuantizedTensor(c.codes.cpu(), c.step.cpu(), c.bits.cpu()) for c in codes
        ]

    def mean_bits(self) -> float:
        """Return the mean of the bits, in the search before it is cut to the target."""
        bits = self.bits
        if bits is None:
            values = self.scales.in_units(self.space.weights)
            bits = self.precisions.bits(values, Hardening())
        return mean_bits(bits)

    def _whole_bits(self, values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        if self.bits is not None:
            return self.bits
        how = self.fit.hardening(values, self.scales.values)
        return self.precisions.bits(values, how)

    def state_dict(self) -> dict[str, Any]:
        """Return logits, scales, optimizers and the price; once frozen, the bits."""
        return super().state_dict() | {
            "bits": None if self.bits is None else [own.clone() for own in self.bits],
            "scales": self.scales.state_dict(),
            "strength": self.strength,
            "ratio": self.fit.ratio,
            "logits": self.precisions.logits.clone(),
            "adam": None if self.frozen else deepcopy(self._adam.state_dict()),
            "controller": self._controller and self._controller.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        logits, bits = self.precisions.logits, state["bits"]
        self.bits = None if bits is None else [own.to(logits.device) for own in bits]
        self.scales.load_state_dict(state["scales"])
        self.strength = state["strength"]
        self.fit.ratio = state["ratio"]
        logits.copy_(state["logits"])
        if state["adam"] is not None:
            self._adam.load_state_dict(deepcopy(state["adam"]))
        if self._controller is not None:
            self._controller.load_state_dict(state["controller"])
