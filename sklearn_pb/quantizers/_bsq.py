"""BSQ: train the bits of the weights, and drop those that a whole layer can spare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ..utils import check_number
from ._base import Quantization, QuantizationRun, QuantizationSpace
from ._bit_planes import MOST_MAGNITUDE_BITS, BitPlanes, cheapest_cut
from ._quantized_tensor import QuantizedTensor
from ._sizes import size_in
from ._straight_through import magnitudes

_SETTLED_BY = 0.8  # progress at which the target should be reached
_GAIN = 1.0  # how many times the price doubles for a bit too many


class BSQ(Quantization):
    """Bit-level training with a group lasso on the bit planes of each layer.

    Parameters
    ----------
    strength : float, default=3.0
        Price of a plane of bits, where the target brings no price of its own: with 1 a
        plane of ones in the only layer would shrink to zeros within the search, if the
        loss did not mind. With a target it is where the control starts.
    adjustments : int, default=10
        How many times in the search bits are made whole again, and planes without a one
        dropped.
    count_sign : bool, default=False
        Whether the sign counts as a bit. The source counts magnitudes only: its 1, 2
        and 3 bits are 3, 7 and 15 levels.

    Notes
    -----
    Yang et al. (2021). Precisions are those of layers, whatever the granularity. A
    weight is rounded in the forward pass; its gradient reaches each bit times the
    bit's power of two. Here the network's own optimizer moves the weight, and its bits
    follow by the least change that gives the new value, so that learning rates mean
    what they mean elsewhere. The lasso is a proximal step in place of a gradient step,
    and weighs layers by their weights and bits (equation 7 of the source). As bits
    shrink, the step grows so that weights keep their size; where it did not, short
    searches shrank weights to nothing. With a target the price follows the bits above
    a straight line to it; what is too much at the end is cut where the squared error
    per bit is the least. Fine-tuning follows with clipped, rounded weights.

    Bytes and energy count the sign in any case. So do bits where `widths` of the
    estimator are given: these are what codes with their signs must fit into.

    Examples
    --------
    >>> from sklearn_pb.quantizers import BSQ
    >>> BSQ(count_sign=True)
    BSQ(count_sign=True)
    """

    def __init__(
        self,
        *,
        strength: float = 3.0,
        adjustments: int = 10,
        count_sign: bool = False,
    ) -> None:
        self.strength = strength
        self.adjustments = adjustments
        self.count_sign = count_sign

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.strength, "strength", low=0)
        check_number(self.adjustments, "adjustments", low=1, integer=True)

    def start(self, space: QuantizationSpace) -> BSQRun:
        """Begin a run."""
        return BSQRun(space, self)


class BSQRun(QuantizationRun):
    """A run of `BSQ`.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    method : BSQ
        The hyperparameters.

    Attributes
    ----------
    layers : list of BitPlanes
        The bits of each tensor.
    """

    def __init__(self, space: QuantizationSpace, method: BSQ) -> None:
        super().__init__(space)
        self._sign_bits = int(method.count_sign or bool(space.options.widths))
        self.uncounted_bits = 1 - self._sign_bits
        self._adjustments = method.adjustments
        self._adjusted = 0  # how often until now
        price = space.target.penalty
        self.strength = method.strength if price is None else price
        self._initial = min(
            MOST_MAGNITUDE_BITS, max(1, int(space.options.initial_bits))
        )
        self._n_weights = max(1, sum(w.numel() for w in space.weights))
        self.layers = [
            self._first_planes(weight.detach(), alive)
            for weight, alive in zip(space.weights, space.alive, strict=True)
        ]
        self._first_strength = self.strength
        self._real_bits = [float(planes.n_bits) for planes in self.layers]
        self._goal: float | None = None  # mean bits, without signs
        self._set_goal()

    def _first_planes(
        self, weight: torch.Tensor, alive: torch.Tensor | None
    ) -> BitPlanes:
        weight = weight.to(torch.float32)
        if alive is not None:
            weight = weight * alive
        step = float(magnitudes(weight, None)) / (2**self._initial - 1) or 1.0
        return BitPlanes.from_codes((weight / step).round().to(torch.int32), step)

    # Passes

    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write the rounded weights, in training as after it."""
        with torch.no_grad():
            for index, lent in enumerate(out):
                codes, step = self._codes(index, weights[index].detach())
                lent.copy_(codes.to(torch.float32) * step)

    def collect(
        self,
        weights: Sequence[torch.Tensor],
        gradients: Sequence[torch.Tensor | None],
    ) -> None:
        """Let gradients through, but not to what is zero for good."""
        with torch.no_grad():
            for planes, alive, gradient in zip(
                self.layers, self.space.alive, gradients, strict=True
            ):
                if gradient is None:
                    continue
                if not planes.n_bits:
                    gradient.zero_()
                elif alive is not None:
                    gradient.masked_fill_(~alive, 0.0)

    def confine_(self, weights: Sequence[torch.Tensor]) -> None:
        """Let the bits follow the weights, shrink and, if it is time, adjust them."""
        with torch.no_grad():
            for index, weight in enumerate(weights):
                if self.frozen:
                    self._clip_(index, weight)
                else:
                    self._follow(index, weight)
            due = int(self.progress * self._adjustments)
            if not self.frozen and due > self._adjusted:
                self._adjusted = due
                self._adjust()
                self._set_goal()
            if not self.frozen:
                self._steer()
                for planes, weight in zip(self.layers, weights, strict=True):
                    weight.copy_(planes.values() * planes.step)

    def _follow(self, index: int, weight: torch.Tensor) -> None:
        planes, alive = self.layers[index], self.space.alive[index]
        change = weight.to(torch.float32) / planes.step - planes.values()
        planes.move_(change if alive is None else change * alive)
        share = planes.n_bits * weight.numel() / self._n_weights
        plane = self._n_weights**0.5 / (self._initial * max(1, self.space.n_steps))
        assert self.strength is not None
        planes.shrink_(self.strength * share * plane)
        # As bits shrink the step grows, as a trained one would: weights stay.
        values = planes.values()
        self._real_bits[index] = math.log2(1 + float(magnitudes(values, None)))
        square = float(values.square().sum())
        if square > 0:
            planes.step = max(planes.step, float((values * weight).sum()) / square)

    def _clip_(self, index: int, weight: torch.Tensor) -> None:
        planes, alive = self.layers[index], self.space.alive[index]
        limit = planes.step * (2**planes.n_bits - 1)
        weight.clamp_(-limit, limit)
        if alive is not None:
            weight.masked_fill_(~alive, 0.0)

    # Precisions

    def _adjust(self) -> None:
        self.layers = [
            BitPlanes.from_codes(old.codes(), old.step) for old in self.layers
        ]

    def _steer(self) -> None:
        """Raise the price by so much for each bit above a line to the target.

        Bits fall at a rate that the price sets, so the price follows their number, and
        not, as where it sets the number, the sum of past errors.
        """
        if self._goal is None:
            return
        numbers = [weight.numel() for weight in self.space.weights]
        bits = sum(n * b for n, b in zip(numbers, self._real_bits, strict=True))
        planned = self._initial + (self._goal - self._initial) * min(
            1.0, self.progress / _SETTLED_BY
        )
        above = bits / self._n_weights - planned
        self.strength = self._first_strength * 2 ** (_GAIN * min(max(above, -4.0), 4.0))

    def _set_goal(self) -> None:
        """Say in bits what the target is; a bit is worth what it is now."""
        target, size = self.space.target.value, self._size()
        if target is not None and size > 0:
            self._goal = target * self.mean_bits() / size - self._sign_bits

    def freeze(self, weights: Sequence[torch.Tensor]) -> None:
        """Adjust once more, cut what is above the target, and keep the precisions."""
        if self.frozen:
            return
        self._adjust()
        self._fit_widths()
        self._cut_to_target()
        for planes in self.layers:  # weights alone are trained from now on
            planes.planes = planes.planes.new_empty((2, planes.n_bits, 0))
        super().freeze(weights)
        self.confine_(weights)

    def _fit_widths(self) -> None:
        for index, planes in enumerate(self.layers):
            while not self._allowed(planes.n_bits):
                planes = self.layers[index] = cheapest_cut(planes)[1]

    def _allowed(self, n_bits: int) -> bool:
        widths = self.space.options.widths
        return not widths or not n_bits or self._counted(n_bits) in widths

    def _cut_to_target(self) -> None:
        target = self.space.target.value
        if target is None:
            return
        cuts = {i: self._cut(p) for i, p in enumerate(self.layers) if p.n_bits}

        def order(index: int) -> tuple[bool, float]:
            """Those that do not go below the target come first, then small errors."""
            error, cut = cuts[index]
            if self.space.target.unit == "bytes":  # which take long to count
                return False, error
            return self._size_with(index, cut) < target, error

        while cuts and self._size() > target:
            index = min(cuts, key=order)
            self.layers[index] = cuts.pop(index)[1]
            if self.layers[index].n_bits:
                cuts[index] = self._cut(self.layers[index])

    def _cut(self, planes: BitPlanes) -> tuple[float, BitPlanes]:
        """The squared error per bit of the next lower precision that is allowed."""
        error, cut = cheapest_cut(planes)
        while not self._allowed(cut.n_bits):
            more, cut = cheapest_cut(cut)
            error += more
        saved = (planes.n_bits - cut.n_bits) * planes.planes[0, 0].numel()
        return error / max(1, saved), cut

    def _size_with(self, index: int, planes: BitPlanes) -> float:
        before, self.layers[index] = self.layers[index], planes
        size = self._size()
        self.layers[index] = before
        return size

    def _size(self) -> float:
        """What the layers take, in the unit of the target, before the end."""
        if self.space.target.unit == "bits":
            return self.mean_bits()
        bits = [
            torch.tensor(p.n_bits + 1 if p.n_bits else 0).expand(w.shape)
            for p, w in zip(self.layers, self.space.weights, strict=True)
        ]

        def codes() -> list[QuantizedTensor]:
            return [self._packed(i, p.codes(), p) for i, p in enumerate(self.layers)]

        return size_in(self.space.target.unit, bits, self.space.uses, codes)

    def mean_bits(self) -> float:
        """Return the mean of bits, without signs unless they are to be counted."""
        total = 0.0
        for planes, weight, alive in zip(
            self.layers, self.space.weights, self.space.alive, strict=True
        ):
            living = weight.numel() if alive is None else int(alive.sum())
            total += self._counted(planes.n_bits) * living
        return total / self._n_weights

    def _counted(self, n_bits: int) -> int:
        return n_bits + self._sign_bits if n_bits else 0

    # Results

    def _codes(self, index: int, weight: torch.Tensor) -> tuple[torch.Tensor, float]:
        planes = self.layers[index]
        if not self.frozen:
            return planes.codes(), planes.step
        limit = 2**planes.n_bits - 1
        codes = (weight.to(torch.float32) / planes.step).round_().clamp_(-limit, limit)
        alive = self.space.alive[index]
        if alive is not None:
            codes.mul_(alive)
        return codes.to(torch.int32), planes.step

    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return the codes; before the end, those of the bits as they are."""
        with torch.no_grad():
            return [
                self._quantized(index, weight.detach())
                for index, weight in enumerate(weights)
            ]

    def _quantized(self, index: int, weight: torch.Tensor) -> QuantizedTensor:
        codes, step = self._codes(index, weight)
        planes = self.layers[index]
        if not self.frozen:
            planes = BitPlanes.from_codes(codes, step)
            codes = planes.codes()
        return self._packed(index, codes, planes)

    def _packed(
        self, index: int, codes: torch.Tensor, planes: BitPlanes
    ) -> QuantizedTensor:
        counted = self._counted(planes.n_bits)
        bits = torch.tensor(counted, dtype=torch.uint8)
        alive = self.space.alive[index]
        if alive is not None:
            bits = alive.cpu().to(torch.uint8) * counted
        return QuantizedTensor(codes.cpu(), torch.tensor(planes.step), bits)

    def state_dict(self) -> dict[str, Any]:
        """Return bits, steps and the price with the counters."""
        return super().state_dict() | {
            "strength": self.strength,
            "adjusted": self._adjusted,
            "goal": self._goal,
            "layers": [(planes.planes, planes.step) for planes in self.layers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.strength = state["strength"]
        self._adjusted = state["adjusted"]
        self._goal = state["goal"]
        self.layers = [BitPlanes(bits.clone(), step) for bits, step in state["layers"]]
