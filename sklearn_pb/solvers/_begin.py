"""How a run begins, whatever it is of: a method over logits, or a solver."""

from __future__ import annotations

import numpy as np
import torch

from ..methods import Method, SearchSpace
from ._base import Run, Solver, Start
from ._logit_run import LogitRun

_FARTHEST = 0.02  # a warm start leaves each probability room on both sides


def begin(method: Method | Solver, start: Start) -> Run:
    """Begin a run.

    Parameters
    ----------
    method : Method or Solver
        What searches; it is known to fit the function.
    start : Start
        Where it begins.

    Returns
    -------
    run : Run
        The state of the search.
    """
    if isinstance(method, Solver):
        return method.start(start)
    dtype = start.function.points_dtype or torch.get_default_dtype()
    space = SearchSpace(
        start.function.n_variables,
        start.stream,
        constraint=start.penalty,
        device=start.device,
        dtype=dtype,
        probabilities=_roomy(start, dtype),
    )
    return LogitRun(method.start(space), relaxed=method.needs_relaxable)


def _roomy(start: Start, dtype: torch.dtype) -> torch.Tensor | None:
    if start.probabilities is None:
        return None
    theta = np.clip(start.probabilities, _FARTHEST, 1 - _FARTHEST)
    return torch.as_tensor(theta, dtype=dtype, device=start.device)
