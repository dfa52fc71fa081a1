"""How a run goes through skorch's training, from its start or a saved state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn

from ..exceptions import NonFiniteLossError
from ..utils import RandomStream
from ._accelerate import Processes
from ._checkpoint_batches import passing_over
from ._checkpoint_run import RunFile, RunKeeper, TrainingRun, epochs_done
from ._empty_channels import settle_empty_channels
from ._lending_module import LendingModule
from ._progress import Hook, Report
from ._seeding import SeededDraws


@dataclass(frozen=True)
class Course:
    """How far a run of training goes, and who is told of it.

    Parameters
    ----------
    file : RunFile or None, default=None
        Where the state of the run is kept.
    paused : dict or None, default=None
        Where an earlier call with the same net has ended.
    epochs : int or None, default=None
        Epochs to train; None trains the rest of the net's own, and ends the search.
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


def seed_layers(
    network: LendingModule, stream: RandomStream, processes: Processes
) -> None:
    """Let the random layers of a network draw from a stream.

    Parameters
    ----------
    network : LendingModule
        The network.
    stream : RandomStream
        Where they draw from in the main process; others have streams below it.
    processes : Processes
        All that train it.
    """
    stream = stream.child(*[processes.rank] * (not processes.is_main))
    device = network.weights.parameters[0].device
    network.draws = SeededDraws(stream.torch_generator(device))


def go_through(
    run: TrainingRun, X: Any, y: np.ndarray, course: Course, name: str
) -> NonFiniteLossError | None:
    """Train until the course ends; freeze what was searched for if the run ends there.

    Parameters
    ----------
    run : TrainingRun
        The parts of the run, as they are before its first step or were at the last.
    X : object
        Training data as the net takes it.
    y : numpy.ndarray
        The target.
    course : Course
        How far to go.
    name : str
        What lines of progress begin with.

    Returns
    -------
    error : NonFiniteLossError or None
        Why training stopped early.
    """
    state = _where_to_begin(run, course)
    keeper = RunKeeper(run, course.file, state)
    error = None
    with _watched(run, keeper, course, name):
        try:
            _train(run.net, X, y, keeper, course.epochs)
        except NonFiniteLossError as stopped:
            error = stopped
    training = run.training
    if not training.frozen and (course.epochs is None or error is not None):
        training.freeze(warn=error is None)
    return error


def bake(run: TrainingRun, *, whole: bool) -> dict[str, Any]:
    """Give the net the weights that it predicts with, if the run ends here.

    Parameters
    ----------
    run : TrainingRun
        A run that has gone through its course.
    whole : bool
        Whether it cannot go on but with fine-tuning.

    Returns
    -------
    paused : dict
        What the net itself does not keep and the run needs to go on: plain values.
        After a whole run that is little.
    """
    training, weights = run.training, None
    if whole:
        state = training.finished_state()
    else:
        state = training.state_dict()
        weights = [p.detach().clone() for p in training.network.weights.parameters]
    means = [norm.running_mean.clone() for _, norm in training.normalized]
    paused = {
        "weights": weights,
        "means": means,
        "training": deepcopy(state),
        "draws": run.draws(),
    }
    training.bake()
    settle_empty_channels(training.normalized)
    run.processes.share_buffers(training.network.module)
    return paused


@contextmanager
def slopes_everywhere(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Have gradients for all that other values are lent for, frozen weights included.

    Parameters
    ----------
    parameters : list of nn.Parameter
        Frozen again in the end, if they were.
    """
    frozen = [p for p in parameters if not p.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


def _where_to_begin(run: TrainingRun, course: Course) -> dict[str, Any] | None:
    """The state to put back once skorch has begun to train, if there is any."""
    if course.file is not None and course.file.state is not None:
        return course.file.state
    if course.paused is None:
        return None
    weights = course.paused["weights"]
    if weights is not None:  # not as they were baked for `predict`
        parameters = run.training.network.weights.parameters
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights, strict=True):
                parameter.copy_(weight)
            for (_, norm), mean in zip(
                run.training.normalized, course.paused["means"], strict=True
            ):
                norm.running_mean.copy_(mean)
    run.training.load_state_dict(course.paused["training"])
    run.load_draws(course.paused["draws"])
    return run.state()


@contextmanager
def _watched(
    run: TrainingRun, keeper: RunKeeper, course: Course, name: str
) -> Iterator[None]:
    """Put our callbacks around those of the net while the context lasts."""
    verbose = course.verbose if run.processes.is_main else 0
    report = Report(run.training, name, course.hook, verbose)
    ours = [("report", report), ("keeper", keeper)]
    run.net.callbacks_ = [("training", run.training), *run.callbacks, *ours]
    try:
        yield
    finally:
        run.net.callbacks_ = run.callbacks
        report.close()


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
