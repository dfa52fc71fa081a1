"""A method with easy problems to try it on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from sklearn.base import clone

from ..constraints import Quota
from ..functions import BlackBoxFunction, PseudoBooleanFunction
from ..methods import Method, Search, SearchSpace, Weights
from ..utils import RandomStream
from ._common import attempt

FEW = 6  # steps where learning does not matter


class Trial:
    """A method with easy problems to try it on."""

    def __init__(
        self,
        method: Method,
        n_variables: int,
        n_steps: int,
        weights: torch.Tensor | None = None,
    ) -> None:
        self.method = method
        self.d = n_variables
        self.n_steps = n_steps
        if weights is None:
            sizes = 1 + torch.arange(n_variables) % 3 / 2
            weights = sizes * (1 - 2 * (torch.arange(n_variables) % 2))
        self.weights = weights
        self.function = BlackBoxFunction(
            lambda Z: Z @ self.weights.to(Z), n_variables, relaxable=True
        )

    def space(
        self,
        seed: int = 0,
        sparsity: float | None = None,
        groups: tuple[int, ...] | None = None,
        **changes: Any,
    ) -> SearchSpace:
        """A space that suits the method, apart from the changes."""
        method = self.method
        if sparsity is None and (method.needs_weights or method.needs_sparsity):
            sparsity = 0.5
        if method.needs_weights:
            changes = {"weights": Weights.single(lambda: self.weights), **changes}
        quota = Quota.proportional(groups or (self.d,), sparsity)
        return SearchSpace(self.d, RandomStream(seed), quota=quota, **changes)

    def start(self, space: SearchSpace) -> Search:
        """A search with a copy of the method."""
        return attempt(lambda: clone(self.method).start(space), "start(space) failed")

    def steps(self, search: Search, first: int, stop: int) -> Iterator[torch.Tensor]:
        """Take steps of a search of `n_steps`, yielding the mask of each."""
        for step in range(first, stop):
            search.advance(step / self.n_steps)
            mask = search.mask().detach().clone()
            take_step(search, self.function, mask)
            yield mask

    def masks(self, search: Search, first: int = 0, stop: int = FEW) -> torch.Tensor:
        """The masks of some steps, one a row."""
        return torch.stack(list(self.steps(search, first, stop)))


def take_step(
    search: Search, function: PseudoBooleanFunction, mask: torch.Tensor
) -> None:
    """Let a search learn what it says it needs, and no more."""
    slope = None
    if search.needs_slope:
        point = mask.clone().requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(function(point[None])[0], point)
    given = None if search.needs_slope else function
    with torch.no_grad():
        attempt(
            lambda: search.update(given, slope),
            f"update({'None, slope' if search.needs_slope else 'function, None'}) "
            f"failed, though needs_slope is {search.needs_slope}",
        )
