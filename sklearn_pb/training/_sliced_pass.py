"""A forward and a backward pass with a mask of its own for each slice of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from ..distributions import CoupledSamples
from ._masked_module import MaskedModule
from ._rows import JoinedRows, take_rows


class SlicedPass:
    """Run each slice of a batch under its own mask, as one pass of a module.

    To the code around it, this is a forward pass of the whole batch and its backward
    pass. Inside, each slice has a graph of its own. All of them refer to the same
    memory for the masked weights, which is filled again for each slice, once in the
    forward and once in the backward pass; so memory does not grow with the number of
    masks.

    Parameters
    ----------
    masked : MaskedModule
        The network in training.
    samples : CoupledSamples
        The masks, one a slice.
    slices : sequence of slice
        The rows of each.
    slopes : torch.Tensor of shape (n, d), default=None
        The backward pass puts the slope of the loss by each mask here.

    Notes
    -----
    Each slice finds buffers as they were before the pass. Afterwards they are the mean
    of what the slices made of them, so that running statistics keep their time
    constant.
    """

    def __init__(
        self,
        masked: MaskedModule,
        samples: CoupledSamples,
        slices: Sequence[slice],
        slopes: torch.Tensor | None = None,
    ) -> None:
        self._masked = masked
        self._samples = samples
        self._slices = slices
        self._slopes = slopes
        self._outputs: JoinedRows | None = None
        governed = masked.weights.parameters
        ours = {id(p) for p in governed}
        wants_masked = masked.train_weights or slopes is not None
        self._parameters = [
            p
            for p in masked.module.parameters()
            if p.requires_grad and (wants_masked or id(p) not in ours)
        ]
        at = {id(p): i for i, p in enumerate(self._parameters)}
        self._places = [at.get(id(p)) for p in governed]  # of each in `_parameters`
        self._others = [i for i, p in enumerate(self._parameters) if id(p) not in ours]

    def __call__(self, args: tuple, kwargs: dict[str, Any], n_rows: int) -> Any:
        """Run the slices.

        Parameters
        ----------
        args : tuple
            Positional arguments, for the whole batch.
        kwargs : dict
            Named arguments.
        n_rows : int
            Rows of the batch.

        Returns
        -------
        output : object
            Of the module, for the whole batch, with an autograd graph.
        """
        tensors = _Run.apply(self, (args, kwargs), n_rows, *self._parameters)
        assert self._outputs is not None
        return self._outputs.joined(tensors)

    def forward(self, inputs: Any, n_rows: int) -> list[torch.Tensor]:
        """Run the slices forward.

        Parameters
        ----------
        inputs : tuple of (tuple, dict)
            Positional and named arguments.
        n_rows : int
            Rows of the batch.

        Returns
        -------
        tensors : list of torch.Tensor
            Those of the output for the whole batch, without a graph.
        """
        masked, parts = self._masked, []
        buffers = _MeanOfBuffers(masked.module, len(self._slices))
        try:
            for number, rows in enumerate(self._slices):
                masked.weights.lend(self._samples.mask(number))
                buffers.begin_slice()
                with torch.enable_grad():
                    parts.append(masked.run(*take_rows(inputs, rows, n_rows)))
                buffers.end_slice()
        finally:
            masked.weights.take_back()
        buffers.end()
        self._outputs = JoinedRows(parts, self._slices)
        columns = zip(*self._outputs.leaves, strict=True)
        return [torch.cat([x.detach() for x in column]) for column in columns]

    def backward(
        self, gradients: Sequence[torch.Tensor | None]
    ) -> list[torch.Tensor | None]:
        """Run the slices backward.

        Parameters
        ----------
        gradients : sequence of torch.Tensor or None
            Of the loss by the tensors that `forward` returned.

        Returns
        -------
        totals : list of torch.Tensor or None
            Gradients of the parameters, not of the masked ones.
        """
        assert self._outputs is not None
        totals: list[torch.Tensor | None] = [None] * len(self._parameters)
        leaves, self._outputs.leaves = self._outputs.leaves, []
        try:
            for number, rows in enumerate(self._slices):
                parts = [None if g is None else g[rows] for g in gradients]
                mask = self._samples.mask(number)
                self._masked.weights.lend(mask)
                found = self._gradients(leaves[number], parts)
                leaves[number] = []  # its graph is not needed any more
                if self._slopes is not None:
                    self._put_slope(mask, found, self._slopes[number])
                self._add(totals, found, mask)
        finally:
            self._masked.weights.take_back()
        return totals

    def _gradients(
        self, leaves: list[torch.Tensor], gradients: list[torch.Tensor | None]
    ) -> list[torch.Tensor | None]:
        """Gradients of the masked parameters on one slice."""
        pairs = [
            (leaf, g)
            for leaf, g in zip(leaves, gradients, strict=True)
            if leaf.requires_grad and g is not None
        ]
        if not pairs:
            return [None] * len(self._parameters)
        found = torch.autograd.grad(
            [leaf for leaf, _ in pairs],
            self._parameters,
            [g for _, g in pairs],
            allow_unused=True,
        )
        return list(found)

    def _put_slope(
        self,
        mask: torch.Tensor,
        found: list[torch.Tensor | None],
        slope: torch.Tensor,
    ) -> None:
        gradients = [None if i is None else found[i] for i in self._places]
        self._masked.weights.split_gradients(mask, gradients, slope)

    def _add(
        self,
        totals: list[torch.Tensor | None],
        found: list[torch.Tensor | None],
        mask: torch.Tensor,
    ) -> None:
        """Add the gradients of one slice, of the weights under its mask."""
        for i in self._others:
            gradient, total = found[i], totals[i]
            if gradient is not None:
                totals[i] = gradient if total is None else total + gradient
        if not self._masked.train_weights:
            return
        sums = [None if i is None else totals[i] for i in self._places]
        gradients = [None if i is None else found[i] for i in self._places]
        self._masked.weights.add_masked(sums, gradients, mask)
        for place, total in zip(self._places, sums, strict=True):
            if place is not None:
                totals[place] = total


class _Run(torch.autograd.Function):
    """What autograd sees of the slices: one operation."""

    @staticmethod
    def forward(
        ctx: Any, run: SlicedPass, inputs: Any, n_rows: int, *parameters: nn.Parameter
    ) -> tuple[torch.Tensor, ...]:
        ctx.run = run
        ctx.set_materialize_grads(False)
        tensors = run.forward(inputs, n_rows)
        ctx.mark_non_differentiable(*[x for x in tensors if not x.is_floating_point()])
        return tuple(tensors)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, *gradients: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, ...]:
        return None, None, None, *ctx.run.backward(gradients)


class _MeanOfBuffers:
    """Let each slice find the buffers of before, and leave the mean of the slices."""

    def __init__(self, module: nn.Module, n_slices: int) -> None:
        # By `data`, as autograd would take what batch norm has saved for changed.
        self._buffers = [buffer.data for buffer in module.buffers()]
        self._before = [buffer.clone() for buffer in self._buffers]
        self._changes = [torch.zeros_like(buffer) for buffer in self._buffers]
        self._n, self._begun = n_slices, 0

    def begin_slice(self) -> None:
        if self._begun:
            for buffer, before in zip(self._buffers, self._before, strict=True):
                buffer.copy_(before)
        self._begun += 1

    def end_slice(self) -> None:
        for buffer, before, change in self._floats():
            change.add_(buffer).sub_(before)

    def end(self) -> None:
        for buffer, before, change in self._floats():
            torch.add(before, change, alpha=1 / self._n, out=buffer)

    def _floats(self) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        triples = zip(self._buffers, self._before, self._changes, strict=True)
        return [triple for triple in triples if triple[0].is_floating_point()]
