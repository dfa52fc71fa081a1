"""The loss of one batch as a pseudo-Boolean function of the mask."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.dataset import unpack_data

from ..distributions import CoupledSamples
from ..functions import PseudoBooleanFunction
from ._masked_module import MaskedModule
from ._rows import by_channels, count_rows, take_rows
from ._sample_weight import batch_weight, set_batch_weight
from ._sampled_pass import SampledPass


class BatchFunction(PseudoBooleanFunction):
    """J(z): the loss of the network on one batch with its weights masked by z.

    An evaluation leaves the network as it was: weights, their gradients and running
    statistics. Points that require a gradient are run forward and backward at once, and
    autograd is handed the slope, as a constant: second derivatives are left out.

    Parameters
    ----------
    net : skorch.NeuralNet
        Its module is `masked`.
    masked : MaskedModule
        The network in training.
    batch : tuple
        What the iterator of the net gave.
    seen : SampledPass, default=None
        The training pass of this batch. The samples that it ran are not run again.

    Notes
    -----
    On the CPU a forward pass of a convolutional network takes about half the time if
    channels lie together in memory (three times less with max pooling), so images are
    put in this order once a batch. A network that cannot do with it, because it asks
    for a `view` of what is not contiguous, is given them as they are.
    """

    relaxable = True

    def __init__(
        self,
        net: NeuralNet,
        masked: MaskedModule,
        batch: Any,
        seen: SampledPass | None = None,
    ) -> None:
        self.n_variables = masked.layout.n_variables
        self._net = net
        self._masked = masked
        self._X, self._y = unpack_data(batch)
        self._X_by_channels: Any = None
        self._n_rows = count_rows(self._X)
        self._seen = seen if seen is not None and seen.output is not None else None
        self._costs_of_slices: list[torch.Tensor] | None = None

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        if not (Z.requires_grad and torch.is_grad_enabled()):
            return torch.stack([self._loss(z) for z in Z]).to(Z)
        pairs = [self._loss_and_slope(z) for z in Z.detach()]
        costs, slopes = (torch.stack(column) for column in zip(*pairs, strict=True))
        return _WithSlope.apply(Z, costs.to(Z), slopes.to(Z))

    def costs_of(self, samples: CoupledSamples) -> torch.Tensor:
        """Return the costs of samples: those of slices, where the pass was sliced.

        Parameters
        ----------
        samples : CoupledSamples
            The samples; what the training pass has seen of them is not run again.

        Returns
        -------
        costs : torch.Tensor of shape (n,)
            One cost a sample.

        Raises
        ------
        ObjectiveError
            If one is not finite.
        """
        known = self._known_costs(samples)
        rest = range(len(known), samples.n_samples)
        losses = known + [self._loss(samples.mask(number)) for number in rest]
        costs = torch.stack(losses).to(samples.probabilities)
        self._check_costs(costs, samples.n_samples)
        return costs

    def costs_and_slopes_of(
        self, samples: CoupledSamples, part: range
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return costs and slopes of some samples: those of their slices, if sliced.

        Parameters
        ----------
        samples : CoupledSamples
            The samples.
        part : range
            Numbers of those asked for.

        Returns
        -------
        costs : torch.Tensor of shape (m,)
            One cost a sample.
        slopes : torch.Tensor of shape (m, d)
            dJ/dz at each.

        Raises
        ------
        ObjectiveError
            If a cost is not finite.
        """
        pairs = [self._of_sample(samples, number) for number in part]
        costs, slopes = (torch.stack(column) for column in zip(*pairs, strict=True))
        self._check_costs(costs, len(part))
        theta = samples.probabilities
        return costs.to(theta), slopes.to(theta)

    def _of_sample(
        self, samples: CoupledSamples, number: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        mask, seen = samples.mask(number), self._seen
        if seen is None or seen.samples is not samples or not seen.slices:
            return self._loss_and_slope(mask)
        rows, cost = seen.slices[number], self._known_costs(samples)[number]
        if seen.slopes is None:
            return cost, self._loss_and_slope(mask, rows)[1]
        return cost, seen.slopes[number] / self._share(rows)

    def _known_costs(self, samples: CoupledSamples) -> list[torch.Tensor]:
        """Costs of the samples that the training pass has run, from the first on."""
        seen = self._seen
        if seen is None or seen.samples is not samples:
            return []
        if not seen.slices:
            return [self._loss_of_output(seen.output, slice(0, self._n_rows))]
        if self._costs_of_slices is None:
            costs = [self._loss_of_output(seen.output, rows) for rows in seen.slices]
            if seen.compared:
                costs = self._compared(costs, seen)
            self._costs_of_slices = costs
        return self._costs_of_slices

    def _compared(
        self, costs: list[torch.Tensor], seen: SampledPass
    ) -> list[torch.Tensor]:
        """Costs less what the rows of each slice cost more than those of others.

        That is measured under the probabilities as a mask. It does not depend on the
        samples, so no bias comes in.
        """
        output = self._output(seen.samples.probabilities)
        others = [self._loss_of_output(output, rows) for rows in seen.slices]
        mean = torch.stack(others).mean()
        return [c - o + mean for c, o in zip(costs, others, strict=True)]

    def _loss_of_output(self, output: Any, rows: slice) -> torch.Tensor:
        """The loss of some rows by what a pass of the batch gave for them."""
        X, y = self._rows(rows)
        set_batch_weight(self._net, X)
        y_pred = take_rows(output, rows, self._n_rows)
        with torch.no_grad():
            return self._net.get_loss(y_pred, y, X=X, training=True)

    def _rows(self, rows: slice | None) -> tuple[Any, Any]:
        if rows is None:
            return self._X, self._y
        n_rows = self._n_rows
        return take_rows(self._X, rows, n_rows), take_rows(self._y, rows, n_rows)

    def _share(self, rows: slice) -> float:
        """The share that rows have in the mean loss of the batch."""
        weight = batch_weight(self._net, self._X)
        if weight is None:
            return (rows.stop - rows.start) / self._n_rows
        return max(1e-12, float(weight[rows].sum() / weight.sum().clamp(min=1e-12)))

    def _loss(self, mask: torch.Tensor) -> torch.Tensor:
        output = self._output(mask)
        return self._net.get_loss(output, self._y, X=self._X, training=True)

    def _output(self, mask: torch.Tensor) -> Any:
        """What the network gives for the batch under a mask."""
        masked = self._masked
        with masked.trial(mask):
            if masked.takes_channels_last is False:
                return self._net.infer(self._X)
            if self._X_by_channels is None:
                self._X_by_channels = by_channels(self._X)
            if masked.takes_channels_last is None:
                return self._first_output()
            return self._net.infer(self._X_by_channels)

    def _first_output(self) -> Any:
        """An output, and a note on whether the network takes images by channels."""
        masked, draws = self._masked, self._masked.draws
        before = None if draws is None else draws.generator.get_state()
        masked.takes_channels_last = True
        try:
            return self._net.infer(self._X_by_channels)
        except RuntimeError:
            masked.takes_channels_last = False
            if draws is not None and before is not None:
                draws.generator.set_state(before)
            return self._net.infer(self._X)

    def _loss_and_slope(
        self, mask: torch.Tensor, rows: slice | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with self._masked.trial(mask), torch.enable_grad():
            loss = self._loss_of_rows(*self._rows(rows))
            return loss.detach(), self._masked.slope(loss)

    def _loss_of_rows(self, X: Any, y: Any) -> torch.Tensor:
        y_pred = self._net.infer(X)
        return self._net.get_loss(y_pred, y, X=X, training=True)


class _WithSlope(torch.autograd.Function):
    """Costs of points whose slopes are known."""

    @staticmethod
    def forward(
        ctx: Any, points: torch.Tensor, costs: torch.Tensor, slopes: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(slopes)
        return costs

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradient[:, None] * slopes, None, None
