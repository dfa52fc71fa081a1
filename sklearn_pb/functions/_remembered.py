"""A function that computes the cost of a point only once."""

from __future__ import annotations

import numpy as np
import torch

from ._base import PseudoBooleanFunction

MOST_POINTS = 1 << 16


def remembered(function: PseudoBooleanFunction) -> PseudoBooleanFunction:
    """Return a function that computes the cost of a point only once.

    Parameters
    ----------
    function : PseudoBooleanFunction
        Any function.

    Returns
    -------
    function : PseudoBooleanFunction
        The same one if it remembers already, or knows its changes by a flip.
    """
    if isinstance(function, RememberedFunction) or function.has_flips:
        return function
    return RememberedFunction(function)


class RememberedFunction(PseudoBooleanFunction):
    """Keep the costs of binary points: a search comes back to the good ones often.

    Parameters
    ----------
    function : PseudoBooleanFunction
        The function, taken to give the same point the same cost every time.
    """

    def __init__(self, function: PseudoBooleanFunction) -> None:
        self.function = function
        self.n_variables = function.n_variables
        self.relaxable = function.relaxable
        self._costs: dict[bytes, float] = {}

    @property
    def points_dtype(self) -> torch.dtype | None:
        """That of the function."""
        return self.function.points_dtype

    @property
    def initial_probabilities(self) -> np.ndarray | None:
        """Those of the function."""
        return self.function.initial_probabilities

    @property
    def _label(self) -> str:
        return self.function._label

    def _evaluate(self, Z: torch.Tensor) -> torch.Tensor:
        if Z.requires_grad:
            return self.function(Z)
        keys = _keys(Z)
        new = {key: row for row, key in enumerate(keys) if key not in self._costs}
        if len(self._costs) + len(new) > MOST_POINTS:
            self._costs.clear()
            new = {key: row for row, key in enumerate(keys)}
        if new:
            costs = self.function(Z[list(new.values())]).tolist()
            self._costs.update(zip(new, costs, strict=True))
        return torch.tensor(
            [self._costs[key] for key in keys], dtype=Z.dtype, device=Z.device
        )


def _keys(Z: torch.Tensor) -> list[bytes]:
    """One key a binary row; a cost in another precision is another cost."""
    bits = np.packbits(Z.cpu().numpy() > 0, axis=1)
    precision = str(Z.dtype).encode()
    return [precision + row.tobytes() for row in bits]
