"""A method that learns a mask, run as a search over the points of a function."""

from __future__ import annotations

from typing import Any

import torch

from ..budget import Evaluator
from ..exceptions import ObjectiveError
from ..methods import Search
from ._base import Run

HARDEN_EVERY = 10  # steps of a sampling method between two looks at its likeliest point


class LogitRun(Run):
    """The run of a `Search`: it evaluates, learns, and tries its hardened point.

    Parameters
    ----------
    search : Search
        A search that has just begun.
    relaxed : bool, default=False
        Whether it may never evaluate a binary point of its own: then its hardened
        point comes first, so that there is a solution whatever happens.
    """

    def __init__(self, search: Search, *, relaxed: bool = False) -> None:
        self.search = search
        self._relaxed = relaxed
        self._hardened = _HardenedCandidate(search)

    @property
    def step(self) -> int:  # type: ignore[override]
        """Steps begun."""
        return self.search.step

    def advance(self, evaluator: Evaluator) -> None:
        """Do one step of the search."""
        if self._relaxed and evaluator.best_point is None:
            self._hardened.consider(evaluator, must=True)
        evaluated = evaluator.n_evaluations
        self.search.advance(evaluator.progress)
        self._learn(evaluator)
        self._hardened.consider(evaluator, must=evaluator.n_evaluations == evaluated)

    def _learn(self, evaluator: Evaluator) -> None:
        if not self.search.needs_slope:
            self.search.update(evaluator, None)
            return
        point = self.search.mask().detach().requires_grad_()
        cost = evaluator.relaxed(point)
        # The search works in place, and the slope of a sum is one number many times.
        slope = torch.autograd.grad(cost, point)[0].contiguous()
        if not bool(torch.isfinite(slope).all()):
            raise ObjectiveError(
                f"{evaluator.function._label} has a gradient that is not finite at "
                f"evaluation {evaluator.n_evaluations}."
            )
        self.search.update(evaluator, slope)

    def probabilities(self) -> torch.Tensor | None:
        """Return the search's probabilities, if it has any."""
        give = getattr(self.search, "probabilities", None)
        return None if give is None else give()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the search."""
        return {"search": self.search.state_dict(), "last": self._hardened.last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.search.load_state_dict(state["search"])
        self._hardened.last = state["last"]


class _HardenedCandidate:
    """The binary point that the search would end with now, evaluated when it is new.

    A relaxed search evaluates no binary point of its own, so each new one is tried.
    A sampling search gets a look every few steps: with many variables its likeliest
    point is better than any of its samples.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._every = 1 if search.needs_slope else HARDEN_EVERY
        self.last: torch.Tensor | None = None

    def consider(self, evaluator: Evaluator, *, must: bool = False) -> None:
        """Evaluate it if its turn has come and it has changed, or if it must be."""
        if self._search.step % self._every and not must:
            return
        point = self._search.harden()
        if must or self.last is None or not torch.equal(point, self.last):
            self.last = point
            evaluator(point[None].to(self._search.space.dtype))
