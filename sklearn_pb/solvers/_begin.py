"""How a run begins, whatever it is of: a method over logits, or a solver."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from ..methods import Method, SearchSpace
from ._base import Run, Solver, Start
from ._logit_run import LogitRun

_FARTHEST = 0.02  # a warm start leaves each probability room on both sides


@cache
def prepare_optimizers() -> None:
    """Make torch import its compiler, as the first optimizer of a process does.

    It takes about a second, which is not to fall within the seconds of a budget.
    """
    torch.optim.SGD([torch.zeros(1)])


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
    theta = start.probabilities
    ones, zeros = theta.mean(), 1 - theta.mean()  # the room may double either, no more
    low, high = (min(_FARTHEST, max(x, 1 / len(theta))) for x in (ones, zeros))
    theta = np.clip(theta, low, 1 - high)
    return torch.as_tensor(theta, dtype=dtype, device=start.device)
