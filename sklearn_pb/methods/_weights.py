"""What mask variables stand for in a network: sums over the weights of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

Given = Callable[[Mapping[str, torch.Tensor], bool], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Weights:
    """The weights behind mask variables, as far as methods look at them.

    Parameters
    ----------
    sums : callable
        Maps a power p to the (d,) sums of abs(w)^p over the weights of each variable,
        as they are now.
    counts : torch.Tensor of shape (d,)
        Number of weights of each variable.
    layers : sequence of int
        Sizes of consecutive groups of variables that belong to one layer.
    given : callable, default=None
        Maps boolean masks by parameter name, and whether all of them must fit, to two
        (d,) boolean tensors: the variables that they keep (all that they do not
        name), and those that they name. None where parameters have no names.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.methods import Weights
    >>> weights = Weights.single(lambda: torch.tensor([3.0, -4.0]))
    >>> weights.sums(1.0), weights.sums(2.0)
    (tensor([3., 4.]), tensor([ 9., 16.]))
    """

    sums: Callable[[float], torch.Tensor]
    counts: torch.Tensor
    layers: Sequence[int]
    given: Given | None = None

    @classmethod
    def single(
        cls, values: Callable[[], torch.Tensor], layers: Sequence[int] | None = None
    ) -> Weights:
        """Return those of variables with one weight each.

        Parameters
        ----------
        values : callable
            Gives the (d,) weights.
        layers : sequence of int, default=None
            Sizes of consecutive layers; None is one layer.

        Returns
        -------
        weights : Weights
            For a `SearchSpace`.
        """

        def sums(power: float) -> torch.Tensor:
            return values().abs().pow(power)

        first = values()
        return cls(sums, torch.ones_like(first), layers or [len(first)])

    def magnitudes(self) -> torch.Tensor:
        """Return the root of the mean square of each variable's weights.

        Returns
        -------
        magnitudes : torch.Tensor of shape (d,)
            For single weights their absolute values.
        """
        return (self.sums(2.0) / self.counts.clamp(min=1)).sqrt()
