"""Noise on weights, whose amplitude is learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ._base import QuantizationSpace
from ._learned_precisions import LearnedPrecisions


class WeightNoise:
    """Uniform noise, drawn anew for each step, and the slope of a loss under it.

    Weights are disturbed by :math:`c\\,\\sigma(s)\\,\\epsilon`: the scale, the
    amplitude of their group, and a number in [-1, 1]. A step always draws the same.

    Parameters
    ----------
    space : QuantizationSpace
        What is quantized.
    precisions : LearnedPrecisions
        Holds the logits s.
    """

    def __init__(self, space: QuantizationSpace, precisions: LearnedPrecisions) -> None:
        self.space = space
        self.precisions = precisions
        self._numbers: list[torch.Tensor] = []
        self._step = -1  # that they were drawn for

    def amplitudes(self) -> list[torch.Tensor]:
        """Return the amplitude of the noise of each weight, without the scale.

        Returns
        -------
        amplitudes : list of torch.Tensor
            Each broadcasts to its tensor of weights.
        """
        return self.precisions.spread(torch.sigmoid(self.precisions.logits))

    def draw(self, weights: Sequence[torch.Tensor], step: int) -> list[torch.Tensor]:
        """Return the numbers of a step; they are zero for dead weights.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights.
        step : int
            Number of the step.

        Returns
        -------
        numbers : list of torch.Tensor
            In [-1, 1], like the weights, in memory that is used again.
        """
        if self._step == step:
            return self._numbers
        generator = self.space.stream.child(step).torch_generator(weights[0].device)
        if not self._numbers:
            self._numbers = [torch.empty_like(weight) for weight in weights]
        for numbers, alive in zip(self._numbers, self.space.alive, strict=True):
            numbers.uniform_(-1, 1, generator=generator)
            if alive is not None:
                numbers.mul_(alive)
        self._step = step
        return self._numbers

    def add(
        self,
        weights: Sequence[torch.Tensor],
        scales: Sequence[torch.Tensor],
        step: int,
        out: Sequence[torch.Tensor],
    ) -> None:
        """Write disturbed weights.

        Parameters
        ----------
        weights : sequence of torch.Tensor
            The weights.
        scales : sequence of torch.Tensor
            Their scales.
        step : int
            Number of the step.
        out : sequence of torch.Tensor
            Overwritten.
        """
        for weight, numbers, amplitude, scale, lent in zip(
            weights,
            self.draw(weights, step),
            self.amplitudes(),
            scales,
            out,
            strict=True,
        ):
            torch.mul(numbers, (amplitude * scale).to(numbers.dtype), out=lent)
            lent.add_(weight)

    def slope(
        self,
        gradients: Sequence[torch.Tensor | None],
        scales: Sequence[torch.Tensor],
    ) -> torch.Tensor:
        """Return the gradient of the loss by the logits of all groups.

        Parameters
        ----------
        gradients : sequence of torch.Tensor or None
            Of the loss by the disturbed weights of the last step.
        scales : sequence of torch.Tensor
            Scales of the weights.

        Returns
        -------
        slope : torch.Tensor of shape (n_groups,)
            Derivatives of the loss under this noise.
        """
        parts = []
        for gradient, numbers, scale, groups in zip(
            gradients, self._numbers, scales, self.space.groups, strict=True
        ):
            if gradient is None:
                parts.append(numbers.new_zeros(groups.n_groups))
            else:
                parts.append(groups.sums(gradient * numbers * scale))
        sigma = torch.sigmoid(self.precisions.logits)
        return torch.cat(parts).to(sigma) * sigma * (1 - sigma)

    def forget(self) -> None:
        """Give the memory back, when there is to be no more noise."""
        self._numbers, self._step = [], -1
