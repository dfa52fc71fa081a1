"""Train a network with a mask, and give it back with its zeros baked in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
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
from ._checkpoint_batches import passing_over
from ._checkpoint_run import MaskedRun, RunFile, RunKeeper, epochs_done
from ._mask_training import MaskTraining
from ._masked_module import MaskedModule
from ._progress import Hook, Report, epoch_record
from ._sample_weight import weighted_loss
from ._seeding import SeededDraws

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
    """

    method: Method
    quota: Quota
    constraint: Constraint | None
    train_weights: bool
    warmup: float
    finetune: float
    rescale: bool


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
    """

    variables: torch.Tensor
    masks: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    error: NonFiniteLossError | None
    paused: dict[str, Any]


@dataclass(frozen=True)
class Course:
    """How far `fit_masked` goes, and who is told of it.

    Parameters
    ----------
    file : RunFile or None, default=None
        Where the state of the run is kept.
    paused : dict or None, default=None
        Where an earlier call with the same net has ended.
    epochs : int or None, default=None
        Epochs to train; None trains the rest of the net's own, and freezes the mask.
    hook : callable or None, default=None
        Called with the record of each epoch.
    verbose : int, default=0
        1 prints a line an epoch, 2 also shows a bar within epochs.
    """

    file: RunFile | None = None
    paused: dict[str, Any] | None = None
    epochs: int | None = None
    hook: Hook | None = None
    verbose: int = 0


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
    error = None
    with ExitStack() as stack:
        module = net.module_
        stack.callback(setattr, net, "module_", module)
        if not options.train_weights:
            stack.enter_context(_frozen_others(module, layout))
        run = _begin(net, module, layout, options, stream, course.paused)
        stack.enter_context(_slopes_everywhere(layout.parameters(module)))
        state = _where_to_begin(run, course)
        training, masked = run.training, run.training.masked
        net.module_ = run.processes.around(net, masked)
        inputs: Any = X
        if sample_weight is not None:
            inputs = stack.enter_context(weighted_loss(net, X, sample_weight))
        keeper = RunKeeper(run, course.file, state)
        stack.enter_context(_watched(run, keeper, options.quota.sparsity, course))
        try:
            _train(net, inputs, y, keeper, course.epochs)
        except NonFiniteLossError as stopped:
            error = stopped
        if not training.frozen and (course.epochs is None or error is not None):
            training.freeze(warn=error is None)
        paused = _paused(run, whole=course.epochs is None)
        masked.mask = training.hardened()
        masked.bake()
        run.processes.share_buffers(module)
    return MaskedFit(
        masked.mask.bool().cpu(),
        layout.masks(masked.mask),
        [epoch_record(row) for row in net.history],
        error,
        paused,
    )


def _begin(
    net: NeuralNet,
    module: nn.Module,
    layout: MaskLayout,
    options: MaskingOptions,
    stream: RandomStream,
    paused: dict[str, Any] | None,
) -> MaskedRun:
    """The parts of a run, as they are before its first step or were at the last."""
    processes = Processes.of(net)
    # After a whole run the weights have their scale baked in.
    rescale = options.rescale and (paused is None or paused["weights"] is not None)
    masked = MaskedModule(
        module, layout, rescale=rescale, train_weights=options.train_weights
    )
    device = layout.parameters(module)[0].device
    layers = stream.child(_LAYERS, *[processes.rank] * (not processes.is_main))
    masked.draws = SeededDraws(layers.torch_generator(device))
    space = _search_space(masked, options, stream.child(_SEARCH), device)
    # A supermask has no weights to warm up or fine-tune: all of the run is search.
    parts = (options.warmup, options.finetune) if options.train_weights else (0, 0)
    training = MaskTraining(masked, lambda: options.method.start(space), *parts)
    training.processes = processes
    return MaskedRun(net, training, list(net.callbacks_), processes)


def _where_to_begin(run: MaskedRun, course: Course) -> dict[str, Any] | None:
    """The state to put back once skorch has begun to train, if there is any."""
    if course.file is not None and course.file.state is not None:
        return course.file.state
    if course.paused is None:
        return None
    masked = run.training.masked
    weights = course.paused["weights"]
    if weights is not None:  # not as they were baked for `predict`
        with torch.no_grad():
            for parameter, weight in zip(
                masked.weights.parameters, weights, strict=True
            ):
                parameter.copy_(weight)
    run.training.load_state_dict(course.paused["mask"])
    run.load_draws(course.paused["draws"])
    return run.state()


@contextmanager
def _watched(
    run: MaskedRun, keeper: RunKeeper, sparsity: float | None, course: Course
) -> Iterator[None]:
    """Put our callbacks around those of the net while the context lasts."""
    verbose = course.verbose if run.processes.is_main else 0
    report = Report(run.training, sparsity, course.hook, verbose)
    ours = [("report", report), ("keeper", keeper)]
    run.net.callbacks_ = [("mask", run.training), *run.callbacks, *ours]
    try:
        yield
    finally:
        run.net.callbacks_ = run.callbacks
        report.close()


def _paused(run: MaskedRun, *, whole: bool) -> dict[str, Any]:
    """What the net itself does not keep; after a whole run that is little."""
    masked, mask = run.training.masked, run.training.state_dict()
    weights = None
    if whole:
        assert masked.mask is not None
        mask |= {"search": None, "mask": masked.mask.bool()}
    else:
        weights = [p.detach().clone() for p in masked.weights.parameters]
    return {"weights": weights, "mask": deepcopy(mask), "draws": run.draws()}


def _train(
    net: NeuralNet, inputs: Any, y: np.ndarray, keeper: RunKeeper, epochs: int | None
) -> None:
    """What `partial_fit` of skorch does, for the epochs that are left."""
    state = keeper.state
    if state is not None and state["finished"]:
        keeper.run.load(state)
        return
    if epochs is None:
        epochs = net.max_epochs - (0 if state is None else epochs_done(state))
    with passing_over(net, 0 if state is None else state["batches"]):
        net.notify("on_train_begin", X=inputs, y=y)
        with suppress(KeyboardInterrupt):
            net.fit_loop(inputs, y, epochs=epochs)
        net.notify("on_train_end", X=inputs, y=y)


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


@contextmanager
def _slopes_everywhere(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Have gradients for all that is masked: frozen weights have slopes, too."""
    frozen = [p for p in parameters if not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


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
    )
