"""From a sparsity, a scope and a unit of count to the quota of a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch

from ..constraints import CostQuota, MeasuredQuota, Quota
from ..utils import check_number
from ._granularity import Granularity
from ._layout import MaskLayout
from ._measures import Measure

Sparsity = float | Mapping[str, float] | None
SCOPES = ("global", "layer", "erk")


def build_quota(
    layout: MaskLayout,
    granularity: Granularity,
    *,
    sparsity: Sparsity,
    scope: str = "global",
    measure: Measure | None = None,
) -> Quota:
    """Return how many variables a mask keeps, and where.

    Parameters
    ----------
    layout : MaskLayout
        The variables.
    granularity : Granularity
        What they stand for.
    sparsity : float, mapping of str to float, or None
        Fraction of zeros; by layer (shell patterns for the names of layers; the first
        that fits counts, others keep all); or open.
    scope : {"global", "layer", "erk"}, default="global"
        Whether all variables compete, each layer keeps the same share, or layers keep
        shares by the Erdős-Rényi-kernel rule (Evci et al., 2020).
    measure : Measure, default=None
        What is counted in place of variables. At least that share of the network goes,
        or of what the variables of a layer take alone if there is a mapping.

    Returns
    -------
    quota : Quota
        For a search space.

    Raises
    ------
    ValueError
        If the parts do not go together, or no mask can be as sparse as that.
    """
    cells = granularity.cells(layout)
    floors = layout.layers if granularity.structured else ()
    if cells is not None:
        return _of_cells(cells, granularity, sparsity, scope, measure)
    if isinstance(sparsity, Mapping):
        return _mapped(layout, sparsity, scope, measure, floors)
    if measure is not None and sparsity is not None:
        return _measured(layout, measure, sparsity, scope, floors)
    if scope == "erk" and sparsity is not None:
        counts = _with_floors(erk_counts(layout, sparsity), floors)
        return Quota(layout.layers, counts, at_least_one=floors)
    sizes = [layout.n_variables] if scope == "global" else layout.layers
    quota = Quota.proportional(sizes, sparsity, at_least_one=floors)
    if quota.counts is None:
        return quota
    return Quota(sizes, _with_floors(quota.counts, floors), at_least_one=floors)


def _of_cells(
    cells: Quota,
    granularity: Granularity,
    sparsity: Sparsity,
    scope: str,
    measure: Measure | None,
) -> Quota:
    own = cells.sparsity
    assert own is not None
    if isinstance(sparsity, Mapping) or (
        sparsity is not None and abs(sparsity - own) > 1e-6
    ):
        raise ValueError(
            f"sparsity={sparsity!r} contradicts granularity={granularity!r}, which "
            f"fixes it at {own:.6g}; it must be None."
        )
    if scope != "global" or measure is not None:
        raise ValueError(
            f"granularity={granularity!r} keeps its pattern in every layer; it needs "
            "scope='global' and count='units'."
        )
    return cells


def _with_floors(counts: Sequence[int], floors: Sequence[int]) -> list[int]:
    """The counts with one for every layer, at the cost of those that keep most."""
    if sum(counts) < len(floors):
        raise ValueError(
            f"sparsity leaves {sum(counts)} of {sum(floors)} units, but each of the "
            f"{len(floors)} layers must keep one; it must be at most "
            f"{1 - len(floors) / sum(floors):.6g}."
        )
    lifted = list(counts)
    while len(counts) == len(floors) and 0 in lifted:
        lifted[lifted.index(max(lifted))] -= 1
        lifted[lifted.index(0)] += 1
    return lifted


def _mapped(
    layout: MaskLayout,
    sparsity: Mapping[str, float],
    scope: str,
    measure: Measure | None,
    floors: Sequence[int],
) -> Quota:
    if scope != "global":
        raise ValueError(
            f"a mapping as sparsity says what each layer keeps, so scope={scope!r} "
            "has no effect; it must be 'global'."
        )
    shares = _mapped_shares(layout, sparsity)
    if measure is None:
        sized = zip(layout.layers, shares, strict=True)
        counts = [size - round(share * size) for size, share in sized]
        return Quota(layout.layers, _with_floors(counts, floors), at_least_one=floors)
    costs = measure.costs()
    named = zip(layout.layer_names, costs.split(layout.layers), shares, strict=True)
    free = [name for name, part, share in named if share and not part.any()]
    if free:
        raise ValueError(
            f"sparsity names {free}, which have no {measure.unit}; use count='units' "
            "for them."
        )
    return CostQuota(layout.layers, shares, costs, at_least_one=floors)


def _mapped_shares(layout: MaskLayout, sparsity: Mapping[str, float]) -> list[float]:
    """The sparsity of each layer."""
    unused = [
        pattern
        for pattern in sparsity
        if not any(fnmatchcase(name, pattern) for name in layout.layer_names)
    ]
    if unused:
        raise ValueError(
            f"sparsity names {unused}, but the layers are "
            f"{', '.join(layout.layer_names)}."
        )
    return [
        next((s for p, s in sparsity.items() if fnmatchcase(name, p)), 0.0)
        for name in layout.layer_names
    ]


def erk_counts(layout: MaskLayout, sparsity: float) -> list[int]:
    """Return how many variables each layer keeps by the Erdős-Rényi-kernel rule.

    Parameters
    ----------
    layout : MaskLayout
        The variables.
    sparsity : float
        Fraction of zeros over all layers.

    Returns
    -------
    counts : list of int
        They add up to d - round(sparsity x d). A layer's density is proportional to
        the sum of the sides of its weight over their product; layers that would pass
        1 keep everything.

    Notes
    -----
    Mocanu et al. (2018); Evci et al. (2020).
    """
    sizes = torch.tensor(layout.layers, dtype=torch.float64)
    shares = torch.tensor(_erk_shares(layout), dtype=torch.float64)
    left = layout.n_variables - round(sparsity * layout.n_variables)
    total = left
    wanted = torch.zeros_like(sizes)
    free = torch.ones_like(sizes, dtype=torch.bool)
    while free.any():
        scale = (total - float(sizes[~free].sum())) / float(
            (sizes * shares)[free].sum()
        )
        full = free & (shares * scale >= 1)
        if not full.any():
            wanted[free] = (sizes * shares * scale)[free]
            break
        free &= ~full
    wanted[~free] = sizes[~free]
    counts = wanted.floor()
    for i in (wanted - counts).argsort(descending=True, stable=True).tolist():
        if counts.sum() >= total:
            break
        counts[i] += counts[i] < sizes[i]
    return [int(count) for count in counts]


def _erk_shares(layout: MaskLayout) -> list[float]:
    """For each layer the sum of its weight's sides over their product."""
    shapes = {p.name: p.shape for p in layout.placements if len(p.shape) >= 2}
    shares = []
    for name in layout.layer_names:
        shape = shapes.get(name) or shapes.get(f"{name}.weight")
        if shape is None:
            raise ValueError(
                f"scope='erk' goes by the sides of a layer's weight, and {name!r} is "
                "none that has one; use 'layer' or 'global'."
            )
        shares.append(sum(shape) / shape.numel())
    return shares


def _measured(
    layout: MaskLayout,
    measure: Measure,
    sparsity: float,
    scope: str,
    floors: Sequence[int],
) -> Quota:
    least = torch.zeros(layout.n_variables)
    start = 0
    for size in floors:
        least[start] = 1
        start += size
    full, smallest = measure.full, measure(least)
    if smallest > full * (1 - sparsity):
        raise ValueError(
            f"sparsity={sparsity!r} of the {measure.unit} cannot be reached: "
            f"{smallest / full:.3%} of them belong to what is not masked, or to what "
            "each layer must keep."
        )
    weights: list[float] = []
    if scope != "global":
        shares = _erk_shares(layout) if scope == "erk" else [1.0] * len(layout.layers)
        sized = zip(layout.layers, shares, strict=True)
        weights = [size * share for size, share in sized]
    return MeasuredQuota(
        measure,
        layout.n_variables,
        sparsity,
        costs=measure.costs(),
        at_least_one=floors,
        sizes=layout.layers if weights else (),
        weights=weights,
    )


def check_sparsity(sparsity: Sparsity) -> None:
    """Raise if a sparsity is neither a number in [0, 1), a mapping to such, nor None.

    Parameters
    ----------
    sparsity : float, mapping of str to float, or None
        What the user gave; a layer of a mapping may lose everything.
    """
    if isinstance(sparsity, Mapping):
        for name, value in sparsity.items():
            check_number(value, f"sparsity[{name!r}]", low=0, high=1)
    elif sparsity is not None:
        check_number(sparsity, "sparsity", low=0, high=1, high_open=True)
