"""What is masked in a network: which weights follow which variable, and how many."""

from ._given import given_variables
from ._granularity import (
    GRANULARITIES,
    Blocks,
    Channels,
    Granularity,
    Heads,
    NofM,
    SingleWeights,
    resolve_granularity,
)
from ._layout import MaskLayout
from ._measures import UNITS, Measure, network_measure
from ._placements import Placement, Singles, Slices, Tiles
from ._quotas import SCOPES, build_quota, check_sparsity, erk_counts
from ._reshuffle import reshuffled
from ._selection import Selectors, prunable_parameters, selects

__all__ = [
    "GRANULARITIES",
    "SCOPES",
    "UNITS",
    "Blocks",
    "Channels",
    "Granularity",
    "Heads",
    "MaskLayout",
    "Measure",
    "NofM",
    "Placement",
    "Selectors",
    "SingleWeights",
    "Singles",
    "Slices",
    "Tiles",
    "build_quota",
    "check_sparsity",
    "erk_counts",
    "given_variables",
    "network_measure",
    "prunable_parameters",
    "reshuffled",
    "resolve_granularity",
    "selects",
]
