"""A quantized network taken apart into what a file of it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..quantizers import QuantizedTensor
from ..quantizers._code_plans import CodePlan, write_codes
from ._sealed import seal
from ._state_files import check_state, with_twins
from ._tensor_bytes import name_of, pack_tensors


@dataclass(frozen=True)
class Sections:
    """What a file is made of.

    Parameters
    ----------
    header : dict
        What a reader must know.
    codes : bytes
        Codes, and bits that do not follow from them.
    plain : bytes
        Steps, and what is not quantized.
    """

    header: dict[str, Any]
    codes: bytes
    plain: bytes

    def contents(self) -> bytes:
        """Return the file."""
        return seal(self.header, self.codes + self.plain)


@dataclass(frozen=True, eq=False)
class FileParts:
    """What goes into a file, before it is one.

    Parameters
    ----------
    plans : dict of str to CodePlan
        How codes are coded, by parameter name.
    plain : dict of str to torch.Tensor
        Tensors that are not quantized, each once, on the CPU.
    types : dict of str to str
        Types of quantized parameters that are not float32.
    sources : dict of str to str
        The name that each name of the state dict has its value from, in order.
    extra : dict
        The user's own.
    """

    plans: dict[str, CodePlan]
    plain: dict[str, torch.Tensor]
    types: dict[str, str]
    sources: dict[str, str]
    extra: dict[str, Any]

    @classmethod
    def of(
        cls,
        module: nn.Module | Mapping[str, torch.Tensor],
        quantized: Mapping[str, QuantizedTensor],
        extra: Mapping[str, Any] | None = None,
    ) -> FileParts:
        """Take a network apart; raises what `save_quantized` raises."""
        state = module.state_dict() if isinstance(module, nn.Module) else module
        check_state(state, "quantized")
        for name, tensor in quantized.items():
            _check_value(name, tensor, state)
        sources = _sources(state, quantized)
        own = [name for name, source in sources.items() if name == source]
        return cls(
            {name: CodePlan.of(tensor) for name, tensor in quantized.items()},
            {name: state[name].cpu() for name in own if name not in quantized},
            {
                name: name_of(state[name].dtype)
                for name in quantized
                if state[name].dtype != torch.float32
            },
            sources,
            dict(extra or {}),
        )

    def sections(self) -> Sections:
        """Return the file in its sections."""
        codes, data = write_codes(list(self.plans.values()))
        steps = [plan.tensor.step for plan in self.plans.values()]
        tensors, plain = pack_tensors([*steps, *self.plain.values()])
        header = {
            "quantized": list(self.plans),
            "types": self.types,
            "state": [
                [name] if name == source else [name, source]
                for name, source in self.sources.items()
            ],
            "bytes": len(data),
            "codes": codes,
            "tensors": tensors,
            "extra": self.extra,
        }
        return Sections(header, data, plain)


def _check_value(
    name: str, tensor: QuantizedTensor, state: Mapping[str, torch.Tensor]
) -> None:
    if name not in state:
        raise ValueError(f"quantized has {name!r}, which the module does not have.")
    value = state[name].detach().cpu()
    if tensor.shape != value.shape:
        raise ValueError(
            f"quantized[{name!r}] has shape {tuple(tensor.shape)}, but the parameter "
            f"has {tuple(value.shape)}."
        )
    if not torch.equal(tensor.dequantize().to(value.dtype), value):
        raise ValueError(
            f"{name} has other values than its codes in quantized stand for; load "
            "what dequantize returns into the module first."
        )


def _sources(
    state: Mapping[str, torch.Tensor], quantized: Mapping[str, QuantizedTensor]
) -> dict[str, str]:
    """Return where each name has its value from: of twins, the quantized one."""
    twins = {name: twin or name for name, _, twin in with_twins(state)}
    owners = {twins[name]: name for name in reversed(list(quantized))}
    return {
        name: name if name in quantized else owners.get(twin, twin)
        for name, twin in twins.items()
    }
