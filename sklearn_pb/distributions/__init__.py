"""Bernoulli parametrizations and couplings of samples."""

from ._couplings import (
    CoupledSamples,
    DirichletCopula,
    Independent,
    dirichlet_correlation,
)
from ._parametrizations import (
    PRESETS,
    Cosine,
    Direct,
    Escort,
    Parametrization,
    Sigmoid,
)

__all__ = [
    "PRESETS",
    "Cosine",
    "CoupledSamples",
    "Direct",
    "DirichletCopula",
    "Escort",
    "Independent",
    "Parametrization",
    "Sigmoid",
    "dirichlet_correlation",
]
