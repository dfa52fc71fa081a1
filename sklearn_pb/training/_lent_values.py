"""Other values that a module's parameters point to for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

Write = Callable[[list[torch.Tensor], list[torch.Tensor]], None]


class LentValues:
    """Lend a module other values than its weights, and take them back.

    The parameters stay the same objects; what they point to changes, and the memory of
    the other values is used again and again.

    Parameters
    ----------
    module : nn.Module
        The network.
    names : sequence of str
        The parameters that are governed.

    Attributes
    ----------
    parameters : list of nn.Parameter
        The governed parameters, in the order of their names.
    """

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        self.module = module
        self.names = tuple(names)
        self.parameters = [module.get_parameter(name) for name in self.names]
        self._lent: list[nn.Parameter] = []  # those that point to other values now
        self._weights: list[torch.Tensor] = []  # what they have pointed to
        self._values: list[torch.Tensor] | None = None  # memory for them, kept

    @property
    def weights(self) -> list[torch.Tensor]:
        """The weights themselves, whether they are lent or not."""
        return self._weights or [p.data for p in self.parameters]

    @property
    def lent(self) -> bool:
        """Whether the module has other values than its weights now."""
        return bool(self._lent)

    def hand_out(self, write: Write) -> None:
        """Give the module other values; again, and yet others, if you like.

        Parameters
        ----------
        write : callable
            Is given the weights, and where to write the values.
        """
        parameters = self._lent or self.parameters
        if self._values is None:
            self._values = [torch.empty_like(p).detach() for p in parameters]
        if not self._lent:
            self._weights = [p.data for p in parameters]
        write(self._weights, self._values)
        if not self._lent:
            for parameter, values in zip(parameters, self._values, strict=True):
                parameter.data = values
            self._lent = parameters

    def take_back(self) -> None:
        """Let the parameters point to the weights again."""
        for parameter, weight in zip(self._lent, self._weights, strict=True):
            parameter.data = weight
        self._lent, self._weights = [], []

    def keep(self) -> None:
        """Write the values that are lent over the weights, and take them back."""
        with torch.no_grad():
            for weight, values in zip(self._weights, self._lent, strict=True):
                weight.copy_(values)
        self.take_back()
