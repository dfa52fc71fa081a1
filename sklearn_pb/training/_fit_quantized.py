"""Train a network for weights of few bits, and give it back with these baked in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ..exceptions import NonFiniteLossError
from ..quantizers import (
    ActivationRun,
    Activations,
    PrecisionGroups,
    PrecisionOptions,
    PrecisionTarget,
    Quantization,
    QuantizationRun,
    QuantizationSpace,
    QuantizedActivation,
    QuantizedTensor,
    prepare_activations,
)
from ..utils import RandomStream
from ._accelerate import Processes
from ._checkpoint_run import TrainingRun
from ._course import Course, bake, go_through, seed_layers, slopes_everywhere
from ._empty_channels import normalized_layers
from ._progress import epoch_record
from ._quantized_module import QuantizedModule
from ._quantized_training import QuantizedTraining
from ._representation import first_rows
from ._sample_weight import weighted_loss

_SEARCH, _LAYERS, _ACTIVATIONS = 2, 3, 4  # addresses below the run's stream
_FIRST_ROWS = 64  # that show the ranges of activations


@dataclass(frozen=True)
class QuantizingOptions:
    """How `fit_quantized` runs; `MixedPrecisionQuantizer` says more about each.

    Parameters
    ----------
    method : Quantization
        How precisions and codes are found.
    precision : PrecisionOptions, optional
        What the user wants of precisions.
    target : PrecisionTarget, optional
        What to end with, or the price of a bit.
    granularity : {"parameter", "block", "channel", "layer"}, default="channel"
        Which weights share a precision.
    activations : Activations or None, default=None
        How activations are quantized; None leaves them alone.
    finetune : float, default=0.45
        Fraction of the steps after precisions are fixed.
    alive : mapping of str to torch.Tensor of bool, default={}
        By parameter name, entries that may be other than zero; all, where it is not
        named.
    uses : mapping of str to float, default={}
        By parameter name, multiplications of one entry for a row; 1 where it is not
        named.
    """

    method: Quantization
    precision: PrecisionOptions = field(default_factory=PrecisionOptions)
    target: PrecisionTarget = field(default_factory=PrecisionTarget)
    granularity: str = "channel"
    activations: Activations | None = None
    finetune: float = 0.45
    alive: Mapping[str, torch.Tensor] = field(default_factory=dict)
    uses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class QuantizedFit:
    """What `fit_quantized` found.

    Parameters
    ----------
    quantized : dict of str to QuantizedTensor
        Codes by parameter name, on the CPU.
    history : list of dict
        One record an epoch.
    error : NonFiniteLossError or None
        Why training stopped early; everything else is then the last good state.
    paused : dict
        What `partial_fit` needs to train on: plain values.
    uncounted_bits : int, default=0
        Bits that a weight has besides those that its codes are counted with.
    """

    quantized: dict[str, QuantizedTensor]
    history: list[dict[str, Any]]
    error: NonFiniteLossError | None
    paused: dict[str, Any]
    uncounted_bits: int = 0


def fit_quantized(
    net: NeuralNet,
    names: Sequence[str],
    X: np.ndarray,
    y: np.ndarray,
    options: QuantizingOptions,
    stream: RandomStream,
    sample_weight: np.ndarray | None = None,
    course: Course | None = None,
) -> QuantizedFit:
    """Train an initialised net while a method searches for the bits of its weights.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised; its module is trained in place and ends with rounded weights.
    names : sequence of str
        The parameters that are quantized.
    X, y : numpy.ndarray
        Training data as the net takes it.
    options : QuantizingOptions
        Method, target and phases.
    stream : RandomStream
        Where every draw of the run comes from.
    sample_weight : numpy.ndarray of shape (n,), default=None
        Weights of the rows.
    course : Course, default=None
        How far to go; None is a whole run that nobody watches.

    Returns
    -------
    fit : QuantizedFit
        Codes and history.
    """
    course = course or Course()
    with ExitStack() as stack:
        module = net.module_
        stack.callback(setattr, net, "module_", module)
        training = _begin(net, names, options, stream)
        if options.activations is not None:
            training.activations = _activations(
                module, options.activations, X, stream.child(_ACTIVATIONS)
            )
        training.normalized = normalized_layers(module, first_rows(module, X))
        quantized, processes = training.quantized, training.processes
        run = TrainingRun(net, training, list(net.callbacks_), processes)
        stack.enter_context(slopes_everywhere(quantized.weights.parameters))
        net.module_ = processes.around(net, quantized)
        inputs: Any = X
        if sample_weight is not None:
            inputs = stack.enter_context(weighted_loss(net, X, sample_weight))
        error = go_through(run, inputs, y, course, "MixedPrecisionQuantizer")
        codes = training.quantize()
        paused = bake(run, whole=course.epochs is None)
    history = [epoch_record(row) for row in net.history]
    assert training.quantizer is not None
    uncounted = training.quantizer.uncounted_bits
    return QuantizedFit(codes, history, error, paused, uncounted)


def _begin(
    net: NeuralNet,
    names: Sequence[str],
    options: QuantizingOptions,
    stream: RandomStream,
) -> QuantizedTraining:
    """The parts of a run, as they are before its first step."""
    processes = Processes.of(net)
    quantized = QuantizedModule(net.module_, names)
    seed_layers(quantized, stream.child(_LAYERS), processes)

    def start(n_steps: int) -> QuantizationRun:
        space = _space(quantized, options, stream.child(_SEARCH), n_steps)
        return options.method.start(space)

    trains = options.method.trains
    training = QuantizedTraining(
        quantized, start, trains, options.finetune if trains else 0.0
    )
    training.processes = processes
    target = options.target
    if target.value is not None:
        unit = "" if target.unit == "bits" else f" {target.unit}"
        training.wanted = f" towards {target.value:g}{unit}"
    return training


def _activations(
    module: nn.Module, settings: Activations, X: np.ndarray, stream: RandomStream
) -> ActivationRun:
    """Put quantized activations into a network, or find those of an earlier call."""
    present = [m for m in module.modules() if isinstance(m, QuantizedActivation)]
    if present:
        return ActivationRun(present, settings)
    device = next(module.parameters()).device
    rows = torch.as_tensor(X[:_FIRST_ROWS]).to(device)
    return prepare_activations(module, settings, rows, stream)


def _space(
    quantized: QuantizedModule,
    options: QuantizingOptions,
    stream: RandomStream,
    n_steps: int,
) -> QuantizationSpace:
    """What the method is told of the weights; those that are not alive become zero."""
    weights, names = quantized.weights.weights, quantized.weights.names
    axes = [_channel_axis(quantized.module, name) for name in names]
    alive: list[torch.Tensor | None] = []
    for name, weight in zip(names, weights, strict=True):
        mask = options.alive.get(name)
        if mask is not None:
            mask = mask.to(weight.device).expand(weight.shape)
            weight.mul_(mask)
        alive.append(mask)
    return QuantizationSpace(
        weights=weights,
        groups=[
            PrecisionGroups(weight.shape, options.granularity, axis=axis)
            for weight, axis in zip(weights, axes, strict=True)
        ],
        channel_axes=axes,
        uses=[float(options.uses.get(name, 1.0)) for name in names],
        alive=alive,
        options=options.precision,
        target=options.target,
        stream=stream,
        n_steps=n_steps,
    )


def _channel_axis(module: nn.Module, name: str) -> int:
    """The axis of the output channels of a parameter."""
    layer = module.get_submodule(name.rpartition(".")[0])
    inputs_first = isinstance(layer, _ConvNd) and layer.transposed and layer.groups == 1
    return 1 if inputs_first else 0
