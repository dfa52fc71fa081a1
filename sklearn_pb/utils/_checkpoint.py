"""The state of a run in a file, so that nothing is lost when it is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
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
    label : str, or dict of str to str
        What the run is of; a file of another run is refused. Of a dict, the error
        names the entries that differ.
    every : float, default=None
        Seconds between two saves; None means ten.

    Raises
    ------
    ValueError
        If the folder does not exist, or the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_pb.utils import Checkpoint
    >>> with TemporaryDirectory() as folder:
    ...     Checkpoint(Path(folder, "run.pt"), "a run").save({"step": 3})
    ...     Checkpoint(Path(folder, "run.pt"), "a run").load()
    {'step': 3}
    """

    def __init__(
        self,
        path: str | Path,
        label: str | dict[str, str],
        every: float | None = None,
    ) -> None:
        self.path = Path(path)
        self.label = label
        self.every = EVERY if every is None else every
        self._beside = self.path.with_name(self.path.name + ".part")
        self._saved = time.perf_counter()
        self._check_path()

    def _check_path(self) -> None:
        if not self.path.parent.is_dir():
            raise ValueError(
                f"checkpoint={str(self.path)!r} lies in a folder that does not exist."
            )
        try:
            if self.path.is_dir():
                raise ValueError(
                    f"checkpoint={str(self.path)!r} is a folder; it must be a file."
                )
            folder, prefix = self.path.parent, self.path.name + "."
            NamedTemporaryFile(dir=folder, prefix=prefix).close()
        except OSError as error:
            raise ValueError(
                f"checkpoint={str(self.path)!r} cannot be written: {error.strerror}."
            ) from error

    def is_due(self) -> bool:
        """Return whether the last save is long ago.

        Returns
        -------
        due : bool
            True once `every` seconds have passed since then.
        """
        return time.perf_counter() - self._saved >= self.every

    def save(self, state: dict[str, Any]) -> None:
        """Write the state.

        Parameters
        ----------
        state : dict
            Numbers, strings, arrays and tensors, in dicts, lists and tuples.

        Raises
        ------
        TypeError
            If the state holds anything else.
        """
        content = {"version": _VERSION, "label": self.label, "state": to_plain(state)}
        with open(self._beside, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._beside, self.path)
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
        if version != _VERSION:
            raise ValueError(
                f"checkpoint={str(self.path)!r} has version {version} of the format, "
                f"not {_VERSION}. Use another file, or delete this one."
            )
        if label != self.label:
            theirs, ours = _difference(label, self.label)
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another run: it was written for "
                f"{theirs}, not for {ours}. Use another file, or delete this one."
            )
        return from_plain(content["state"])


def saved_label(path: str | Path) -> Any:
    """Return what a file was written for.

    Parameters
    ----------
    path : str or pathlib.Path
        Where a `Checkpoint` may have been kept.

    Returns
    -------
    label : str, dict of str to str, or None
        The label; None if there is no file, or none that can be read.
    """
    try:
        return torch.load(path, weights_only=True)["label"]
    except Exception:  # Checkpoint.load tells what is wrong
        return None


def _difference(theirs: Any, ours: Any) -> tuple[str, str]:
    """Both labels, of dicts only what is not the same in both."""
    if not (isinstance(theirs, dict) and isinstance(ours, dict)):
        return str(theirs), str(ours)
    keys = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]

    def text(label: dict[str, str]) -> str:
        return ", ".join(f"{key}={label.get(key, 'unknown')}" for key in keys)

    return text(theirs), text(ours)


def to_plain(value: Any) -> Any:
    """Return what a file may hold: arrays as marked tensors, numpy's numbers as ours.

    Tensors are not copied. TypeError for anything that would run code when read.
    """
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, dict):
        return {key: to_plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [to_plain(entry) for entry in value]
    if isinstance(value, tuple):
        return tuple(to_plain(entry) for entry in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return {"__array__": torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, torch.Tensor):
        return value.detach()
    raise TypeError(
        f"a checkpoint cannot keep {value!r}, a {type(value).__name__}; it holds "
        "numbers, strings, arrays and tensors, in dicts, lists and tuples."
    )


def from_plain(value: Any) -> Any:
    """Return what `to_plain` was given, but for the types of numbers."""
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            return value["__array__"].numpy()
        return {key: from_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(from_plain(entry) for entry in value)
    return value
