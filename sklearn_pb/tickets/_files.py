"""The folder in which a finder keeps its runs: one file a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..training import RunFile
from ..utils import Checkpoint


@dataclass(frozen=True)
class JobFiles:
    """Where jobs keep what they have done, and what they are in the middle of.

    Parameters
    ----------
    folder : Path
        Where the files are.
    label : dict of str to str
        What the finder is fitted to; files of another one are refused.
    every : float
        Seconds between two saves of a training.
    within_epochs : bool
        Whether a training is also saved in the middle of an epoch.
    """

    folder: Path
    label: dict[str, str]
    every: float
    within_epochs: bool

    def done(self, name: str) -> Checkpoint:
        """Return the file of what a job has done.

        Parameters
        ----------
        name : str
            Of the job.

        Returns
        -------
        file : Checkpoint
            It may not exist yet.
        """
        return Checkpoint(self.folder / f"{name}.pt", {**self.label, "job": name})

    def running(self, name: str) -> RunFile:
        """Return the file of a training that is under way.

        Parameters
        ----------
        name : str
            Of the training.

        Returns
        -------
        file : RunFile
            With where the training was when it was last saved.
        """
        label = {**self.label, "training": name}
        checkpoint = Checkpoint(self._running(name), label, self.every)
        return RunFile.open(checkpoint, within_epochs=self.within_epochs, seed=0)

    def forget(self, name: str) -> None:
        """Delete the file of a training that is over.

        Parameters
        ----------
        name : str
            Of the training.
        """
        self._running(name).unlink(missing_ok=True)

    def _running(self, name: str) -> Path:
        return self.folder / f"{name}.run.pt"


def remembered(
    files: JobFiles | None, name: str, job: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return what a job has done, from its file if it is done.

    Parameters
    ----------
    files : JobFiles or None
        None keeps nothing.
    name : str
        Of the job, and of the one training that it consists of.
    job : callable
        Does it.

    Returns
    -------
    state : dict
        Plain values.
    """
    if files is None:
        return job()
    file = files.done(name)
    state = file.load()
    if state is None:
        state = job()
        file.save(state)
    files.forget(name)
    return state
