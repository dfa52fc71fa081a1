"""What the baselines share: a criterion that ranks, and cuts that stay cut."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from ..exceptions import SparsityWarning
from ._base import Function, Method, Search, SearchSpace
from ._criteria import CRITERIA, Criterion, RunningMean, resolve_criterion


class RankingMethod(Method):
    """Rank the weights of a network by a criterion, and cut at certain moments.

    A subclass stores `criterion` and starts a `RankingSearch`.
    """

    needs_weights = True
    learns = False
    criterion: str | Criterion

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        resolve_criterion(self.criterion)

    @property
    def needs_relaxable(self) -> bool:  # type: ignore[override]
        """Whether the criterion looks at the slope of the cost by the mask."""
        criterion = self.criterion
        kind = CRITERIA.get(criterion) if isinstance(criterion, str) else criterion
        return getattr(kind, "needs_slope", False)


class RankingSearch(Search):
    """A run of a `RankingMethod`: everything is kept until it is cut.

    A subclass says in `advance` when to cut.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with a sparsity, and weights if the criterion needs them.
    method : RankingMethod
        The hyperparameters.
    regrow : bool, default=False
        Whether what was cut competes again at the next cut.

    Raises
    ------
    ValueError
        If the space lacks what is needed.
    """

    def __init__(
        self, space: SearchSpace, method: RankingMethod, *, regrow: bool = False
    ) -> None:
        super().__init__(space)
        self._criterion = resolve_criterion(method.criterion)
        _check_space(space, method, self._criterion)
        self._regrow = regrow
        self._kept = torch.ones(
            space.n_variables, dtype=space.dtype, device=space.device
        )
        if space.logits is not None:
            self._kept = (space.logits > -torch.inf).to(self._kept)
        self._final = False
        self._evidence = RunningMean(self._criterion.smoothing)

    @property
    def needs_slope(self) -> bool:  # type: ignore[override]
        """Whether the criterion looks at slopes and there is still a cut to come."""
        return self._criterion.needs_slope and not self._final

    def mask(self) -> torch.Tensor:
        """Return ones for what has not been cut."""
        return self._kept

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Take in the evidence of a batch, if the criterion looks at slopes."""
        if slope is not None:
            self._evidence.add(self._criterion.evidence(slope))

    def scores(self) -> torch.Tensor:
        """Return the criterion's scores; the least there is for what was cut."""
        candidates = torch.ones_like(self._kept) if self._regrow else self._kept
        scores = self._criterion.scores(self.space, candidates, self._evidence.mean)
        lowest = torch.finfo(self._kept.dtype).min
        return torch.where(candidates > 0, scores.to(self._kept), lowest)

    def _ready(self) -> bool:
        """Whether there is a cut to come and enough was seen for it."""
        return not self._final and self._evidence.count >= self._criterion.n_batches

    def _cut(self, fraction: float, *, final: bool) -> None:
        """Go a fraction of the way from all ones to the final zeros."""
        self._kept = self._chosen(fraction).to(self._kept.dtype)
        self._final = final

    def _chosen(self, fraction: float) -> torch.Tensor:
        chosen = self.space.quota.select(self.scores(), fraction)
        # A quota that measures costs might let a cheap one back in.
        return chosen if self._regrow else chosen & self._kept.bool()

    def harden(self) -> torch.Tensor:
        """Return the mask after the last cut, which is made now if it was not."""
        if self._final:
            return self._kept.bool()
        if self._criterion.needs_slope and not self._evidence.count:
            warnings.warn(
                f"{self._criterion!r} has seen no batch of the search before its cut, "
                "so that the mask is arbitrary; let the search take some steps.",
                SparsityWarning,
                stacklevel=2,
            )
        return self._chosen(1.0)

    def state_dict(self) -> dict[str, Any]:
        """Return what is kept and what was seen, with the step."""
        return {
            **super().state_dict(),
            "kept": self._kept.clone(),
            "final": self._final,
            "evidence": self._evidence.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._kept = state["kept"].clone()
        self._final = state["final"]
        self._evidence.load_state_dict(state["evidence"])


def _check_space(
    space: SearchSpace, method: RankingMethod, criterion: Criterion
) -> None:
    lacks_weights = criterion.needs_weights and space.weights is None
    if space.quota.counts is not None and not lacks_weights:
        return
    needs = "the weights of a network and " if criterion.needs_weights else ""
    raise ValueError(
        f"{method!r} needs {needs}a sparsity; it was given sparsity={space.sparsity!r} "
        f"and {'no weights' if space.weights is None else 'weights'}."
    )
