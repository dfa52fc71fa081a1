"""How large a quantized network is: as papers count, at least, and in its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..quantizers import QuantizedTensor
from ..quantizers._code_plans import CodePlan
from ..utils import percent, text_table
from ._file_parts import FileParts
from ._tensor_bytes import dtype_of, pack_tensors

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


@dataclass(frozen=True)
class LayerSizes:
    """The bits of one quantized tensor.

    Parameters
    ----------
    name : str
        Of the parameter.
    weights, zeros : int
        How many there are, and how many of them are zero.
    mean_bits : float
        Bits a weight, as papers count them.
    entropy_bits : float
        Information content of all codes, given the best model of them.
    file_bits : float
        What the codes, the bit map and the steps take in the file.
    """

    name: str
    weights: int
    zeros: int
    mean_bits: float
    entropy_bits: float
    file_bits: float


@dataclass(frozen=True)
class QuantizedSizes:
    """The sizes of a quantized network, by layer and as a whole; prints as a table.

    Parameters
    ----------
    layers : tuple of LayerSizes
        One a quantized tensor.
    codes, bit_maps, steps, norms, others, header : float
        Bits of the parts of the file: codes; bits that do not follow from the codes;
        what codes are multiplied by; weights and statistics of normalisations; all
        other tensors that are not quantized; names, shapes, models and checksum.
    dense_bits : int
        Bits of the whole state before it was quantized.
    """

    layers: tuple[LayerSizes, ...]
    codes: float
    bit_maps: float
    steps: float
    norms: float
    others: float
    header: float
    dense_bits: int

    @property
    def weights(self) -> int:
        """Quantized weights."""
        return sum(layer.weights for layer in self.layers)

    @property
    def sparsity(self) -> float:
        """Fraction of the quantized weights that is zero."""
        return sum(layer.zeros for layer in self.layers) / max(1, self.weights)

    @property
    def mean_bits(self) -> float:
        """Bits a quantized weight, as papers count them: all else is left out."""
        counted = sum(layer.mean_bits * layer.weights for layer in self.layers)
        return counted / max(1, self.weights)

    @property
    def entropy_bits(self) -> float:
        """Information content of all codes, given the best models of them."""
        return sum(layer.entropy_bits for layer in self.layers)

    @property
    def file_bits(self) -> int:
        """Bits of the whole file."""
        parts = (self.codes, self.bit_maps, self.steps)
        rest = (self.norms, self.others, self.header)
        return round(sum(parts) + sum(rest))

    @property
    def file_bytes(self) -> int:
        """Bytes of the whole file."""
        return self.file_bits // 8

    @property
    def compression(self) -> float:
        """How many times larger the state was before."""
        return self.dense_bits / self.file_bits

    def __str__(self) -> str:
        """Return a table of the layers, and the parts of the file below."""
        titles = ("layer", "weights", "zeros", "bits", "entropy", "file")
        rows = [_row(layer) for layer in (*self.layers, self._total())]
        table = text_table(titles, rows, left={"layer"}, total=True)
        parts = {
            "codes": self.codes,
            "bit maps": self.bit_maps,
            "steps": self.steps,
            "normalisation": self.norms,
            "other tensors": self.others,
            "header": self.header,
        }
        lines = [f"{name} {bits / 8:,.0f}" for name, bits in parts.items() if bits]
        return (
            f"{table}\n\nBits a weight. File of {self.file_bytes:,} bytes, "
            f"{self.compression:.1f} times smaller than dense: {', '.join(lines)}."
        )

    def _total(self) -> LayerSizes:
        zeros = sum(layer.zeros for layer in self.layers)
        coded = sum(layer.file_bits for layer in self.layers)
        sizes = (self.mean_bits, self.entropy_bits, coded)
        return LayerSizes("all", self.weights, zeros, *sizes)


def quantized_sizes(
    module: nn.Module | Mapping[str, torch.Tensor],
    quantized: Mapping[str, QuantizedTensor],
    extra: Mapping[str, Any] | None = None,
) -> QuantizedSizes:
    """Return the sizes of a quantized network.

    The file is made, in memory, and its parts are counted. What layers share, the lanes
    of the coder for instance, is divided among them as the rest is.

    Parameters
    ----------
    module : nn.Module or dict of str to torch.Tensor
        The network or its state dict, with the weights that the codes stand for.
    quantized : dict of str to QuantizedTensor
        Codes by parameter name.
    extra : dict, default=None
        What else is saved.

    Returns
    -------
    sizes : QuantizedSizes
        By layer and part.

    Raises
    ------
    ValueError
        If a quantized tensor has no parameter, or another value than this.
    TypeError
        If the state or `extra` hold something that could only be pickled.

    See Also
    --------
    save_quantized : Writes the file.
    """
    parts = FileParts.of(module, quantized, extra)
    sections = parts.sections()
    total = 8 * len(sections.contents())
    codes, plain = 8 * len(sections.codes), 8 * len(sections.plain)
    norms = _norms(module, parts.plain)
    groups = {
        "steps": [plan.tensor.step for plan in parts.plans.values()],
        "norms": [parts.plain[name] for name in norms],
        "others": [parts.plain[name] for name in parts.plain if name not in norms],
    }
    weights = [_packed_bytes(own) for own in groups.values()]
    shares = dict(zip(groups, _shares(plain, weights), strict=True))
    maps = sum(_shares(codes, _information(parts.plans))[1::2])
    return QuantizedSizes(
        layers=tuple(_layers(parts.plans, codes, shares["steps"])),
        codes=codes - maps,
        bit_maps=maps,
        **shares,
        header=total - codes - plain,
        dense_bits=_dense_bits(parts),
    )


def _layers(
    plans: Mapping[str, CodePlan], codes: float, steps: float
) -> Iterator[LayerSizes]:
    numbers = [plan.tensor.step.numel() for plan in plans.values()]
    shares = _shares(codes, _information(plans))
    step_bits = _shares(steps, numbers)
    for place, (name, plan) in enumerate(plans.items()):
        tensor = plan.tensor
        yield LayerSizes(
            name,
            tensor.codes.numel(),
            int((tensor.codes == 0).sum()),
            tensor.mean_bits,
            plan.codes.bits,
            shares[2 * place] + shares[2 * place + 1] + step_bits[place],
        )


def _information(plans: Mapping[str, CodePlan]) -> list[float]:
    """Return the bits of codes and of the bit map of each layer, in turn."""
    pairs = [
        (plan.codes.bits, plan.bits.bits if plan.bits else 0.0)
        for plan in plans.values()
    ]
    return [bits for pair in pairs for bits in pair]


def _shares(total: float, weights: Sequence[float]) -> list[float]:
    """Divide a total in proportion to weights."""
    whole = sum(weights)
    return [total * weight / whole if whole else 0.0 for weight in weights]


def _packed_bytes(tensors: Sequence[torch.Tensor]) -> float:
    return float(len(pack_tensors(tensors)[1]))


def _norms(
    module: nn.Module | Mapping[str, torch.Tensor], names: Iterable[str]
) -> set[str]:
    """Return the names of tensors that belong to normalisations."""
    names = set(names)
    owners = {
        name.rpartition(".")[0]
        for name in names
        if name.rpartition(".")[2] == "running_mean"
    }
    if isinstance(module, nn.Module):
        for owner, part in module.named_modules():
            if isinstance(part, NORMS):
                owners.add(owner)
    return {name for name in names if name.rpartition(".")[0] in owners}


def _dense_bits(parts: FileParts) -> int:
    plain = sum(
        tensor.numel() * tensor.element_size() for tensor in parts.plain.values()
    )
    weights = sum(
        plan.tensor.codes.numel() * dtype_of(parts.types.get(name, "float32")).itemsize
        for name, plan in parts.plans.items()
    )
    return 8 * (plain + weights)


def _row(layer: LayerSizes) -> tuple[str, ...]:
    weights = max(1, layer.weights)
    return (
        layer.name,
        f"{layer.weights:,}",
        percent(layer.zeros / weights, 1),
        f"{layer.mean_bits:.2f}",
        f"{layer.entropy_bits / weights:.2f}",
        f"{layer.file_bits / weights:.2f}",
    )
