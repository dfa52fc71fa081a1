"""The training pass of a step whose search will ask for the costs of sampled masks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch

from ..methods import SampledMasks
from ._masked_module import MaskedModule
from ._rows import count_rows, map_tensors
from ._sliced_pass import SlicedPass

_LEAST_ROWS = 2  # of a slice: batch norm cannot do with one
_ROOM = 64 << 20  # bytes for the slopes of a step


class SampledPass:
    """Run a training pass under sampled masks, and remember what it gave.

    It stands as `runner` in a `MaskedModule` for one step. "whole" runs the batch under
    the first mask. "sliced" cuts the batch into as many slices as there are masks, of
    equal length up to one row; a batch of less than two rows a slice is run whole.

    Parameters
    ----------
    masked : MaskedModule
        The network in training; its `mask` is the first of the masks.
    sampled : SampledMasks
        The masks, and how they are to be evaluated.

    Attributes
    ----------
    samples : CoupledSamples
        The masks.
    compared : bool
        Whether costs of slices are to be compared with those of the probabilities.
    output : object or None
        Of the last training pass, without a graph.
    slices : list of slice
        Rows of each mask, if the pass was sliced.
    slopes : torch.Tensor of shape (n, d) or None
        Slope of the loss of the batch by the mask of each slice, if they are wanted and
        fit into 64 MiB.
    """

    def __init__(self, masked: MaskedModule, sampled: SampledMasks) -> None:
        self._masked = masked
        self._sampled = sampled
        self.samples = sampled.samples
        self.compared = sampled.compared
        self.output: Any = None
        self.slices: list[slice] = []
        self.slopes: torch.Tensor | None = None

    def __call__(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run the module.

        Parameters
        ----------
        args : tuple
            Positional arguments.
        kwargs : dict
            Named arguments.

        Returns
        -------
        output : object
            Of the module.
        """
        masked = self._masked
        if not (masked.training and torch.is_grad_enabled()):
            return masked.lent_run(args, kwargs)
        n_rows = count_rows((args, kwargs))
        self.slices = self._cut(n_rows)
        if self.slices:
            self.slopes = self._room_for_slopes()
            run = SlicedPass(masked, self.samples, self.slices, self.slopes)
            output = run(args, kwargs, n_rows)
        else:
            output = masked.lent_run(args, kwargs)
        self.output = map_tensors(torch.Tensor.detach, output)
        return output

    def _cut(self, n_rows: int) -> list[slice]:
        n = self.samples.n_samples
        if not self._sampled.sliced or n_rows < _LEAST_ROWS * n:
            return []
        ends = [number * n_rows // n for number in range(n + 1)]
        return [slice(a, b) for a, b in pairwise(ends)]

    def _room_for_slopes(self) -> torch.Tensor | None:
        theta = self.samples.probabilities
        shape = self.samples.n_samples, len(theta)
        if not self._sampled.slopes or 4 * shape[0] * shape[1] > _ROOM:
            return None
        return theta.new_empty(shape)
