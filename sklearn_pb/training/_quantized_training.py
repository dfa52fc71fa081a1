"""Drive a run of quantization through a skorch net's own training loop."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from skorch import NeuralNet

from ..quantizers import ActivationRun, QuantizationRun, QuantizedTensor
from ._phased_training import PhasedTraining
from ._quantized_module import QuantizedModule


class QuantizedTraining(PhasedTraining):
    """Give each training step noisy or rounded weights, and teach the method.

    Parameters
    ----------
    quantized : QuantizedModule
        The network in training.
    start : callable
        Begins the run of the method, given the number of steps of its search.
    trains : bool
        False lets the network train as it is, and rounds it in the end.
    finetune : float
        Fraction of the steps after precisions are fixed.

    Attributes
    ----------
    quantizer : QuantizationRun or None
        The run of the method, once it has begun.
    activations : ActivationRun or None
        The training of quantized activations, where there are any.
    wanted : str
        The target, for the lines of progress.
    """

    def __init__(
        self,
        quantized: QuantizedModule,
        start: Callable[[int], QuantizationRun],
        trains: bool,
        finetune: float,
    ) -> None:
        super().__init__(quantized, 0.0, finetune)
        self.quantized = quantized
        self.start = start
        self.trains = trains
        self.activations: ActivationRun | None = None
        self.wanted = ""
        self._n_steps = 1  # of the search, once it has begun

    @property
    def quantizer(self) -> QuantizationRun | None:
        """The run of the method, once it has begun."""
        return self.quantized.quantizer

    @property
    def phase(self) -> str:
        """ "dense", "search" or "frozen"."""
        if self.frozen:
            return "frozen"
        return "dense" if self.quantizer is None else "search"

    def plan(self, n_steps: int) -> None:
        """Fix where the phases of the run begin."""
        super().plan(n_steps)
        if self.activations is not None and self._phases is not None:
            self.activations.start(self._phases.freeze)

    def on_batch_begin(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Begin a step of the method."""
        if not training:
            return
        assert self._phases is not None
        if self._step >= self._phases.freeze and not self.frozen:
            self.freeze()
        progress = 1.0 if self.frozen else self._phases.progress(self._step)
        if self.trains:
            self._begun().advance(progress)
        if self.activations is not None:
            self.activations.advance(progress)

    def on_grad_computed(
        self, net: NeuralNet, named_parameters: Any = None, batch: Any = None, **kw: Any
    ) -> None:
        """Let the method learn from the batch."""
        self.quantized.collect()
        if self.activations is not None:
            self.activations.collect()

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool = False,
        loss: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        """Confine the weights; stop the run if the loss is not finite."""
        super().on_batch_end(net, batch, training, loss, **kwargs)
        if training:
            self.quantized.confine()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record how many bits weights have."""
        net.history.record("phase", self.phase)
        if self.activations is not None:
            net.history.record("activation_bits", self.activations.mean_bits())
        if self.quantizer is None:
            return
        net.history.record("mean_bits", self.quantizer.mean_bits())
        if self.quantizer.strength is not None:
            net.history.record("strength", self.quantizer.strength)

    def freeze(self, warn: bool = True) -> None:
        """Fix the precisions for good."""
        with torch.no_grad():
            self._begun().freeze(self.quantized.weights.weights)
            if self.activations is not None:
                self.activations.freeze()
        self.frozen = True

    def quantize(self) -> dict[str, QuantizedTensor]:
        """Return the codes that the run has, or would have if it ended here.

        Returns
        -------
        quantized : dict of str to QuantizedTensor
            By parameter name, on the CPU.
        """
        weights = self.quantized.weights
        with torch.no_grad():
            codes = self._begun().quantize(weights.weights)
        return dict(zip(weights.names, codes, strict=True))

    def bake(self) -> None:
        """Write the rounded weights over the weights."""
        tensors = self.quantize().values()
        with torch.no_grad():
            for weight, codes in zip(
                self.quantized.weights.weights, tensors, strict=True
            ):
                weight.copy_(codes.dequantize())

    def status(self, record: dict[str, Any]) -> str:
        """Return the bits of a weight, and the price of a bit."""
        if "mean_bits" not in record:
            return ""
        text = f"bits {record['mean_bits']:.3g}{self.wanted}"
        if "strength" in record:
            text += f", price {record['strength']:.2g}"
        return text

    def search_state(self) -> dict[str, Any]:
        """Return copies of the state of the method."""
        return deepcopy(self._state())

    def restore_search(self, state: dict[str, Any]) -> None:
        """Put the method back."""
        self.frozen = state["frozen"]
        if state["quantizer"] is None:
            self.quantized.quantizer = None
        else:
            quantizer = self._begun(state["n_steps"])
            quantizer.load_state_dict(deepcopy(state["quantizer"]))
        if self.activations is not None:
            self.activations.load_state_dict(deepcopy(state["activations"]))

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on between two steps."""
        return {"step": self._step, **self._state()}

    def _state(self) -> dict[str, Any]:
        quantizer, activations = self.quantizer, self.activations
        return {
            "frozen": self.frozen,
            "n_steps": self._n_steps,
            "quantizer": quantizer and quantizer.state_dict(),
            "activations": activations and activations.state_dict(),
        }

    def finished_state(self) -> dict[str, Any]:
        """Return the state, which a frozen method keeps small by itself."""
        return self.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._step = state["step"]
        self.restore_search(state)

    def _begun(self, n_steps: int | None = None) -> QuantizationRun:
        """The run of the method, which begins with the weights as they are now.

        One that goes on from a file does so before the steps to come are counted.
        """
        if self.quantized.quantizer is None:
            if n_steps is not None:
                self._n_steps = n_steps
            elif self._phases is not None:
                self._n_steps = self._phases.freeze - self._phases.search
            self.quantized.quantizer = self.start(self._n_steps)
        return self.quantized.quantizer
