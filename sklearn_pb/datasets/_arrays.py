"""Features and targets from .npz files and scikit-learn's embedded sets."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn import datasets

DATA_HOME_VARIABLE = "SKLEARN_PB_DATA"
_FOLDERS = ("", "tabular")
_EMBEDDED = {
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and targets, with a test part where the source has one.

    Parameters
    ----------
    name : str
        What the data is called.
    X : numpy.ndarray of shape (n, ...)
        Features; images keep their shape.
    y : numpy.ndarray of shape (n, ...)
        Targets.
    X_test, y_test : numpy.ndarray or None, default=None
        The test part.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None


def load_arrays(
    source: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    scale: bool = False,
) -> Dataset:
    """Load a data set from a .npz file, by name, or from scikit-learn.

    Parameters
    ----------
    source : str or path-like
        One of

        - a path: anything that is path-like, ends in ``.npz`` or has a folder in it;
        - "breast_cancer", "diabetes", "digits", "iris" or "wine": always
          scikit-learn's embedded set;
        - another name: the file ``NAME.npz`` or ``tabular/NAME.npz`` below
          `data_home`.

        A file holds X and y, or X_train and y_train, and for a test part X_test and
        y_test. Other arrays in it are ignored.
    data_home : str or path-like, default=None
        The folder of named data sets; if None, that of the environment variable
        ``SKLEARN_PB_DATA``.
    scale : bool, default=False
        Turn features of dtype uint8 into float32 between 0 and 1. Features of other
        dtypes are returned as they are.

    Returns
    -------
    dataset : Dataset
        The arrays.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message lists where it was looked for.
    ValueError
        If the file is not a .npz file of plain arrays, an array is missing (the
        message lists those found), or X and y have different lengths.

    Notes
    -----
    Nothing is ever unpickled.

    Examples
    --------
    >>> from sklearn_pb.datasets import load_arrays
    >>> load_arrays("digits").X.shape
    (1797, 64)
    """
    dataset = _load(source, data_home)
    if not scale:
        return dataset
    X_test = dataset.X_test
    return replace(
        dataset,
        X=_scaled(dataset.X),
        X_test=None if X_test is None else _scaled(X_test),
    )


def _load(
    source: str | os.PathLike[str], data_home: str | os.PathLike[str] | None
) -> Dataset:
    if isinstance(source, str) and source in _EMBEDDED:
        X, y = _EMBEDDED[source](return_X_y=True)
        return Dataset(source, X, y)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "source must be a path or the name of a data set, got "
            f"{source!r} of type {type(source).__name__}."
        )
    return _read(_find(source, data_home))


def _find(
    source: str | os.PathLike[str], data_home: str | os.PathLike[str] | None
) -> Path:
    path = Path(source).expanduser()
    is_name = isinstance(source, str) and source == path.name and path.suffix != ".npz"
    if not is_name:
        if path.is_file():
            return path
        raise FileNotFoundError(f"source={os.fspath(source)!r}: there is no such file.")
    if data_home is None:
        data_home = os.environ.get(DATA_HOME_VARIABLE) or None
    if data_home is None:
        raise FileNotFoundError(
            f"source={source!r} is none of the embedded sets {sorted(_EMBEDDED)}, and "
            "there is no folder to look for it in: pass data_home or set "
            f"{DATA_HOME_VARIABLE}."
        )
    home = Path(data_home).expanduser()
    places = [home / folder / f"{source}.npz" for folder in _FOLDERS]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"source={source!r} is none of the embedded sets {sorted(_EMBEDDED)}, nor was "
        f"it found as {' or '.join(map(str, places))}."
    )


def _read(path: Path) -> Dataset:
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .npz file, or is damaged.")
    with np.load(path, allow_pickle=False) as arrays:
        found = set(arrays.files)
        train = ("X_train", "y_train") if "X_train" in found else ("X", "y")
        X, y = _pair(path, arrays, train)
        X_test = y_test = None
        if found & {"X_test", "y_test"}:
            X_test, y_test = _pair(path, arrays, ("X_test", "y_test"))
    return Dataset(path.stem, X, y, X_test, y_test)


def _pair(
    path: Path, arrays: np.lib.npyio.NpzFile, keys: tuple[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    missing = [key for key in keys if key not in arrays.files]
    if missing:
        raise ValueError(
            f"{path} lacks {' and '.join(missing)}; it holds {sorted(arrays.files)}, "
            "but X and y, or X_train and y_train, are needed, and X_test and y_test "
            "only together."
        )
    try:
        X, y = (arrays[key] for key in keys)
    except (ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: {keys} cannot be read: {error}") from error
    if X.ndim < 1 or y.ndim < 1 or len(X) != len(y):
        raise ValueError(
            f"{path}: {keys[0]} has shape {X.shape} and {keys[1]} {y.shape}; they "
            "must have the same length."
        )
    return X, y


def _scaled(X: np.ndarray) -> np.ndarray:
    return X.astype(np.float32) / np.float32(255) if X.dtype == np.uint8 else X
