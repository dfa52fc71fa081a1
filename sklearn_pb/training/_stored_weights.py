"""The state of a network at one step of its training, kept for later."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn


class StoredWeights(Callback):
    """Keep a copy of a network as it is after so many steps of training.

    What it has kept is part of the state of a run that is saved.

    Parameters
    ----------
    module : nn.Module
        The network in training.
    epoch, step : int
        The copy is made `step` steps after the end of `epoch`. At 0 and 0 it is made
        at once.

    Attributes
    ----------
    weights : dict of str to torch.Tensor, or None
        Parameters and buffers on the CPU; None as long as the step is not reached.
    """

    def __init__(self, module: nn.Module, epoch: int, step: int) -> None:
        self.module = module
        self.epoch = epoch
        self.step = step
        self.weights = copied_state(module) if epoch == step == 0 else None
        self._n_done = 0
        self._due = -1

    def attach(self, net: NeuralNet) -> None:
        """Join the callbacks of an initialised net.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that trains the network.
        """
        net.callbacks_.append(("stored", self))

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any
    ) -> None:
        """Find out which step it is, once the length of an epoch is known."""
        if self._due < 0:
            steps = len(net.get_iterator(dataset_train, training=True))
            self._due = self.epoch * steps + self.step

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Count the step, and make the copy if it is the one."""
        if not training:
            return
        self._n_done += 1
        if self._n_done == self._due:
            self.weights = copied_state(self.module)

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on in another process.

        Returns
        -------
        state : dict
            The count, and the copy if there is one.
        """
        return {"n_done": self._n_done, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self._n_done = state["n_done"]
        self.weights = state["weights"]


def copied_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of what a module has learned.

    Parameters
    ----------
    module : nn.Module
        The network.

    Returns
    -------
    state : dict of str to torch.Tensor
        Its `state_dict`, on the CPU.
    """
    state = module.state_dict()
    return {name: value.detach().cpu().clone() for name, value in state.items()}
