"""The state of a run in a file, so that nothing is lost when it is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

EVERY = 10.0  # seconds between two saves
_VERSION = 1


class Checkpoint:
    """A file that holds the last state of one run.

    It is written beside its place and then moved there, so that it is whole at any
    moment, and holds numbers, strings and tensors only: reading it runs no code.

    Parameters
    ----------
    path : str or pathlib.Path
        The file; its folder must exist.
    label : str
        What the run is of; a file of another run is refused.

    Raises
    ------
    ValueError
        If the folder does not exist.
    """

    def __init__(self, path: str | Path, label: str) -> None:
        self.path = Path(path)
        self.label = label
        self._saved = time.perf_counter()
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint={str(path)!r} lies in a folder that does not exist."
            )

    def is_due(self) -> bool:
        """Return whether the last save is long ago.

        Returns
        -------
        due : bool
            True every ten seconds.
        """
        return time.perf_counter() - self._saved >= EVERY

    def save(self, state: dict[str, Any]) -> None:
        """Write the state.

        Parameters
        ----------
        state : dict
            Numbers, strings, arrays and tensors, in dicts and lists.
        """
        beside = self.path.with_name(self.path.name + ".part")
        content = {"version": _VERSION, "label": self.label, "state": _plain(state)}
        with open(beside, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)
        self._saved = time.perf_counter()

    def load(self) -> dict[str, Any] | None:
        """Read the state, if there is one.

        Returns
        -------
        state : dict or None
            What was saved.

        Raises
        ------
        ValueError
            If the file cannot be read, or is of another run.
        """
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, weights_only=True)
            version, label = content["version"], content["label"]
        except Exception as error:
            raise ValueError(
                f"checkpoint={str(self.path)!r} is not a checkpoint that can be read: "
                f"{error}"
            ) from error
        if (version, label) != (_VERSION, self.label):
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another run: it was written for "
                f"{label} (version {version}), not for {self.label} (version "
                f"{_VERSION}). Use another file, or delete this one."
            )
        return _restored(content["state"])


def _plain(value: Any) -> Any:
    """Arrays as marked tensors, numpy numbers as Python's."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"__array__": torch.from_numpy(np.ascontiguousarray(value))}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            return value["__array__"].numpy()
        return {key: _restored(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_restored(entry) for entry in value]
    return value
