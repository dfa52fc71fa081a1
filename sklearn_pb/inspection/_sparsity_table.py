"""A table of a search over methods and sparsities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..utils import percent, text_table
from ._cv_rows import read_rows


def sparsity_table(
    cv_results: Any,
    *,
    n_weights: int | None = None,
    param_method: str = "method",
    param_sparsity: str = "sparsity",
    metric: str = "score",
) -> list[dict[str, Any]]:
    """Return what each candidate of a search kept, scored and cost.

    Parameters
    ----------
    cv_results : fitted search or dict
        For example a fitted GridSearchCV, or its `cv_results_`.
    n_weights : int, default=None
        How many weights can be pruned, to count those that stay. None takes it from
        the `best_estimator_` of a search that was refitted.
    param_method, param_sparsity : str, default="method", "sparsity"
        Names of the parameters; "sparsity" also finds "prune__sparsity" of a pipeline.
    metric : str, default="score"
        Which of several scores.

    Returns
    -------
    rows : list of dict
        With keys method, sparsity (None where the penalty decided), mean and std of
        the score over the folds, nonzeros (None where unknown) and fit_time in
        seconds, in the order of the search.

    See Also
    --------
    format_sparsity_table : The same as text.

    Examples
    --------
    >>> from sklearn_pb.inspection import sparsity_table
    >>> cv_results = {
    ...     "param_sparsity": [0.9],
    ...     "mean_test_score": [0.95],
    ...     "std_test_score": [0.01],
    ...     "mean_fit_time": [2.0],
    ... }
    >>> sparsity_table(cv_results, n_weights=1000)[0]["nonzeros"]
    100
    """
    if n_weights is None:
        n_weights = _count_weights(cv_results)
    rows = read_rows(cv_results, param_method, param_sparsity, metric)
    for row in rows:
        row["nonzeros"] = _nonzeros(n_weights, row["sparsity"])
    return rows


def format_sparsity_table(
    rows: Iterable[Mapping[str, Any]], *, score_name: str = "score"
) -> str:
    """Return the rows of `sparsity_table` as a plain-text table.

    Parameters
    ----------
    rows : iterable of dict
        What `sparsity_table` returned, or some of it in any order.
    score_name : str, default="score"
        Title of the scores.

    Returns
    -------
    table : str
        Lines of equal columns, titles first.

    Examples
    --------
    >>> from sklearn_pb.inspection import format_sparsity_table
    >>> row = {"method": "gmp", "sparsity": 0.9, "mean": 0.951, "std": 0.012}
    >>> print(format_sparsity_table([row | {"nonzeros": 640, "fit_time": 1.83}]))
    method  sparsity          score  non-zeros  fit time
    ------  --------  -------------  ---------  --------
    gmp         90 %  0.951 ± 0.012        640     1.8 s
    """
    titles = ("method", "sparsity", score_name, "non-zeros", "fit time")
    return text_table(titles, [*map(_cells, rows)], left={"method"})


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    sparsity, nonzeros = row["sparsity"], row["nonzeros"]
    return (
        row["method"],
        "learned" if sparsity is None else percent(sparsity),
        f"{row['mean']:.3f} ± {row['std']:.3f}",
        "" if nonzeros is None else f"{nonzeros:,}",
        f"{row['fit_time']:.1f} s",
    )


def _nonzeros(n_weights: int | None, sparsity: float | None) -> int | None:
    if n_weights is None or sparsity is None:
        return None
    return n_weights - round(sparsity * n_weights)


def _count_weights(search: Any) -> int | None:
    best: Any = getattr(search, "best_estimator_", None)
    pruner = best[-1] if hasattr(best, "steps") else best
    masks = getattr(pruner, "masks_", None)
    return None if masks is None else sum(mask.numel() for mask in masks.values())
