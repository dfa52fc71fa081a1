"""From masks by parameter name to the variables of a layout."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ._layout import MaskLayout
from ._placements import Placement


def given_variables(
    layout: MaskLayout, masks: Mapping[str, torch.Tensor], strict: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which variables given masks keep, and which they name.

    Parameters
    ----------
    layout : MaskLayout
        The variables.
    masks : dict of str to torch.Tensor
        Boolean masks by parameter name. What they do not name is kept whole.
    strict : bool, default=True
        False passes over masks that have no parameter or one of another shape.

    Returns
    -------
    kept, named : torch.Tensor of bool, shape (d,)
        On the CPU.

    Raises
    ------
    ValueError
        If a mask has no parameter of its shape (if strict), if no mask has one, or if
        a mask keeps a part of a variable.
    """
    fitting = [p for p in layout.placements if _fits(p, masks)]
    _check_fit(layout, masks, {p.name for p in fitting}, strict)
    ones, totals = torch.zeros(2, layout.n_variables)
    for placement in fitting:
        mask = masks[placement.name].to(ones)
        placement.add_sums_(mask, ones)
        placement.add_sums_(torch.ones_like(mask), totals)
    parts = int(((ones > 0) & (ones < totals)).sum())
    if parts:
        raise ValueError(
            f"the masks keep only a part of {parts} of the {layout.n_variables} "
            "variables; they were made for another granularity."
        )
    return (ones > 0) | (totals == 0), totals > 0


def _fits(placement: Placement, masks: Mapping[str, torch.Tensor]) -> bool:
    mask = masks.get(placement.name)
    return mask is not None and mask.shape == placement.shape


def _check_fit(
    layout: MaskLayout,
    masks: Mapping[str, torch.Tensor],
    fitting: set[str],
    strict: bool,
) -> None:
    shapes = {p.name: tuple(p.shape) for p in layout.placements}
    unfit = [name for name in masks if name not in fitting]
    if not unfit or (fitting and not strict):
        return
    faults = ", ".join(
        f"{name!r} has shape {tuple(masks[name].shape)}, the parameter {shapes[name]}"
        if name in shapes
        else f"{name!r} is no parameter that is masked"
        for name in unfit
    )
    what = "masks do not fit the network" if strict else "no mask fits the network"
    raise ValueError(f"{what}: {faults}. Masked are {', '.join(map(repr, shapes))}.")
