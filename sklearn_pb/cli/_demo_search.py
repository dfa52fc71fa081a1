"""What the demo searches: a pipeline, its grid, and the choice among the results."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from ..estimators import MaskPruner
from ..masks import prunable_parameters
from ..training import SmallNetwork, build_net
from ._demo_data import DemoData

N_HIDDEN = 100
TOLERANCE = 0.02  # accuracy that the chosen network may lose
_STEPS = 600
_EPOCHS = (10, 100)
_LEARNING_RATE = 8e-3


def count_weights(data: DemoData) -> int:
    """Return how many weights of the demo's network can be pruned.

    Parameters
    ----------
    data : DemoData
        Says how many inputs and outputs there are.

    Returns
    -------
    n_weights : int
        Biases are not among them.
    """
    network = SmallNetwork(data.n_features, data.n_classes, N_HIDDEN)
    names = prunable_parameters(network)
    return sum(network.get_parameter(name).numel() for name in names)


def build_pipeline(data: DemoData, options: Namespace) -> Pipeline:
    """Return the scaler and the pruner around a small network.

    Parameters
    ----------
    data : DemoData
        What it will be trained on.
    options : Namespace
        With epochs, folds and seed; epochs None is replaced by a number.

    Returns
    -------
    pipeline : Pipeline
        Steps "scale" and "prune".
    """
    net = build_net(
        None, n_inputs=data.n_features, n_outputs=data.n_classes, device="auto"
    )
    if options.epochs is None:
        options.epochs = _enough_epochs(data, options.folds, net.batch_size)
    net.set_params(
        max_epochs=options.epochs, lr=_LEARNING_RATE, module__n_hidden=N_HIDDEN
    )
    pruner = MaskPruner(net, random_state=options.seed)
    return Pipeline([("scale", data.scaler), ("prune", pruner)])


def _enough_epochs(data: DemoData, folds: int, batch_size: int) -> int:
    rows = len(data.y) * (folds - 1) / folds
    least, most = _EPOCHS
    return min(max(round(_STEPS / math.ceil(rows / batch_size)), least), most)


def build_search(pipeline: Pipeline, options: Namespace) -> GridSearchCV:
    """Return the search over methods and sparsities, with the dense network as well.

    Parameters
    ----------
    pipeline : Pipeline
        What `build_pipeline` returned.
    options : Namespace
        With methods, sparsities, folds, n_jobs and seed.

    Returns
    -------
    search : GridSearchCV
        Not yet fitted.
    """
    # Pruning nothing by magnitude is plain training.
    dense = {"prune__method": ["magnitude"], "prune__sparsity": [0.0]}
    pruned = {
        "prune__method": list(dict.fromkeys(options.methods)),
        "prune__sparsity": sorted(set(options.sparsities)),
    }
    return GridSearchCV(
        pipeline,
        [dense, pruned],
        cv=StratifiedKFold(options.folds, shuffle=True, random_state=options.seed),
        n_jobs=options.n_jobs,
        refit=False,
        error_score="raise",
    )


def count_fits(options: Namespace) -> int:
    """Return how many networks the search trains.

    Parameters
    ----------
    options : Namespace
        With methods, sparsities and folds.

    Returns
    -------
    n_fits : int
        Candidates times folds.
    """
    candidates = len(set(options.methods)) * len(set(options.sparsities)) + 1
    return candidates * options.folds


def choose(rows: Iterable[dict[str, Any]], dense: float) -> tuple[dict[str, Any], bool]:
    """Return the sparsest row that loses little, or else the most accurate one.

    Parameters
    ----------
    rows : iterable of dict
        Sparse candidates with their sparsity and mean score.
    dense : float
        Score of the dense network.

    Returns
    -------
    row : dict
        The choice.
    good : bool
        Whether it loses no more than the tolerance.
    """
    rows = list(rows)
    good = [row for row in rows if row["mean"] >= dense - TOLERANCE]
    if good:
        return max(good, key=lambda row: (row["sparsity"], row["mean"])), True
    return max(rows, key=lambda row: row["mean"]), False
