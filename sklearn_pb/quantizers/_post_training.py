"""Rounding of a network that has been trained, with the clipping that errs least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..utils import check_choice
from ._base import Quantization, QuantizationSpace
from ._codes import smol_codes, zero_precision
from ._quantized_tensor import QuantizedTensor
from ._straight_through import (
    StraightThroughRun,
    check_bits,
    fixed_bits,
    magnitudes,
)
from ._uniform import uniform_codes

_WIDEST = 1.25  # times the range up to the largest weight
_CANDIDATES = 125  # ranges that are tried, evenly up to there
_ENOUGH = 100_000  # weights of a layer to choose a range by
_SWEEPS = 20  # of codes and steps in turn, from the best of them


class PostTraining(Quantization):
    """Train the network as it is, and round its weights when that is done.

    Parameters
    ----------
    bits : int, default=None
        Bits of a code, from 1 to 16. None takes the target, or without one the
        initial bits.
    clipping : {"mse", "max"}, default="mse"
        Whether the codes reach as far as leaves the least squared error, or to the
        largest weight.
    grid : {"uniform", "smol"}, default="uniform"
        Whole numbers of steps from :math:`-(2^{k-1} - 1)` to :math:`2^{k-1} - 1`, or
        odd ones from :math:`-(2^k - 1)` to :math:`2^k - 1`: the grid of SMOL, which has
        no zero but, with zero precision, spends no bits on a weight that is as near to
        zero as to its code. One bit is -1 and 1 on both.

    Notes
    -----
    There is one step a layer, or one an output channel with ``scale="channel"`` of the
    estimator. The search tries 125 ranges, up to a little more than the largest
    weight. Each gives codes c, for which
    :math:`\\langle w, c \\rangle / \\langle c, c \\rangle` is the best step; from
    the best of these, codes and steps are improved in turn.

    Examples
    --------
    >>> from sklearn_pb.quantizers import PostTraining
    >>> PostTraining(bits=4, clipping="max")
    PostTraining(bits=4, clipping='max')
    """

    learns_precision: ClassVar[bool] = False
    trains: ClassVar[bool] = False

    def __init__(
        self, *, bits: int | None = None, clipping: str = "mse", grid: str = "uniform"
    ) -> None:
        self.bits = bits
        self.clipping = clipping
        self.grid = grid

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_bits(self.bits)
        check_choice(self.clipping, "clipping", ("mse", "max"))
        check_choice(self.grid, "grid", ("uniform", "smol"))

    def start(self, space: QuantizationSpace) -> PostTrainingRun:
        """Begin a run."""
        return PostTrainingRun(space, self)


class PostTrainingRun(StraightThroughRun):
    """A run of `PostTraining`, in which training passes use the weights as they are.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    method : PostTraining
        The hyperparameters.
    """

    def __init__(self, space: QuantizationSpace, method: PostTraining) -> None:
        super().__init__(space, fixed_bits(space, method.bits))
        self._clipping = method.clipping
        self._odd = method.grid == "smol" or self.bits == 1
        # Where odd numbers are the only codes, zero is one more.
        self._with_zero = method.grid == "smol" and space.options.zero_precision
        self._highest = float(
            2**self.bits - 1 if self._odd else 2 ** (self.bits - 1) - 1
        )
        self._counted: float | None = None

    def lend(
        self,
        weights: Sequence[torch.Tensor],
        out: Sequence[torch.Tensor],
        training: bool,
    ) -> None:
        """Write the weights as they are in training, else rounded."""
        if not training:
            super().lend(weights, out, training)
            return
        with torch.no_grad():
            for index, (weight, lent) in enumerate(zip(weights, out, strict=True)):
                alive = self.space.alive[index]
                lent.copy_(weight if alive is None else weight * alive)

    def encode(
        self, index: int, weight: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Search for the step, and return the codes that are nearest with it."""
        axis = None
        if self.space.options.scale == "channel":
            axis = self.space.channel_axes[index]
        alive = self.space.alive[index]
        if alive is not None:
            weight = weight * alive
        largest = magnitudes(weight, axis)
        step = torch.where(largest > 0, largest / self._highest, 1.0)
        if self._clipping == "mse" and weight.numel():
            step = self._best_step(weight, alive, step)
        step = step.to(torch.float32)
        return self._codes(weight, step), step

    def _codes(self, weight: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        if not self._odd:
            return uniform_codes(weight, step, self.bits)
        values = weight / step * 2.0 ** (1 - self.bits)  # as SMOL has them, up to 2
        bits = torch.tensor(self.bits, dtype=torch.uint8, device=weight.device)
        if self._with_zero:
            bits = zero_precision(values, bits)
        return smol_codes(values, bits, self.bits)

    def _best_step(
        self, weight: torch.Tensor, alive: torch.Tensor | None, full: torch.Tensor
    ) -> torch.Tensor:
        """The step of least squared error, for each entry of the one of full range."""
        some, living = weight, alive
        if full.dim() == 0 and weight.numel() > 2 * _ENOUGH:
            stride = weight.numel() // _ENOUGH
            some = weight.flatten()[::stride]
            living = None if alive is None else alive.flatten()[::stride]
        best, most = full, torch.full_like(full, -1.0)
        for number in range(_CANDIDATES):
            trial = full * (_WIDEST * (number + 1) / _CANDIDATES)
            explained, step = self._explained(some, living, trial)
            better = (explained > most) & (step > 0)
            best = torch.where(better, step, best)
            most = torch.where(better, explained, most)
        for _ in range(_SWEEPS):
            _, step = self._explained(weight, alive, best)
            step = torch.where(step > 0, step, best)
            if torch.equal(step, best):
                break
            best = step
        return best

    def _explained(
        self, weight: torch.Tensor, alive: torch.Tensor | None, step: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the codes of a step explain of weights, and the best step for them."""
        codes = self._codes(weight, step).to(weight.dtype)
        if alive is not None:
            codes.mul_(alive)
        product, square = _sums(weight * codes, step), _sums(codes * codes, step)
        square = square.clamp(min=1)  # codes that are all 0 have no best step
        return product * product / square, product / square

    def _counted_bits(self, index: int, codes: torch.Tensor) -> torch.Tensor:
        if not self._with_zero:
            return super()._counted_bits(index, codes)
        return (codes != 0).to(torch.uint8) * self.bits

    def quantize(self, weights: Sequence[torch.Tensor]) -> list[QuantizedTensor]:
        """Return the codes of the weights as they are."""
        quantized = super().quantize(weights)
        everyone = sum(tensor.codes.numel() for tensor in quantized)
        counted = sum(tensor.mean_bits * tensor.codes.numel() for tensor in quantized)
        self._counted = counted / max(1, everyone)
        return quantized

    def mean_bits(self) -> float:
        """Return the bits of a weight, without the zeros if they have been counted."""
        if self._counted is None or not self._with_zero:
            return super().mean_bits()
        return self._counted


def _sums(products: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Add up what shares an entry of another tensor."""
    if like.dim() == 0:
        return products.sum()
    others = [i for i in range(products.dim()) if like.shape[i] == 1]
    return products.sum(others, keepdim=True) if others else products
