"""Bernoulli parametrizations and couplings of samples."""

from ._antithetic_pairs import AntitheticPairs
from ._concrete import (
    Concrete,
    HardConcrete,
    Relaxation,
    conditional_derivative,
    conditional_latent,
    log_odds,
    logistic_noise,
)
from ._coupled_samples import CoupledSamples
from ._couplings import (
    DirichletCopula,
    Independent,
    dirichlet_correlation,
)
from ._gaussian_copula import GaussianCopula, gaussian_correlation
from ._parametrizations import (
    PRESETS,
    Cosine,
    Direct,
    Escort,
    Parametrization,
    Sigmoid,
)
from ._soft_steps import SOFT_STEPS, Algebraic, Arctan, Erf, Logistic, SoftStep

__all__ = [
    "PRESETS",
    "SOFT_STEPS",
    "Algebraic",
    "AntitheticPairs",
    "Arctan",
    "Concrete",
    "Cosine",
    "CoupledSamples",
    "Direct",
    "DirichletCopula",
    "Erf",
    "Escort",
    "GaussianCopula",
    "HardConcrete",
    "Independent",
    "Logistic",
    "Parametrization",
    "Relaxation",
    "Sigmoid",
    "SoftStep",
    "conditional_derivative",
    "conditional_latent",
    "dirichlet_correlation",
    "gaussian_correlation",
    "log_odds",
    "logistic_noise",
]
