"""Which search a SparseTicketFinder is in the middle of, and where it is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from ..tickets import JobFiles, TicketSearch
from ..training import run_label
from ..utils import Checkpoint, RandomStream, fingerprint
from ._check_finder import check_folder

# What a search does not depend on, or what its label has otherwise.
_LEFT_OUT = (
    "estimator",
    "random_state",
    "n_jobs",
    "checkpoint",
    "checkpoint_every",
    "verbose",
    "select",
)


def open_job_files(
    finder: Any,
    search: TicketSearch,
    data: dict[str, np.ndarray | None],
    stream: RandomStream,
) -> tuple[JobFiles | None, RandomStream]:
    """Return the files of a search, and the stream that it has begun with.

    Parameters
    ----------
    finder : SparseTicketFinder
        The settings.
    search : TicketSearch
        What its own stands for.
    data : dict of str to numpy.ndarray or None
        What it is fitted to.
    stream : RandomStream
        The stream of a search that begins now.

    Returns
    -------
    files : JobFiles or None
        None without a checkpoint.
    stream : RandomStream
        Another one where the folder has a search without a seed of the user's.

    Raises
    ------
    ValueError
        If the folder cannot be used, or is of another search.
    """
    if finder.checkpoint is None:
        return None, stream
    folder = check_folder(finder.checkpoint)
    settings = finder.get_params(deep=False)
    kept = {name: v for name, v in settings.items() if name not in _LEFT_OUT}
    kept["search"] = search
    if finder.random_state is not None:  # else any seed will do, also an old one
        kept["random_state"] = stream.seed
    module = getattr(finder.estimator, "module", finder.estimator)
    if isinstance(module, nn.Module):
        kept["weights"] = fingerprint(dict(module.state_dict()))
    label = run_label(kept, finder.estimator, data)
    file = Checkpoint(folder / "finder.pt", label)
    state = file.load()
    if state is None:
        file.save({"seed": stream.seed})
    else:
        stream = RandomStream(state["seed"])
    accelerated = hasattr(finder.estimator, "accelerator")
    files = JobFiles(folder, label, float(finder.checkpoint_every), not accelerated)
    return files, stream
