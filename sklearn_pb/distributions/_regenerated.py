"""Couplings that draw a sample again, block by block, whenever it is needed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import torch

from ._coupled_samples import CoupledSamples

BLOCK = 1 << 16  # coordinates drawn at once, with 53 bits each


class RegeneratedSamples(CoupledSamples):
    """Samples that a subclass tells one at a time, a block of coordinates at a time.

    Only the block at hand is held, so memory is that of the result.

    Parameters
    ----------
    probabilities : torch.Tensor of shape (d,)
        P(z_i = 1).
    n_samples : int
        The number n of samples.
    stream : RandomStream
        The address of the draws.
    """

    @abstractmethod
    def _events(self, sample: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield ranges of coordinates and where z = 1 in them."""

    def _draw(self, samples: range, dtype: torch.dtype) -> torch.Tensor:
        theta = self.probabilities
        z = theta.new_empty(len(samples), len(theta), dtype=dtype)
        for row, sample in zip(z, samples, strict=True):
            for block, events in self._events(sample):
                row[block] = events
        return z

    def _weighted_sum(self, weights: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(self.probabilities)
        for sample, weight in enumerate(weights.tolist()):
            for block, events in self._events(sample):
                total[block] += weight * events.to(total.dtype)
        return total

    def _uniforms(self, number: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield blocks of the uniforms in [0, 1) at an address of the stream."""
        generator, device = self._generator(number), self.probabilities.device
        for block in self._blocks():
            length = block.stop - block.start
            yield (
                block,
                torch.rand(
                    length, generator=generator, dtype=torch.float64, device=device
                ),
            )

    def _normals(self, number: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield blocks of the standard normals at an address of the stream."""
        generator, device = self._generator(number), self.probabilities.device
        for block in self._blocks():
            length = block.stop - block.start
            yield (
                block,
                torch.randn(
                    length, generator=generator, dtype=torch.float64, device=device
                ),
            )

    def _generator(self, number: int) -> torch.Generator:
        stream = self.stream.child(number)
        return stream.torch_generator(self.probabilities.device)

    def _blocks(self) -> Iterator[slice]:
        d = len(self.probabilities)
        for start in range(0, d, BLOCK):
            yield slice(start, min(start + BLOCK, d))
