"""How the codes and the bits of quantized tensors are coded, and decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ._bit_maps import bits_from, describe_bits, stored_shape
from ._entropy import Plan, plan, read, write
from ._quantized_tensor import QuantizedTensor


@dataclass(frozen=True, eq=False)
class CodePlan:
    """How one tensor is coded.

    Parameters
    ----------
    tensor : QuantizedTensor
        The tensor.
    codes : Plan
        How its codes are.
    rule : list
        How its bits are found, see `describe_bits`.
    bits : Plan or None
        How what is stored for them is coded.
    """

    tensor: QuantizedTensor
    codes: Plan
    rule: list[Any]
    bits: Plan | None

    @classmethod
    def of(cls, tensor: QuantizedTensor, exact: bool = True) -> CodePlan:
        """Return the cheapest way; if not exact, only what that takes, and faster."""
        rule, stored = describe_bits(tensor)
        bits = None if stored is None else plan(_array(stored), exact)
        return cls(tensor, plan(_array(tensor.codes), exact), rule, bits)

    @property
    def plans(self) -> list[Plan]:
        """What is to be coded."""
        return [self.codes] if self.bits is None else [self.codes, self.bits]


def write_codes(plans: Sequence[CodePlan]) -> tuple[list[Any], bytes]:
    """Return codes and bits of tensors as bytes; their steps are not among them.

    Parameters
    ----------
    plans : sequence of CodePlan
        One a tensor.

    Returns
    -------
    description : list
        What a reader must know, for JSON.
    data : bytes
        The codes and bits.
    """
    models, data = write([part for own in plans for part in own.plans])
    known = [
        [list(own.tensor.shape), list(own.tensor.bits.shape), own.rule] for own in plans
    ]
    return [models, known], data


def read_codes(
    description: Sequence[Any], data: bytes, steps: Sequence[torch.Tensor]
) -> list[QuantizedTensor]:
    """Return the tensors that `write_codes` was given.

    Parameters
    ----------
    description : list
        As it was returned.
    data : bytes
        As it was returned.
    steps : sequence of torch.Tensor of float32
        Those of the tensors.

    Returns
    -------
    tensors : list of QuantizedTensor
        The tensors, bit for bit.

    Raises
    ------
    ValueError
        If description, data and steps do not go together.
    """
    models, known = description
    shapes: list[tuple[int, ...]] = []
    for shape, bits_shape, rule in known:
        stored = stored_shape(rule, tuple(bits_shape))
        shapes += [tuple(shape)] if stored is None else [tuple(shape), stored]
    arrays = iter(read(models, data, shapes))
    tensors = []
    for (_, bits_shape, rule), step in zip(known, steps, strict=True):
        codes = torch.from_numpy(next(arrays)).to(torch.int32)
        is_stored = stored_shape(rule, tuple(bits_shape)) is not None
        bits = torch.from_numpy(next(arrays)).to(torch.uint8) if is_stored else None
        found = bits_from(rule, bits, codes, tuple(bits_shape))
        tensors.append(QuantizedTensor(codes, step, found))
    return tensors


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().to(torch.int64).numpy()
