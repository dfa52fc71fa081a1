"""All points of the hypercube, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

# Cells of one chunk when the caller does not choose: 8 MB of float64.
_CHUNK_CELLS = 2**20
# Point numbers are signed 64-bit integers.
_MOST_VARIABLES = 62


def check_n_variables(n_variables: Any, most: int | None = None) -> int:
    """Return `n_variables` as a positive int, or raise an error that names it."""
    if isinstance(n_variables, bool) or not isinstance(n_variables, (int, np.integer)):
        raise TypeError(
            f"n_variables must be an integer, got {n_variables!r} of type "
            f"{type(n_variables).__name__}."
        )
    if n_variables < 1 or (most is not None and n_variables > most):
        allowed = "at least 1" if most is None else f"between 1 and {most}"
        raise ValueError(f"n_variables must be {allowed}, got {n_variables}.")
    return int(n_variables)


def enumerate_points(
    n_variables: int,
    *,
    chunk_size: int | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[torch.Tensor]:
    """Yield all 2^d points of {0, 1}^d in order, a chunk at a time.

    Point number h has the variable i equal to bit i of h, as the costs of a
    `TabularFunction` have. Memory is that of one chunk, whatever d is.

    Parameters
    ----------
    n_variables : int
        The number d of variables, from 1 to 62.
    chunk_size : int, default=None
        Points in one chunk; by default as many as fill 2^20 cells.
    dtype : torch.dtype, default=None
        Floating point dtype of the points; torch's default dtype if None.
    device : torch.device or str, default="cpu"
        Where the points lie.

    Returns
    -------
    chunks : iterator of torch.Tensor of shape (at most chunk_size, n_variables)
        The points as zeros and ones.

    Raises
    ------
    ValueError
        If `n_variables` or `chunk_size` is out of range.

    Examples
    --------
    >>> from sklearn_pb.functions import enumerate_points
    >>> next(enumerate_points(2))
    tensor([[0., 0.],
            [1., 0.],
            [0., 1.],
            [1., 1.]])
    """
    d = check_n_variables(n_variables, _MOST_VARIABLES)
    if chunk_size is None:
        chunk_size = max(1, _CHUNK_CELLS // d)
    elif chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}.")
    return _chunks(d, chunk_size, dtype or torch.get_default_dtype(), device)


def _chunks(
    d: int, chunk_size: int, dtype: torch.dtype, device: torch.device | str
) -> Iterator[torch.Tensor]:
    shifts = torch.arange(d, device=device)
    for start in range(0, 2**d, chunk_size):
        numbers = torch.arange(start, min(start + chunk_size, 2**d), device=device)
        yield ((numbers[:, None] >> shifts) & 1).to(dtype)
