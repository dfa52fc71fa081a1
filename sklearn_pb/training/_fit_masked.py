"""Train a network with a mask, and give it back with its zeros baked in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from ..constraints import Constraint, Quota
from ..exceptions import NonFiniteLossError
from ..masks import MaskLayout, Placement, given_variables
from ..methods import Method, SearchSpace, Weights
from ..utils import RandomStream
from ._accelerate import Processes
from ._checkpoint_run import TrainingRun, is_finished
from ._course import Course, bake, go_through, seed_layers, slopes_everywhere
from ._empty_channels import normalized_layers
from ._mask_training import MaskTraining
from ._masked_module import MaskedModule
from ._progress import epoch_record
from ._representation import first_rows
from ._sample_weight import weighted_loss
from ._stored_weights import copied_state

_SEARCH, _LAYERS = 2, 3  # addresses below the run's stream


@dataclass(frozen=True)
class MaskingOptions:
    """How `fit_masked` runs; `MaskPruner` says more about each of these.

    Parameters
    ----------
    method : Method
        How the mask is found.
    quota : Quota
        How many variables are kept in the end, and where.
    constraint : Constraint or None
        Price of a kept variable or limit on probabilities; None takes the method's own.
    train_weights : bool
        Whether the weights are trained beside the mask.
    warmup, finetune : float
        Fractions of the steps before and after the search.
    rescale : bool
        Whether weights are divided by the mean of their layer's mask.
    logits : torch.Tensor of shape (d,), default=None
        Where the search starts, in the parametrization of the method; -inf is a zero
        for good. None leaves it to the method.
    keeps_end : bool, default=False
        Whether the fit tells where the search and the weights have ended.
    name : str, default="MaskPruner"
        What lines of progress begin with.
    """

    method: Method
    quota: Quota
    constraint: Constraint | None
    train_weights: bool
    warmup: float
    finetune: float
    rescale: bool
    logits: torch.Tensor | None = None
    keeps_end: bool = False
    name: str = "MaskPruner"


@dataclass(frozen=True)
class SearchEnd:
    """Where a search has ended, for another one to go on from.

    Parameters
    ----------
    weights : dict of str to torch.Tensor
        State of the network before the mask was written into it, on the CPU.
    logits : torch.Tensor of shape (d,) or None
        Those of the search, on the CPU, if it has any.
    progress : float
        Fraction of the search done, in [0, 1]; 1 unless it was stopped early.
    """

    weights: dict[str, torch.Tensor]
    logits: torch.Tensor | None
    progress: float


@dataclass(frozen=True)
class MaskedFit:
    """What `fit_masked` found.

    Parameters
    ----------
    variables : torch.Tensor of bool, shape (d,)
        The hardened mask.
    masks : dict of str to torch.Tensor
        Boolean masks on the CPU, by parameter name.
    history : list of dict
        One record an epoch.
    error : NonFiniteLossError or None
        Why training stopped early; everything else is then the last good state.
    paused : dict
        What `partial_fit` needs to train on: plain values.
    finished : bool
        Whether training has come to its end or was meant to stop early; False where
        it was interrupted.
    end : SearchEnd or None, default=None
        Where the search has ended, if the options ask for it.
    """

    variables: torch.Tensor
    masks: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    error: NonFiniteLossError | None
    paused: dict[str, Any]
    finished: bool
    end: SearchEnd | None = None


def fit_masked(
    net: NeuralNet,
    layout: MaskLayout,
    X: np.ndarray,
    y: np.ndarray,
    options: MaskingOptions,
    stream: RandomStream,
    sample_weight: np.ndarray | None = None,
    course: Course | None = None,
) -> MaskedFit:
    """Train an initialised net while a method searches for its mask.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised; its module is trained in place and ends with zeros in it.
    layout : MaskLayout
        What is masked.
    X, y : numpy.ndarray
        Training data as the net takes it.
    options : MaskingOptions
        Method, target and phases.
    stream : RandomStream
        Where every draw of the run comes from.
    sample_weight : numpy.ndarray of shape (n,), default=None
        Weights of the rows.
    course : Course, default=None
        How far to go; None is a whole run that nobody watches.

    Returns
    -------
    fit : MaskedFit
        Masks and history.
    """
    course = course or Course()
    with ExitStack() as stack:
        module = net.module_
        stack.callback(setattr, net, "module_", module)
        if not options.train_weights:
            stack.enter_context(_frozen_others(module, layout))
        training = _begin(net, module, layout, options, stream, course.paused)
        training.normalized = normalized_layers(module, first_rows(module, X))
        masked, processes = training.masked, training.processes
        run = TrainingRun(net, training, list(net.callbacks_), processes)
        stack.enter_context(slopes_everywhere(layout.parameters(module)))
        net.module_ = processes.around(net, masked)
        inputs: Any = X
        if sample_weight is not None:
            inputs = stack.enter_context(weighted_loss(net, X, sample_weight))
        error = go_through(run, inputs, y, course, options.name)
        end = _end(training) if options.keeps_end else None
        paused = bake(run, whole=course.epochs is None)
    assert masked.mask is not None
    return MaskedFit(
        masked.mask.bool().cpu(),
        layout.masks(masked.mask),
        [epoch_record(row) for row in net.history],
        error,
        paused,
        is_finished(net),
        end,
    )


def _begin(
    net: NeuralNet,
    module: nn.Module,
    layout: MaskLayout,
    options: MaskingOptions,
    stream: RandomStream,
    paused: dict[str, Any] | None,
) -> MaskTraining:
    """The parts of a run, as they are before its first step or were at the last."""
    processes = Processes.of(net)
    # After a whole run the weights have their scale baked in.
    rescale = options.rescale and (paused is None or paused["weights"] is not None)
    masked = MaskedModule(
        module, layout, rescale=rescale, train_weights=options.train_weights
    )
    seed_layers(masked, stream.child(_LAYERS), processes)
    device = layout.parameters(module)[0].device
    space = _search_space(masked, options, stream.child(_SEARCH), device)
    # A supermask has no weights to warm up or fine-tune: all of the run is search.
    parts = (options.warmup, options.finetune) if options.train_weights else (0, 0)
    training = MaskTraining(masked, lambda: options.method.start(space), *parts)
    training.processes = processes
    training.wanted = options.quota.cost_sparsity
    return training


def _end(training: MaskTraining) -> SearchEnd:
    assert training.search is not None
    logits = getattr(training.search, "logits", None)
    return SearchEnd(
        copied_state(training.masked.module),
        None if logits is None else logits.cpu().clone(),
        training.search.progress,
    )


@contextmanager
def _frozen_others(module: nn.Module, layout: MaskLayout) -> Iterator[None]:
    """Freeze what is not masked; of the masked weights the slope is still needed."""
    masked = {id(p) for p in layout.parameters(module)}
    others = [p for p in module.parameters() if p.requires_grad and id(p) not in masked]
    for parameter in others:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)


def _search_space(
    masked: MaskedModule,
    options: MaskingOptions,
    stream: RandomStream,
    device: torch.device,
) -> SearchSpace:
    layout = masked.layout

    def sums(power: float) -> torch.Tensor:
        def powers(placement: Placement) -> torch.Tensor:
            weight = masked.module.get_parameter(placement.name)
            return weight.detach().abs().pow(power)

        return layout.sums(powers)

    constraint = options.constraint
    if constraint is None:
        constraint = options.method.default_constraint()
    return SearchSpace(
        layout.n_variables,
        stream,
        quota=options.quota,
        constraint=constraint,
        weights=Weights(
            sums,
            layout.counts().to(device),
            layout.layers,
            partial(given_variables, layout),
        ),
        device=device,
        logits=options.logits,
    )
