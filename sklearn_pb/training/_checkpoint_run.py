"""Save a run of training now and then, and go on from where it was saved."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from ..utils import Checkpoint, fingerprint
from ._accelerate import Processes
from ._checkpoint_net import (
    generator_states,
    load_generator_states,
    load_net_state,
    net_state,
)
from ._phased_training import PhasedTraining
from ._progress import Report


@dataclass(frozen=True)
class RunFile:
    """Where the state of a run is kept, and what is known of it already.

    Parameters
    ----------
    checkpoint : Checkpoint
        The file.
    within_epochs : bool
        Whether it is also saved in the middle of an epoch.
    seed : int
        The seed of the run.
    state : dict or None
        What the file held when the run began.
    initial : str, default=""
        Fingerprint of the weights that the run began with.
    """

    checkpoint: Checkpoint
    within_epochs: bool
    seed: int
    state: dict[str, Any] | None
    initial: str = ""

    @classmethod
    def open(cls, checkpoint: Checkpoint, *, within_epochs: bool, seed: int) -> RunFile:
        """Read what the file holds.

        Parameters
        ----------
        checkpoint : Checkpoint
            The file.
        within_epochs : bool
            Whether to save in the middle of an epoch, too.
        seed : int
            The seed of a new run; one that goes on has its own.

        Returns
        -------
        file : RunFile
            The file of the run.
        """
        state = checkpoint.load()
        if state is not None:
            seed = state["seed"]
        return cls(checkpoint, within_epochs, seed, state)

    def begun_with(self, module: nn.Module) -> RunFile:
        """Take down the weights that a run begins with; warn if it goes on from others.

        Parameters
        ----------
        module : nn.Module
            The network, before its training.

        Returns
        -------
        file : RunFile
            The same with `initial`.
        """
        initial = fingerprint(dict(module.state_dict()))
        if self.state is not None and self.state["initial"] != initial:
            warnings.warn(
                f"the run in checkpoint={str(self.checkpoint.path)!r} began with other "
                "weights than the network has that was given; it goes on with its own. "
                "Use another file, or delete this one, to begin a new run.",
                UserWarning,
                stacklevel=3,
            )
            initial = self.state["initial"]
        return replace(self, initial=initial)


@dataclass(frozen=True)
class TrainingRun:
    """The parts of a run of training whose state is saved.

    Parameters
    ----------
    net : skorch.NeuralNet
        The net.
    training : PhasedTraining
        The callback that drives what is lent to it.
    callbacks : list of (str, Callback)
        The other callbacks.
    processes : Processes
        All that train together.
    """

    net: NeuralNet
    training: PhasedTraining
    callbacks: list[tuple[str, Callback]]
    processes: Processes

    def state(self) -> dict[str, Any]:
        """Return the state between two epochs; its tensors are not copied.

        Returns
        -------
        state : dict
            Plain values.
        """
        return {
            "where": self._where(),
            "net": net_state(self.net, self.training.network.module, self.callbacks),
            "training": self.training.state_dict(),
            "draws": self.draws(),
            "generators": generator_states(self.net),
            "begun": False,
            "batches": 0,
            "finished": False,
        }

    def load(self, state: dict[str, Any], *, begun: bool = False) -> None:
        """Put the run back into a saved state.

        Parameters
        ----------
        state : dict
            What `state` returned.
        begun : bool, default=False
            Whether to put back an epoch that had begun, too.

        Raises
        ------
        ValueError
            If it was saved on another kind of device, in another number of processes,
            or for a network with other parameters.
        """
        if state["where"] != self._where():
            raise ValueError(
                f"the saved run trained on {state['where']}, this one would on "
                f"{self._where()}; it can go on with the same bits only where it began."
            )
        module = self.training.network.module
        n_epochs = len(state["net"]["history"]) if begun else epochs_done(state)
        load_net_state(self.net, module, self.callbacks, state["net"], n_epochs)
        self.training.load_state_dict(state["training"])
        if begun and "good" in state:
            self.training.good = state["good"]
        self.load_draws(state["draws"])
        load_generator_states(self.net, state["generators"])

    def _where(self) -> str:
        device = self.training.network.weights.parameters[0].device.type
        return f"{device} in {self.processes.count} process(es)"

    def draws(self) -> list[torch.Tensor | None]:
        """Return the states of the generators of the network's random layers.

        Returns
        -------
        states : list of torch.Tensor or None
            One a process; None where no layer draws.
        """
        draws = self.training.network.draws
        own = None if draws is None else draws.generator.get_state()
        return self.processes.gather(own)

    def load_draws(self, states: list[torch.Tensor | None]) -> None:
        """Put the generators of the network's random layers back.

        Parameters
        ----------
        states : list of torch.Tensor or None
            What `draws` returned.
        """
        network, own = self.training.network, states[self.processes.rank]
        if own is None:
            network.draws = None
        elif network.draws is not None:
            network.draws.used = True
            network.draws.generator.set_state(own.cpu())


def epochs_done(state: dict[str, Any]) -> int:
    """Return how many whole epochs a saved run has behind it.

    Parameters
    ----------
    state : dict
        What `TrainingRun.state` returned.

    Returns
    -------
    n_epochs : int
        Without the one that had begun.
    """
    return len(state["net"]["history"]) - state["begun"]


class RunKeeper(Callback):
    """Put a run back where it was, and save it while it goes.

    The last of the callbacks: what it saves is the state after all others had their
    turn. A run is saved after an epoch has begun, and after batches; one that goes on
    begins that epoch again, is put back, and passes over the batches it has seen.

    Parameters
    ----------
    run : TrainingRun
        What is saved.
    file : RunFile or None
        Where; None saves nothing.
    state : dict or None
        Where to go on from.
    """

    def __init__(
        self,
        run: TrainingRun,
        file: RunFile | None,
        state: dict[str, Any] | None,
    ) -> None:
        self.run = run
        self.file = file
        self.state = state
        self._n_batches = 0
        self._corrects_count = False
        self._generators: dict[str, Any] = {}

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put everything back, but for an epoch that is still to begin."""
        if self.state is not None:
            self.run.load(self.state)
            if not self.state["begun"]:
                self.state = None

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the begun epoch back, or save."""
        if self.state is not None:
            self.run.load(self.state, begun=True)
            self._n_batches = self.state["batches"]
            self._corrects_count = True
            self._generators = self.state["generators"]
            self.state = None
            return
        self._n_batches = 0
        self._generators = generator_states(net)
        first = len(net.history) == 1
        if self.file is not None and not first and self._is_due():
            self._save()

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Count the batches of the epoch; save, if that is wanted here."""
        if not training:
            return
        self._n_batches += 1
        if self.file is None or not self.file.within_epochs:
            return
        if self.file.checkpoint.is_due():
            self._save()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Count the batches that were passed over, too."""
        if self._corrects_count:
            net.history.record("train_batch_count", self._n_batches)
            self._corrects_count = False

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Save the run as finished, unless it was interrupted."""
        if not net.history or "phase" not in net.history[-1]:
            return
        self.on_epoch_end(net)  # a callback that stops the run comes before this one
        if self.file is not None and is_finished(net):
            self._save(finished=True)

    def _is_due(self) -> bool:
        assert self.file is not None
        return self.run.processes.agree(self.file.checkpoint.is_due())

    def _save(self, *, finished: bool = False) -> None:
        assert self.file is not None
        state = self.run.state()
        state |= {
            "seed": self.file.seed,
            "initial": self.file.initial,
            "finished": finished,
        }
        if not finished:
            state |= {
                "begun": True,
                "batches": self._n_batches,
                "generators": self._generators,
            }
            if self._n_batches:  # else it is the state itself
                state["good"] = self.run.training.good
        if self.run.processes.is_main:
            self.file.checkpoint.save(state)


def is_finished(net: NeuralNet) -> bool:
    """Return whether a training has come to its end or was meant to stop early.

    Parameters
    ----------
    net : skorch.NeuralNet
        A net that was trained.

    Returns
    -------
    finished : bool
        False where it was interrupted.
    """
    if net.history and "phase" not in net.history[-1]:  # an epoch that was broken off
        return False
    return len(net.history) >= net.max_epochs or any(
        (isinstance(callback, Report) and callback.stopped)
        or (
            isinstance(callback, EarlyStopping)
            and callback.misses_ >= callback.patience
        )
        for _, callback in net.callbacks_
    )
