"""Random draws of torch code from an explicit generator, without global seeding."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_NATIVE_DROPOUT = torch.ops.aten.native_dropout.default


class SeededDraws(TorchDispatchMode):
    """Context in which torch's random operators draw from one generator.

    Torch's initialisers and dropout know only the global generator, which threads
    share; seeding it would make a result depend on what else runs. This mode is local
    to its thread and hands the generator to every random operator reached inside.

    Parameters
    ----------
    generator : torch.Generator
        Where the draws come from; its device must be the tensors' device.

    Attributes
    ----------
    used : bool
        Whether anything has been drawn.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.generator = generator
        self.used = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run an operator, with the generator if it draws."""
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        self.used = True
        if func is _NATIVE_DROPOUT:
            return self._native_dropout(*args, **kwargs)
        drawing = _with_generator(func)
        if drawing is not None and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
            func = drawing
        return func(*args, **kwargs)

    def _native_dropout(
        self, input: torch.Tensor, p: float, train: bool | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        keep = torch.empty_like(input, dtype=torch.bool)
        if train is False:
            return input, keep.fill_(True)
        keep.bernoulli_(1 - p, generator=self.generator)
        return input * keep / (1 - p if p < 1 else 1.0), keep


def _with_generator(func: Any) -> Any:
    """The operator itself or its twin overload that takes a generator, or None."""
    wanted = _arguments(func)
    for name in (func._overloadname, *func.overloadpacket.overloads()):
        overload = getattr(func.overloadpacket, name)
        arguments = _arguments(overload)
        if "generator" in arguments:
            del arguments["generator"]
            if arguments == {k: v for k, v in wanted.items() if k != "generator"}:
                return overload
    return None


def _arguments(func: Any) -> dict[str, str]:
    return {argument.name: str(argument.type) for argument in func._schema.arguments}
