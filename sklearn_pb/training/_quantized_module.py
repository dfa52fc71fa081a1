"""A wrapper that runs any module with noisy or rounded weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..quantizers import QuantizationRun
from ._lending_module import LendingModule
from ._lent_values import LentValues


class QuantizedModule(LendingModule):
    """Run a module with the weights that a method of quantization gives it.

    In training these are what the method learns from. In evaluation they are the
    weights that the run would end with now; they are computed once for all passes
    between two steps of training.

    Parameters
    ----------
    module : nn.Module
        The network.
    names : sequence of str
        Parameters that are quantized.

    Attributes
    ----------
    quantizer : QuantizationRun or None
        The run of the method; None runs the module as it is.
    """

    quantizer: QuantizationRun | None

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        super().__init__(module, LentValues(module, names))
        self.quantizer = None
        self._holds_ended = False  # whether the memory has the weights of evaluation

    def lend(self) -> None:
        """Give the module its noisy or rounded weights, if there is a run."""
        quantizer = self.quantizer
        if quantizer is None:
            return

        def write(weights: list[torch.Tensor], out: list[torch.Tensor]) -> None:
            if not self._holds_ended:
                with torch.no_grad():
                    quantizer.lend(weights, out, self.training)
            self._holds_ended = not self.training

        if self.training:
            self._holds_ended = False
        self.weights.hand_out(write)

    def collect(self) -> None:
        """End a training pass: give the weights back, with gradients of their own."""
        self._holds_ended = False
        if self.quantizer is None or not self.weights.lent:
            return
        self.weights.take_back()
        parameters = self.weights.parameters
        sparse = [_sparse_gradient(p) for p in parameters]
        gradients = [
            p.grad if s is None else s.to_dense()
            for p, s in zip(parameters, sparse, strict=True)
        ]
        with torch.no_grad():
            self.quantizer.collect(self.weights.weights, gradients)
        for name, parameter, dense, given in zip(
            self.weights.names, parameters, gradients, sparse, strict=True
        ):
            if name in self.fixed:
                parameter.grad = None
            elif given is not None and dense is not None:
                parameter.grad = dense.sparse_mask(given)

    def confine(self) -> None:
        """Bring the weights back to where they can be coded."""
        if self.quantizer is not None:
            with torch.no_grad():
                self.quantizer.confine_(self.weights.weights)


def _sparse_gradient(parameter: nn.Parameter) -> torch.Tensor | None:
    """The gradient of an embedding that asks for sparse ones."""
    gradient = parameter.grad
    if gradient is None or not gradient.is_sparse:
        return None
    return gradient.coalesce()
