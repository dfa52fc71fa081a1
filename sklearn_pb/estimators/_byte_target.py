"""From the bytes that a file may have to those that are left for codes."""

from __future__ import annotations

from collections.abc import Container, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..export import quantized_sizes
from ..quantizers import (
    PrecisionTarget,
    QuantizedTensor,
    coded_bits,
    quantize_smol,
    smol_codes,
)
from ..utils import RandomStream
from ._quantizer_file import what_else

_SPREAD = 0.1  # of what training makes different, roughly
_BITS = 3  # of the weights in a file that is made to see what it has beside them


def for_codes(
    target: PrecisionTarget,
    quantizer: Any,
    net: Any,
    names: Sequence[str],
    masked: Container[str] = (),
) -> PrecisionTarget:
    """Return a target for the codes alone, given one for the whole file.

    Parameters
    ----------
    target : PrecisionTarget
        What the file of an estimator is to end with.
    quantizer : MixedPrecisionQuantizer
        The estimator, in its `fit`.
    net : skorch net
        Initialised.
    names : sequence of str
        The parameters that are quantized.
    masked : collection of str, default=()
        Parameters that an earlier stage has masked: what is zero there stays zero.

    Returns
    -------
    target : PrecisionTarget
        The same for other units than bytes.

    Raises
    ------
    ValueError
        If everything else takes as many bytes.
    """
    if target.unit != "bytes" or target.value is None:
        return target
    beside = _bytes_beside(quantizer, net, names, masked)
    if target.value <= beside:
        raise ValueError(
            f"target_bytes={quantizer.target_bytes!r} is too little: what is not "
            f"quantized, and the header of the file, take {beside:.0f} bytes."
        )
    return replace(target, value=target.value - beside)


def _bytes_beside(
    quantizer: Any, net: Any, names: Sequence[str], masked: Container[str]
) -> float:
    """Bytes of a file that codes do not account for."""
    module = deepcopy(net.module_).cpu()
    _vary_(module, masked)
    quantized = {name: _rounded_(module.get_parameter(name)) for name in names}
    sizes = quantized_sizes(module, quantized, what_else(_as_if_new(quantizer), net))
    return sizes.file_bytes - coded_bits(list(quantized.values())) / 8


@torch.no_grad()
def _vary_(module: nn.Module, masked: Container[str]) -> None:
    """Make different what is all the same before training, and takes no bytes yet."""
    generator = RandomStream(0).torch_generator("cpu")
    trained = [
        parameter
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and name not in masked
    ]
    statistics = [
        buffer
        for part in module.modules()
        if isinstance(part, _NormBase)
        for buffer in part.buffers(recurse=False)
    ]
    for tensor in (*trained, *statistics):
        several = tensor.is_floating_point() and tensor.numel() > 1
        if several and bool((tensor == tensor.flatten()[0]).all()):
            noise = torch.randn(tensor.shape, generator=generator)
            tensor.add_(_SPREAD * noise.to(tensor.dtype))


def _as_if_new(quantizer: Any) -> Any:
    """A copy without what an earlier `fit` has found and this one has not, yet."""
    new = copy(quantizer)
    for name in ("activation_bits_", "_n_features_out", "_uncounted_bits"):
        new.__dict__.pop(name, None)
    return new


@torch.no_grad()
def _rounded_(weight: nn.Parameter) -> QuantizedTensor:
    """Codes of a few bits for a weight, which is made what they stand for."""
    bits = torch.tensor(_BITS, dtype=torch.uint8)
    largest = weight.abs().max().float()
    scale = torch.where(largest > 0, largest / 2, 1.0)  # values lie within 2
    codes = smol_codes(quantize_smol(weight.float() / scale, bits), bits, _BITS)
    quantized = QuantizedTensor(codes, scale * 2 ** (1 - _BITS), bits)
    weight.copy_(quantized.dequantize())
    return quantized
