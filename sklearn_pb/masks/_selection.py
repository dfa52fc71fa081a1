"""Which parameters of a network may be masked."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

from ..exceptions import NothingToPruneError

Selector = str | type[nn.Module]
Selectors = Selector | Iterable[Selector] | None


def prunable_parameters(
    module: nn.Module, include: Selectors = None, exclude: Selectors = None
) -> list[str]:
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
    names : list of str
        Tied parameters appear once.

    Raises
    ------
    NothingToPruneError
        If nothing is left.
    """
    candidates = [name for name, p in module.named_parameters() if p.ndim >= 2]
    chosen = [
        name
        for name in candidates
        if (include is None or selects(module, name, include))
        and not (exclude is not None and selects(module, name, exclude))
    ]
    if not chosen:
        raise NothingToPruneError(
            f"include={include!r} and exclude={exclude!r} leave nothing to prune; the "
            f"parameters with two or more axes are: {', '.join(candidates) or 'none'}."
        )
    return chosen


def selects(
    module: nn.Module, name: str, selectors: Selector | Iterable[Selector]
) -> bool:
    """Return whether patterns or classes select a parameter.

    Parameters
    ----------
    module : nn.Module
        The network.
    name : str
        Qualified name of the parameter.
    selectors : str, nn.Module class, or list of them
        Patterns for its name or its module's name, or classes of its module.

    Returns
    -------
    selected : bool
        True if any of them does.
    """
    if isinstance(selectors, (str, type)):
        selectors = [selectors]
    holder = name.rpartition(".")[0]
    return any(
        isinstance(module.get_submodule(holder), selector)
        if isinstance(selector, type)
        else fnmatchcase(name, selector) or fnmatchcase(holder, selector)
        for selector in selectors
    )
