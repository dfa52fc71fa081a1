"""Training of masked networks, through skorch."""

from ._accelerate import Processes, build_accelerator, use_accelerator
from ._batch_function import BatchFunction
from ._checkpoint_label import run_label
from ._checkpoint_run import RunFile
from ._course import Course
from ._fit_masked import MaskedFit, MaskingOptions, SearchEnd, fit_masked
from ._fit_quantized import QuantizedFit, QuantizingOptions, fit_quantized
from ._fresh_weights import with_fresh_weights
from ._given_weights import with_given_weights
from ._mask_training import MaskTraining
from ._masked_module import MaskedModule
from ._networks import (
    SmallNetwork,
    build_net,
    check_estimator_parameter,
    default_sizes,
    forgets_weights,
    initialize_net,
    is_binary_net,
    is_regression,
    takes_integers,
)
from ._phases import Phases
from ._representation import first_rows, last_layer, representation
from ._sample_weight import WeightedInputs, weighted_loss
from ._seeding import SeededDraws
from ._stored_weights import StoredWeights, copied_state

__all__ = [
    "BatchFunction",
    "Course",
    "MaskTraining",
    "MaskedFit",
    "MaskedModule",
    "MaskingOptions",
    "Phases",
    "Processes",
    "QuantizedFit",
    "QuantizingOptions",
    "RunFile",
    "SearchEnd",
    "SeededDraws",
    "SmallNetwork",
    "StoredWeights",
    "WeightedInputs",
    "build_accelerator",
    "build_net",
    "check_estimator_parameter",
    "copied_state",
    "default_sizes",
    "first_rows",
    "fit_masked",
    "fit_quantized",
    "forgets_weights",
    "initialize_net",
    "is_binary_net",
    "is_regression",
    "last_layer",
    "representation",
    "run_label",
    "takes_integers",
    "use_accelerator",
    "weighted_loss",
    "with_fresh_weights",
    "with_given_weights",
]
