"""What an estimator around a quantized network offers: sizes, energy, files."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import torch
from torch import nn

from ..export import QuantizedSizes, quantized_sizes, to_quantized_onnx
from ..quantizers import (
    EnergyEstimate,
    QuantizedActivation,
    QuantizedTensor,
    estimate_energy,
)
from ._exported_network import ExportedNetwork
from ._quantizer_file import load_quantizer, save_quantizer, what_else


class QuantizedNetwork(ExportedNetwork):
    """Base of estimators whose network has weights of few bits.

    A subclass calls `_describe` in `fit`, and sets `estimator_` and `_examples`.
    """

    quantized_: dict[str, QuantizedTensor]
    _uses: dict[str, float]
    _sizes: QuantizedSizes | None
    _made_when_asked_for: ClassVar[dict[str, str]] = {
        **ExportedNetwork._made_when_asked_for,
        "sizes_": "_sizes",
    }

    def _describe(
        self,
        module: nn.Module,
        quantized: dict[str, QuantizedTensor],
        uses: dict[str, float],
        masks: dict[str, torch.Tensor],
        uncounted_bits: int = 0,
    ) -> None:
        """Set the attributes that follow from the codes.

        Parameters
        ----------
        module : nn.Module
            The trained network.
        quantized : dict of str to QuantizedTensor
            By parameter name.
        uses : dict of str to float
            Multiplications of one weight of each for a row.
        masks : dict of str to torch.Tensor
            Of an earlier stage: True where it has left an entry.
        uncounted_bits : int, default=0
            Bits that a weight has besides those that its codes are counted with.
        """
        self.quantized_ = quantized
        counts = {name: codes.codes.numel() for name, codes in quantized.items()}
        total = max(1, sum(counts.values()))
        self.layer_bits_ = {name: codes.mean_bits for name, codes in quantized.items()}
        self.mean_bits_ = (
            sum(counts[name] * bits for name, bits in self.layer_bits_.items()) / total
        )
        zeros = sum(int((codes.codes == 0).sum()) for codes in quantized.values())
        self.sparsity_ = zeros / total
        kept = {name: codes.codes != 0 for name, codes in quantized.items()}
        self.masks_ = {**masks, **kept}
        self._uncounted_bits = uncounted_bits
        bits = [codes.bits.expand(codes.shape) for codes in quantized.values()]
        self.energy_: EnergyEstimate = estimate_energy(
            [own + uncounted_bits * (own > 0) for own in bits],
            [uses[name] for name in quantized],
        )
        self.activation_bits_ = {
            name: part.mean_bits()
            for name, part in module.named_modules()
            if isinstance(part, QuantizedActivation)
        }
        self._uses = uses
        self._report = None
        self._sizes = None

    @property
    def sizes_(self) -> QuantizedSizes:
        """What the network takes, by three honest counts; made when first asked for."""
        if self._sizes is None:
            net = self.estimator_
            else_ = what_else(self, net)
            self._sizes = quantized_sizes(net.module_, self.quantized_, else_)
        return self._sizes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one small file.

        Codes are entropy-coded, everything else is stored without loss. Reading the
        file runs no code; so the class of a network of your own is not in it, and
        neither are methods that were given as objects.

        Parameters
        ----------
        path : str or path-like
            The file; replaced only when the new one is complete.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the labels are neither numbers nor strings.

        See Also
        --------
        load : Reads it.
        """
        save_quantizer(path, self)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        estimator: Any = None,
        *,
        device: str = "auto",
    ) -> QuantizedNetwork:
        """Read an estimator that `save` wrote; it predicts what that one did.

        Parameters
        ----------
        path : str or path-like
            The file.
        estimator : skorch net, torch.nn.Module (instance or class) or None, \
default=None
            The network that was quantized; its weights do not matter. None is for
            the small default network.
        device : str, default="auto"
            Where it is to be, as for `fit`.

        Returns
        -------
        quantizer : MixedPrecisionQuantizer
            Fitted, without history and first stage.

        Raises
        ------
        ExportError
            If the file is damaged, or not one of ours.
        OSError
            If there is no such file.
        ValueError
            If a network is needed, or another one.
        """
        return load_quantizer(cls, path, estimator, device)

    @property
    def _structured(self) -> bool:
        first = getattr(self, "first_stage_", None)
        return getattr(first, "_structured", False)

    def _write(self, format: str, path: str | os.PathLike[str]) -> None:
        if format == "onnx":
            module = self._exported_module(None).cpu()
            to_quantized_onnx(module, self.quantized_, self._inputs("cpu"), path)
        else:
            super()._write(format, path)
