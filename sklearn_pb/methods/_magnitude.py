"""Magnitude pruning: keep the largest weights, at once or gradually."""

from __future__ import annotations

from typing import Any

import torch

from ..schedules import CubicSparsity
from ..utils import check_number
from ._base import Function, Method, Search, SearchSpace


class Magnitude(Method):
    """One-shot magnitude pruning: train the whole network, then cut it once.

    Notes
    -----
    Needs a sparsity. The weights that survive are trained on in the fine-tuning part.
    """

    needs_weights = True
    learns = False

    def check(self) -> None:
        """There is nothing to check."""

    def start(self, space: SearchSpace) -> MagnitudeSearch:
        """Begin a search."""
        return MagnitudeSearch(space)


class GradualMagnitude(Method):
    """Gradual magnitude pruning (GMP): cut a little, train, cut again.

    Parameters
    ----------
    n_prunings : int, default=100
        Number of cuts spread over the search.

    Notes
    -----
    Needs a sparsity. Cubic schedule: Zhu and Gupta (2017); Silva (2023), equation
    (7.1). A weight once cut stays cut.
    """

    needs_weights = True
    learns = False

    def __init__(self, *, n_prunings: int = 100) -> None:
        self.n_prunings = n_prunings

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.n_prunings, "n_prunings", low=1, integer=True)

    def start(self, space: SearchSpace) -> GradualMagnitudeSearch:
        """Begin a search."""
        return GradualMagnitudeSearch(space, self)


class MagnitudeSearch(Search):
    """A run of `Magnitude`: everything is kept until the mask is hardened.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with its weights and a sparsity.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        if space.sparsity is None or space.weights is None:
            raise ValueError(
                "Magnitude pruning needs the weights of a network and a sparsity; it "
                f"was given sparsity={space.sparsity!r} and "
                f"{'no weights' if space.weights is None else 'weights'}."
            )
        self._kept = torch.ones(
            space.n_variables, dtype=space.dtype, device=space.device
        )

    def mask(self) -> torch.Tensor:
        """Return the weights kept so far."""
        return self._kept

    def update(self, function: Function | None, slope: torch.Tensor | None) -> None:
        """Nothing is learned from the cost."""

    def scores(self) -> torch.Tensor:
        """Return the magnitudes of the kept weights, and less than 0 for the others."""
        assert self.space.weights is not None
        return torch.where(self._kept > 0, self.space.weights.magnitudes(), -1.0)

    def state_dict(self) -> dict[str, Any]:
        """Return the kept weights, with the step."""
        return {**super().state_dict(), "kept": self._kept.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._kept = state["kept"].clone()


class GradualMagnitudeSearch(MagnitudeSearch):
    """A run of `GradualMagnitude`.

    Parameters
    ----------
    space : SearchSpace
        What is masked, with its weights and a sparsity.
    method : GradualMagnitude
        The hyperparameters.
    """

    def __init__(self, space: SearchSpace, method: GradualMagnitude) -> None:
        super().__init__(space)
        self._schedule = CubicSparsity(1.0)  # of the way to the final zeros
        self._n_prunings = method.n_prunings
        self._done = 0

    def advance(self, progress: float) -> None:
        """Begin a step, with a cut if one is due."""
        super().advance(progress)
        due = int(progress * self._n_prunings)
        if due > self._done:
            self._done = due
            fraction = self._schedule(due / self._n_prunings)
            mask = self.space.quota.select(self.scores(), fraction)
            self._kept = mask.to(self._kept.dtype)

    def state_dict(self) -> dict[str, Any]:
        """Return the kept weights and the cuts done."""
        return {**super().state_dict(), "done": self._done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._done = state["done"]
