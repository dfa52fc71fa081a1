"""What must be right about the settings of a SparseTicketFinder before any work."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from ..masks import MaskLayout, NofM, resolve_granularity
from ..tickets import CONTROLS, TicketSearch, resolve_search
from ..training import Processes, with_fresh_weights
from ..utils import RandomStream, check_choice, check_number
from ._check_pruner import check_device


def check_finder(finder: Any) -> TicketSearch:
    """Return the search of a finder, or raise if its settings do not go together.

    Parameters
    ----------
    finder : SparseTicketFinder
        Each of its parameters alone is of the right kind.

    Returns
    -------
    search : TicketSearch
        A checked object of its own.

    Raises
    ------
    ValueError
        If a setting is out of its range or has no effect.
    """
    check_device(finder.device)
    search = resolve_search(finder.search)
    if isinstance(resolve_granularity(finder.granularity), NofM):
        raise ValueError(
            f"granularity={finder.granularity!r} fixes the sparsity of every mask, so "
            "that rounds have nothing to remove; use MaskPruner."
        )
    _check_validation(finder.validation)
    if isinstance(finder.controls, str) or not isinstance(finder.controls, Iterable):
        raise TypeError(
            f"controls={finder.controls!r} must be a list or tuple of names, such as "
            "('fresh',)."
        )
    for control in finder.controls:
        check_choice(control, "controls", CONTROLS)
    if "fresh" in finder.controls:
        with_fresh_weights(finder.estimator, RandomStream(0))  # an error now, not later
    if finder.rewind_step is not None and finder.rewind_epoch:
        raise ValueError(
            f"rewind_epoch={finder.rewind_epoch!r} and rewind_step="
            f"{finder.rewind_step!r} both say where weights are stored; one of them "
            "must be left at its default."
        )
    return search


def _check_validation(validation: object) -> None:
    fraction = isinstance(validation, Real) and not isinstance(validation, Integral)
    if fraction:
        check_number(
            validation, "validation", low=0, high=1, low_open=True, high_open=True
        )
    else:
        check_number(validation, "validation", low=1, integer=True)


def check_task(
    finder: Any,
    search: TicketSearch,
    net: Any,
    layout: MaskLayout,
    X: np.ndarray,
    y: np.ndarray,
) -> None:
    """Raise if a network and its data are not for the settings.

    Parameters
    ----------
    finder : SparseTicketFinder
        Checked.
    search : TicketSearch
        Its own.
    net : skorch.NeuralNet
        Initialised.
    layout : MaskLayout
        What is masked.
    X, y : numpy.ndarray
        Training data as the net takes it.

    Raises
    ------
    ValueError
        If weights are stored after the end of training, or the rounds would remove
        everything.
    """
    if Processes.of(net).count > 1:
        raise ValueError(
            "SparseTicketFinder trains many networks, each in one process; use n_jobs "
            "in place of an accelerator with several processes."
        )
    steps = len(net.get_iterator(net.get_split_datasets(X, y)[0], training=True))
    total = steps * net.max_epochs
    if finder.rewind_epoch >= net.max_epochs and finder.rewind_epoch:
        raise ValueError(
            f"rewind_epoch={finder.rewind_epoch!r} must be less than the "
            f"{net.max_epochs} epochs of training."
        )
    if (finder.rewind_step or 0) >= max(total, 1):
        raise ValueError(
            f"rewind_step={finder.rewind_step!r} must be less than the {total} steps "
            "of training."
        )
    left = (1 - finder.prune_rate) ** finder.n_rounds
    sizes = layout.layers if finder.scope == "layer" else [layout.n_variables]
    if search.goes_by_rate and round(max(sizes) * left) < 1:
        raise ValueError(
            f"n_rounds={finder.n_rounds!r} with prune_rate={finder.prune_rate!r} "
            f"leaves none of {layout.n_variables} mask variables."
        )


def check_folder(checkpoint: str | Path) -> Path:
    """Return the folder of a checkpoint, made if it does not exist.

    Parameters
    ----------
    checkpoint : str or Path
        What the user gave.

    Returns
    -------
    folder : Path
        It exists.

    Raises
    ------
    ValueError
        If it cannot be made or is a file.
    """
    folder = Path(checkpoint)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"checkpoint={str(checkpoint)!r} must be a folder, or one that can be made "
            f"in a folder that exists: {error.strerror}."
        ) from error
    return folder
