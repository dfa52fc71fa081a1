"""Read the results of a search over methods and sparsities, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.base import clone


def results_of(search: Any) -> Mapping[str, Any]:
    """Return the `cv_results_` of a fitted search, or the mapping given.

    Parameters
    ----------
    search : fitted search or mapping
        For example a GridSearchCV.

    Returns
    -------
    cv_results : mapping
        Column names to columns.

    Raises
    ------
    TypeError
        If it is neither.
    """
    results = getattr(search, "cv_results_", search)
    if not isinstance(results, Mapping):
        raise TypeError(
            f"cv_results must be a fitted search or its cv_results_, got "
            f"{type(search).__name__}."
        )
    return results


def find_column(results: Mapping[str, Any], parameter: str) -> str | None:
    """Return the column of a parameter, whatever steps and estimators hold it.

    Parameters
    ----------
    results : mapping
        Column names to columns.
    parameter : str
        "sparsity" finds "param_sparsity" and "param_prune__sparsity" alike.

    Returns
    -------
    column : str or None
        None where the search did not vary it.

    Raises
    ------
    ValueError
        If more than one column would do.
    """
    if f"param_{parameter}" in results:
        return f"param_{parameter}"
    columns = [
        name
        for name in results
        if name.startswith("param_") and name.endswith(f"__{parameter}")
    ]
    if len(columns) > 1:
        raise ValueError(
            f"{parameter!r} could be any of {', '.join(columns)}; give the full name."
        )
    return columns[0] if columns else None


def read_rows(
    search: Any, param_method: str, param_sparsity: str, metric: str
) -> list[dict[str, Any]]:
    """Return a row for each candidate of a search.

    Parameters
    ----------
    search : fitted search or mapping
        Where the results are.
    param_method, param_sparsity : str
        Names of the parameters, with or without the steps that lead to them.
    metric : str
        Which of several scores.

    Returns
    -------
    rows : list of dict
        With keys method, sparsity, mean, std and fit_time.

    Raises
    ------
    ValueError
        If the sparsity or the score is not among the results.
    """
    results = results_of(search)
    sparsity = find_column(results, param_sparsity)
    if sparsity is None:
        varied = [name for name in results if name.startswith("param_")]
        raise ValueError(
            f"param_sparsity={param_sparsity!r} is not among the parameters of the "
            f"search: {', '.join(varied) or 'none'}."
        )
    if f"mean_test_{metric}" not in results:
        raise ValueError(
            f"metric={metric!r}: there is no mean_test_{metric} among the results."
        )
    columns = {
        "method": _method_names(results, param_method, len(results[sparsity])),
        "sparsity": [_number(value) for value in results[sparsity]],
        "mean": np.asarray(results[f"mean_test_{metric}"]).tolist(),
        "std": np.asarray(results[f"std_test_{metric}"]).tolist(),
        "fit_time": np.asarray(results["mean_fit_time"]).tolist(),
    }
    keys = list(columns)
    return [
        dict(zip(keys, row, strict=True)) for row in zip(*columns.values(), strict=True)
    ]


def best_rows(
    rows: Iterable[Mapping[str, Any]], key: str
) -> dict[str, dict[float, Mapping[str, Any]]]:
    """Return the row with the best mean of each method and value.

    Parameters
    ----------
    rows : iterable of mapping
        With keys method and mean.
    key : str
        The key of the value, such as "sparsity".

    Returns
    -------
    best : dict of str to dict of float to mapping
        By method, in the order they came, then by rising value.
    """
    best: dict[str, dict[float, Mapping[str, Any]]] = {}
    for row in rows:
        points = best.setdefault(row["method"], {})
        known = points.get(row[key])
        if known is None or row["mean"] > known["mean"]:
            points[row[key]] = row
    return {name: dict(sorted(points.items())) for name, points in best.items()}


def _method_names(results: Mapping[str, Any], parameter: str, n: int) -> list[str]:
    """Strings as they are; objects with the parameters that were searched as well."""
    column = find_column(results, parameter)
    if column is None:
        return [""] * n
    inner = {
        name.removeprefix(f"{column}__"): values
        for name, values in results.items()
        if name.startswith(f"{column}__")
    }
    names = []
    for row, method in enumerate(results[column]):
        given = {name: values[row] for name, values in inner.items()}
        given = {k: _plain(v) for k, v in given.items() if v is not np.ma.masked}
        names.append(_name(method, given))
    return names


def _name(method: Any, parameters: dict[str, Any]) -> str:
    if method is np.ma.masked:  # this candidate's grid did not vary it
        return "default"
    if isinstance(method, str):
        return method
    return repr(clone(method).set_params(**parameters) if parameters else method)


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python, which is written without its type."""
    return value.item() if isinstance(value, np.generic) else value


def _number(value: Any) -> float | None:
    """A sparsity; None where the penalty decides, or the candidate has none."""
    return None if value is None or value is np.ma.masked else float(value)
