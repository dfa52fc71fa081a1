"""How a run of training goes, told epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback
from tqdm import tqdm

from ._phased_training import PhasedTraining

Hook = Callable[[dict[str, Any]], object]

_SCORES = ("train_loss", "valid_loss", "valid_acc")


def epoch_record(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a user is shown of an epoch of skorch's history.

    Parameters
    ----------
    row : dict
        The epoch.

    Returns
    -------
    record : dict
        Without the batches; numpy's numbers as Python's.
    """
    return {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in row.items()
        if key != "batches" and not key.endswith(("_best", "batch_count"))
    }


class Report(Callback):
    """Print a line an epoch, and give its record to a function of the user's.

    Parameters
    ----------
    training : PhasedTraining
        Knows how many steps an epoch has, and what else there is to tell.
    name : str
        What lines begin with.
    hook : callable or None
        Called with the record of each epoch; StopIteration ends the training.
    verbose : int
        0 prints nothing, 1 a line an epoch, 2 also a bar within epochs.

    Attributes
    ----------
    stopped : bool
        Whether the function has ended the training.
    """

    def __init__(
        self,
        training: PhasedTraining,
        name: str,
        hook: Hook | None,
        verbose: int,
    ) -> None:
        self.training = training
        self.name = name
        self.hook = hook
        self.verbose = verbose
        self.stopped = False
        self._n_told = 0
        self._durations: list[float] = []
        self._begun = time.perf_counter()
        self._bar: tqdm | None = None

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start the clock, and the bar."""
        self._n_told = len(net.history) - 1
        self._begun = time.perf_counter()
        if self.verbose > 1:
            self._bar = tqdm(
                total=self.training.steps_per_epoch,
                desc=f"epoch {len(net.history)}/{net.max_epochs}",
                unit="step",
                leave=False,
            )

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Move the bar."""
        if self._bar is not None and training:
            batches = net.history[-1, "batches"]
            loss = batches[-1]["train_loss"]
            self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self._bar.update(len(batches) - self._bar.n)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Tell how the epoch went; a wish to stop is passed on as skorch knows it."""
        try:
            self._tell(net)
        except StopIteration:
            raise KeyboardInterrupt from None

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Tell of an epoch that another callback has ended the training with."""
        self.close()
        if net.history and "phase" in net.history[-1]:
            with suppress(StopIteration):
                self._tell(net)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _tell(self, net: NeuralNet) -> None:
        if self._n_told == len(net.history):
            return
        self.close()
        self._n_told = len(net.history)
        self._durations.append(time.perf_counter() - self._begun)
        record = epoch_record(net.history[-1])
        if self.verbose:
            print(self._line(record, net.max_epochs), flush=True)
        if self.hook is None:
            return
        try:
            self.hook(record)
        except StopIteration:
            self.stopped = True
            raise

    def _line(self, record: dict[str, Any], n_epochs: int) -> str:
        scores = [
            f"{name.replace('_', ' ')} {record[name]:.4f}"
            for name in _SCORES
            if name in record
        ]
        seconds = f"{self._durations[-1]:.1f} s"
        left = n_epochs - record["epoch"]
        if left > 0:
            mean = sum(self._durations) / len(self._durations)
            seconds += f", {_duration(left * mean)} to go"
        parts = [", ".join(scores), self.training.status(record), seconds]
        epoch = f"epoch {record['epoch']}/{n_epochs}, {record['phase']}"
        return f"[{self.name}] {epoch}: " + "; ".join(part for part in parts if part)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
