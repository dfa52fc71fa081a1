"""Which parameters of a network are masked, and where each lies in one flat mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import nn

from ..exceptions import NothingToPruneError

Selector = str | type[nn.Module]


@dataclass(frozen=True)
class MaskLayout:
    """The order of masked parameters in the flat mask.

    Parameters
    ----------
    names : tuple of str
        Qualified parameter names, as in ``module.named_parameters()``.
    shapes : tuple of torch.Size
        Their shapes.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]

    @property
    def sizes(self) -> list[int]:
        """Number of weights of each masked parameter."""
        return [shape.numel() for shape in self.shapes]

    @property
    def n_variables(self) -> int:
        """The number d of masked weights."""
        return sum(self.sizes)

    def split(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return views of a flat tensor in the shape of each parameter.

        Parameters
        ----------
        flat : torch.Tensor of shape (d,)
            One value a masked weight.

        Returns
        -------
        parts : dict of str to torch.Tensor
            By parameter name.
        """
        parts = flat.split(self.sizes)
        return {
            name: part.view(shape)
            for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
        }

    def parameters(self, module: nn.Module) -> list[nn.Parameter]:
        """Return the masked parameters of a module, in the order of the layout.

        Parameters
        ----------
        module : nn.Module
            The network, or a copy of it.

        Returns
        -------
        parameters : list of nn.Parameter
            The module's own, not copies.
        """
        return [module.get_parameter(name) for name in self.names]


def prunable_layout(
    module: nn.Module,
    include: Selector | Iterable[Selector] | None = None,
    exclude: Selector | Iterable[Selector] | None = None,
) -> MaskLayout:
    """Choose the parameters to mask: those with two or more axes, by default.

    Parameters
    ----------
    module : nn.Module
        The network.
    include, exclude : str, nn.Module class, or list of them, default=None
        Patterns (as in a shell) for parameter names or for the names of the modules
        that hold them, or classes of those modules. `include` limits the choice,
        `exclude` then takes from it.

    Returns
    -------
    layout : MaskLayout
        Tied parameters appear once.

    Raises
    ------
    NothingToPruneError
        If nothing is left.
    """
    candidates = {n: p for n, p in module.named_parameters() if p.ndim >= 2}
    chosen = {
        name: parameter.shape
        for name, parameter in candidates.items()
        if (include is None or _selected(module, name, include))
        and not (exclude is not None and _selected(module, name, exclude))
    }
    if not chosen:
        raise NothingToPruneError(
            f"include={include!r} and exclude={exclude!r} leave nothing to prune; the "
            f"parameters with two or more axes are: {', '.join(candidates) or 'none'}."
        )
    return MaskLayout(tuple(chosen), tuple(chosen.values()))


def _selected(
    module: nn.Module, name: str, selectors: Selector | Iterable[Selector]
) -> bool:
    if isinstance(selectors, (str, type)):
        selectors = [selectors]
    holder = name.rpartition(".")[0]
    return any(
        isinstance(module.get_submodule(holder), selector)
        if isinstance(selector, type)
        else fnmatchcase(name, selector) or fnmatchcase(holder, selector)
        for selector in selectors
    )
