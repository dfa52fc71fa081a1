"""Which run a MaskPruner is in the middle of, and the file that keeps it."""

from __future__ import annotations

from typing import Any

from ..methods import Method
from ..training import RunFile, run_label
from ..utils import Checkpoint, RandomStream
from ._network_estimator import Rows

# What a run does not depend on, or what its label has otherwise.
_LEFT_OUT = (
    "estimator",
    "random_state",
    "checkpoint",
    "checkpoint_every",
    "callback",
    "verbose",
)


def run_settings(pruner: Any, method: Method) -> dict[str, Any]:
    """Return what a run depends on, but for the network, the data and the seed.

    Parameters
    ----------
    pruner : MaskPruner
        The settings.
    method : Method
        The method that its own stands for.

    Returns
    -------
    settings : dict of str to object
        By parameter.
    """
    settings = pruner.get_params(deep=False)
    kept = {name: v for name, v in settings.items() if name not in _LEFT_OUT}
    return {**kept, "method": method}


def open_run_file(
    pruner: Any, method: Method, rows: Rows, stream: RandomStream
) -> RunFile | None:
    """Return the file of a run, with where it was when it was last saved.

    Parameters
    ----------
    pruner : MaskPruner
        The settings.
    method : Method
        The method that its own stands for.
    rows : Rows
        The data.
    stream : RandomStream
        The stream of a run that begins now.

    Returns
    -------
    file : RunFile or None
        None without a checkpoint.

    Raises
    ------
    ValueError
        If the file cannot be written or read, or is of another run.
    """
    if pruner.checkpoint is None:
        return None
    settings = run_settings(pruner, method)
    if pruner.random_state is not None:  # else any seed will do, also an old one
        settings["random_state"] = stream.seed
    data = {"X": rows.X, "y": rows.y, "sample_weight": rows.sample_weight}
    label = run_label(settings, pruner.estimator, data)
    each_epoch = pruner.checkpoint_every == "epoch"
    every = 0.0 if each_epoch else float(pruner.checkpoint_every)
    return RunFile.open(
        Checkpoint(pruner.checkpoint, label, every),
        # Batches that accelerate has dealt out cannot be passed over.
        within_epochs=not each_epoch and not hasattr(pruner.estimator, "accelerator"),
        seed=stream.seed,
    )


def check_same_run(begun_with: dict[str, str], now: dict[str, str]) -> None:
    """Raise if settings have changed since a run of `partial_fit` began.

    Parameters
    ----------
    begun_with, now : dict of str to str
        The labels of then and now.

    Raises
    ------
    ValueError
        If they differ.
    """
    changed = [k for k in {**begun_with, **now} if begun_with.get(k) != now.get(k)]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since the first call of partial_fit; the "
            "run cannot go on with another setting. fit begins anew, and so does a "
            "clone."
        )
