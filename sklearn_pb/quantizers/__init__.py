"""Codes for weights of few bits, and the methods that learn how many each needs."""

from ._activation_run import ActivationRun
from ._activations import PACT, Activations, SmolActivations
from ._base import (
    PrecisionOptions,
    Quantization,
    QuantizationRun,
    QuantizationSpace,
)
from ._bsq import BSQ
from ._code_entropy import coded_bits
from ._codes import (
    bits_of_codes,
    logits_of_bits,
    precision_of_logits,
    quantize_smol,
    real_precision,
    smol_codes,
    zero_precision,
)
from ._dorefa import DoReFa
from ._energy import (
    EnergyEstimate,
    estimate_energy,
    multiplier_latency,
    multiplier_power,
)
from ._lsq import LSQ
from ._post_training import PostTraining
from ._precision_groups import PrecisionGroups
from ._precision_target import PrecisionTarget
from ._prepare_activations import prepare_activations, restore_activations
from ._presets import (
    ACTIVATIONS,
    METHODS,
    resolve_activations,
    resolve_quantization,
)
from ._quantized_activation import QuantizedActivation
from ._quantized_tensor import QuantizedTensor
from ._scales import initial_scales
from ._smol import Smol
from ._uniform import odd_codes, odd_step, uniform_codes, uniform_step

__all__ = [
    "ACTIVATIONS",
    "BSQ",
    "LSQ",
    "METHODS",
    "PACT",
    "ActivationRun",
    "Activations",
    "DoReFa",
    "EnergyEstimate",
    "PostTraining",
    "PrecisionGroups",
    "PrecisionOptions",
    "PrecisionTarget",
    "Quantization",
    "QuantizationRun",
    "QuantizationSpace",
    "QuantizedActivation",
    "QuantizedTensor",
    "Smol",
    "SmolActivations",
    "bits_of_codes",
    "coded_bits",
    "estimate_energy",
    "initial_scales",
    "logits_of_bits",
    "multiplier_latency",
    "multiplier_power",
    "odd_codes",
    "odd_step",
    "precision_of_logits",
    "prepare_activations",
    "quantize_smol",
    "real_precision",
    "resolve_activations",
    "resolve_quantization",
    "restore_activations",
    "smol_codes",
    "uniform_codes",
    "uniform_step",
    "zero_precision",
]
