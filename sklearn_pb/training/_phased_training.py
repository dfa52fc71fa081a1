"""What all training has in common whose network is lent other values than weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from copy import deepcopy
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from ..exceptions import NonFiniteLossError
from ._accelerate import Processes
from ._empty_channels import NormalizedLayer, settle_empty_channels
from ._lending_module import LendingModule
from ._phases import Phases


class PhasedTraining(Callback, ABC):
    """Count the steps of a run, and stop it where the loss is not finite.

    A subclass says what happens in the phases of the run.

    Parameters
    ----------
    network : LendingModule
        The network in training.
    warmup, finetune : float
        Fractions of the steps before and after the search.

    Attributes
    ----------
    frozen : bool
        Whether what is searched for is final.
    steps_per_epoch : int
        Number of training steps of an epoch, known once the first has begun.
    good : dict or None
        The state at the start of the epoch, for when the loss is not finite.
    processes : Processes
        All that train this network together; this one alone, if nobody says otherwise.
    normalized : list of NormalizedLayer
        Layers before batch norm, whose channels may lose all their weights.
    """

    def __init__(self, network: LendingModule, warmup: float, finetune: float) -> None:
        self.network = network
        self.warmup = warmup
        self.finetune = finetune
        self.frozen = False
        self._phases: Phases | None = None
        self._step = 0
        self.steps_per_epoch = 0
        self.good: dict[str, Any] | None = None
        self.processes = Processes()
        self.normalized: list[NormalizedLayer] = []

    @property
    @abstractmethod
    def phase(self) -> str:
        """Name of the phase of the run."""

    @abstractmethod
    def freeze(self, warn: bool = True) -> None:
        """End the search for good.

        Parameters
        ----------
        warn : bool, default=True
            Whether to say so when it is far from its target.
        """

    @abstractmethod
    def bake(self) -> None:
        """Write what the run ends with, if it ends here, into the weights."""

    @abstractmethod
    def status(self, record: dict[str, Any]) -> str:
        """Return what a line of progress says beside losses and times.

        Parameters
        ----------
        record : dict
            Of an epoch.

        Returns
        -------
        status : str
            A few words.
        """

    @abstractmethod
    def search_state(self) -> dict[str, Any]:
        """Return copies of what the search has found so far.

        Returns
        -------
        state : dict
            For `restore_search`.
        """

    @abstractmethod
    def restore_search(self, state: dict[str, Any]) -> None:
        """Put the search back.

        Parameters
        ----------
        state : dict
            What `search_state` returned.
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on between two steps.

        Returns
        -------
        state : dict
            Numbers and tensors, which are not copied.
        """

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """

    @abstractmethod
    def finished_state(self) -> dict[str, Any]:
        """Return what is needed to fine-tune on after a whole run.

        Returns
        -------
        state : dict
            As `state_dict`, without what only the search needs.
        """

    def on_epoch_begin(
        self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any
    ) -> None:
        """Count the steps of the run at its first epoch; keep the last good state."""
        if self._phases is None:
            steps = len(net.get_iterator(dataset_train, training=True))
            self.steps_per_epoch = steps
            self.plan(net.max_epochs * steps)
        # By epochs, as the parts of a run may differ in their number of steps.
        self._step = (len(net.history) - 1) * self.steps_per_epoch
        module = deepcopy(self.network.module.state_dict())
        self.good = {"module": module, **self.search_state()}

    def plan(self, n_steps: int) -> None:
        """Fix where the phases of the run begin.

        Parameters
        ----------
        n_steps : int
            Number of training steps of the whole run.
        """
        self._phases = Phases.from_fractions(n_steps, self.warmup, self.finetune)

    def on_batch_end(
        self,
        net: NeuralNet,
        batch: Any = None,
        training: bool = False,
        loss: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        """Stop the run, with the last good state, if the loss is not finite."""
        if not training:
            return
        self._step += 1
        if loss is not None and not math.isfinite(loss.item()):
            raise self._lost(net, f"{loss.item()}", self._step)
        ends_epoch = self.steps_per_epoch and self._step % self.steps_per_epoch == 0
        if self.frozen and ends_epoch:  # validation comes next
            self.settle()

    def settle(self) -> None:
        """Make batch norms fit for evaluation with what is final by now."""
        settle_empty_channels(self.normalized)

    def _lost(self, net: NeuralNet, loss: str, step: int) -> NonFiniteLossError:
        """The error that ends the run, once the last good state is back."""
        self._restore()
        return NonFiniteLossError(
            f"the training loss became {loss} at step {step} (epoch "
            f"{len(net.history)}); the state at the start of that epoch was kept. "
            "A smaller learning rate, of the net or of the method, may help."
        )

    def _restore(self) -> None:
        assert self.good is not None
        self.network.module.load_state_dict(self.good["module"])
        self.restore_search(self.good)
