"""Transfer: what an architecture is worth on another task, without its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from ..methods import FixedMask
from ..training import (
    check_estimator_parameter,
    is_regression,
    with_fresh_weights,
)
from ..utils import RandomStream, check_choice, check_number
from ._mask_pruner import MaskPruner
from ._mixed_precision_quantizer import MixedPrecisionQuantizer
from ._network_estimator import NetworkEstimator
from ._new_task import NewTask

CONTROLS = ("reshuffled", "random", "dense")
_SHUFFLES = {"reshuffled": "layer", "random": "global"}
_COMMON = ("device", "n_threads", "verbose")
_INHERITED = (*_COMMON, "granularity", "count", "include", "exclude", "rescale")


def transfer_architecture(
    pruner: NetworkEstimator | Mapping[str, NetworkEstimator],
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    test_size: float | int = 0.25,
    estimator: Any = None,
    controls: Iterable[str] = CONTROLS,
    train_sizes: Iterable[int] | None = None,
    n_repeats: int = 5,
    scoring: Any = None,
    random_state: int | np.random.RandomState | None = None,
    n_jobs: int | None = None,
) -> list[dict[str, Any]]:
    """Retrain masks that were found on another task, from fresh weights on a new one.

    Nothing but the mask is taken over. Controls are trained beside it in the same way:
    the same network, initial weights, batches and number of epochs, so that scores of
    one repeat can be compared in pairs.

    Parameters
    ----------
    pruner : MaskPruner, SparseTicketFinder or MixedPrecisionQuantizer, or dict of them
        Fitted on the old task: what has `masks_`. Of a finder the ticket that it took
        is meant, of a quantizer the weights that are not zero. Several are compared
        under their names (str), each with its own masked controls.
    X : array-like of shape (n, ...)
        Inputs of the new task.
    y : array-like of shape (n,)
        Its labels, or values for a regressor.
    X_test, y_test : array-like, default=None
        What scores are measured on. None puts rows of `X` and `y` aside, others in
        each repeat.
    test_size : float or int, default=0.25
        The fraction or number of these rows.
    estimator : skorch net, torch.nn.Module (instance or class) or None, default=None
        The network, as of `MaskPruner`; None takes that of the pruner. The weights of
        an instance are drawn again by ``reset_parameters`` of its layers.
    controls : iterable of str, default=("reshuffled", "random", "dense")
        "reshuffled" has as many ones as the mask in each layer, at random places;
        "random" only as many in all; "dense" has no mask.
    train_sizes : iterable of int, default=None
        Numbers of rows to train on, for a few-data curve. The subsets of a repeat lie
        in each other and hold the classes in equal shares, each at least once. None
        trains on all rows.
    n_repeats : int, default=5
        Number of repeats, each with its own initial weights, random masks and choice
        of rows.
    scoring : str or callable, default=None
        As in scikit-learn; None is the accuracy, or R^2 for a regressor.
    random_state : int, numpy.random.RandomState or None, default=None
        Seed of everything.
    n_jobs : int, default=None
        Networks trained at the same time, as in joblib. The results are the same for
        any number.

    Returns
    -------
    results : list of dict
        A row for each trained network, ready for ``pandas.DataFrame``: `architecture`
        ("transferred" and the controls; for several pruners their names, and "NAME
        reshuffled", "NAME random"), `n_samples` trained on, `repeat`, `score` on the
        test rows and `sparsity` of the network.

    Raises
    ------
    TypeError
        If `pruner` is none of these.
    NotFittedError
        If it is not fitted.
    ValueError
        If a control is unknown, a size is too small to hold every class or too large,
        none of the masks fits the network, or an instance cannot be drawn afresh.

    See Also
    --------
    sklearn_pb.inspection.TransferDisplay : A picture of the results.
    sklearn_pb.methods.FixedMask : The method that trains a given mask.

    Notes
    -----
    Colombo and Gao (2021), sections 3.2, 3.3 and A.2. A parameter that has another
    shape on the new task, as the last layer for another number of classes, is kept
    whole in all architectures. Granularity, `include`, `exclude` and `rescale` are
    those of the pruner, as far as it has them; there is no warm-up. The masks of a
    quantizer are retrained weight by weight. Their rival, iterative magnitude pruning,
    is a ``SparseTicketFinder(search="imp", select="last")``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_pb import MaskPruner
    >>> from sklearn_pb.estimators import transfer_architecture
    >>> X, y = load_digits(return_X_y=True)
    >>> X, old = X / 16, y < 5
    >>> pruner = MaskPruner(method="gmp", sparsity=0.9, random_state=0)
    >>> rows = transfer_architecture(
    ...     pruner.fit(X[old], y[old]),
    ...     X[~old],
    ...     y[~old],
    ...     train_sizes=[50],
    ...     n_repeats=1,
    ...     random_state=0,
    ... )
    >>> [row["architecture"] for row in rows]
    ['transferred', 'reshuffled', 'random', 'dense']
    """
    pruners = _check_pruners(pruner)
    architectures = _architectures(pruners, _check_controls(controls))
    check_number(n_repeats, "n_repeats", low=1, integer=True)
    first = next(iter(pruners.values()))
    estimator = first._network if estimator is None else estimator
    check_estimator_parameter(estimator)
    classifies = not is_regression(estimator)
    task = NewTask.of(X, y, X_test, y_test, test_size, classifies)
    scorer = check_scoring(first, scoring)
    stream = RandomStream.from_random_state(random_state)
    with_fresh_weights(estimator, stream)  # an error now, not in a worker
    splits = [task.split(stream.child(repeat, 0)) for repeat in range(n_repeats)]
    sizes = task.check_sizes(train_sizes, min(len(train) for train, _ in splits))
    runs = [
        (repeat, size, name)
        for repeat in range(n_repeats)
        for size in sizes or [len(splits[repeat][0])]
        for name in architectures
    ]
    trained = Parallel(n_jobs=n_jobs)(
        delayed(_train)(
            architectures[name],
            estimator,
            stream.child(repeat, 1),
            task,
            splits[repeat][0][:size],
            splits[repeat][1],
            scorer,
        )
        for repeat, size, name in runs
    )
    return [
        {"architecture": name, "n_samples": size, "repeat": repeat, **seen}
        for (repeat, size, name), seen in zip(runs, trained, strict=True)
    ]


def _check_pruners(pruner: Any) -> dict[str, NetworkEstimator]:
    pruners = dict(pruner) if isinstance(pruner, Mapping) else {"transferred": pruner}
    if not pruners:
        raise ValueError("pruner={} must hold at least one fitted MaskPruner.")
    for one in pruners.values():
        if not isinstance(one, NetworkEstimator):
            raise TypeError(
                f"pruner={one!r} must be a fitted MaskPruner, SparseTicketFinder or "
                "MixedPrecisionQuantizer, or a dict of them; from a pipeline take its "
                "last step."
            )
        check_is_fitted(one, "masks_")
    return pruners


def _check_controls(controls: Iterable[str]) -> list[str]:
    controls = [controls] if isinstance(controls, str) else list(controls)
    for control in controls:
        check_choice(control, "controls", CONTROLS)
    return controls


def _architectures(
    pruners: Mapping[str, NetworkEstimator], controls: Sequence[str]
) -> dict[str, MaskPruner]:
    """Unfitted pruners with the masks of each architecture, by name."""
    found: dict[str, MaskPruner] = {}
    for name, pruner in _named_masks(pruners, controls):
        if name in found:
            raise ValueError(
                f"two architectures are called {name!r}; a pruner must not have the "
                "name of a control."
            )
        found[name] = pruner
    return found


def _named_masks(
    pruners: Mapping[str, Any], controls: Sequence[str]
) -> Iterator[tuple[str, MaskPruner]]:
    alone = list(pruners) == ["transferred"]
    for name, pruner in pruners.items():
        masks = pruner.masks_
        yield name, _with_masks(pruner, FixedMask(masks, strict=False))
        for control in controls:
            if control in _SHUFFLES:
                shuffled = FixedMask(masks, shuffle=_SHUFFLES[control], strict=False)
                label = control if alone else f"{name} {control}"
                yield label, _with_masks(pruner, shuffled)
    if "dense" in controls:
        yield "dense", _with_masks(next(iter(pruners.values())), FixedMask({}))


def _with_masks(pruner: NetworkEstimator, method: FixedMask) -> MaskPruner:
    """What belongs to an architecture is inherited, what belongs to a search is not."""
    # The granularity of a quantizer is that of its bits, not of its zeros.
    kept = _COMMON if isinstance(pruner, MixedPrecisionQuantizer) else _INHERITED
    inherited = {name: getattr(pruner, name) for name in kept if hasattr(pruner, name)}
    return MaskPruner(method=method, **inherited)


def _train(
    pruner: MaskPruner,
    estimator: Any,
    stream: RandomStream,
    task: NewTask,
    train: np.ndarray,
    test: np.ndarray | None,
    scorer: Callable[..., float],
) -> dict[str, float]:
    """Train one architecture; all of a repeat share a stream."""
    pruner = clone(pruner).set_params(
        estimator=with_fresh_weights(estimator, stream.child(0)),
        random_state=stream.child(1).key >> 32,  # scikit-learn takes 32 bits
    )
    pruner.fit(task.X[train], task.y[train])
    score = scorer(pruner, *task.test_rows(test))
    return {"score": float(score), "sparsity": pruner.sparsity_}
