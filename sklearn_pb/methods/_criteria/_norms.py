"""Criteria that look at the weights alone: their norms, and LAMP."""

from __future__ import annotations

import torch

from ...utils import check_choice
from .._base import SearchSpace
from ._base import Criterion

_NORMALIZATIONS = ("mean", "sum")


class Norm(Criterion):
    """Common part of `L1Norm` and `L2Norm`.

    Parameters
    ----------
    normalize : {"mean", "sum"}, default="mean"
        Over the weights of a variable.
    """

    needs_weights = True

    def __init__(self, *, normalize: str = "mean") -> None:
        self.normalize = normalize

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        check_choice(self.normalize, "normalize", _NORMALIZATIONS)


class L1Norm(Norm):
    """Keep the variables whose weights are largest in absolute value.

    Parameters
    ----------
    normalize : {"mean", "sum"}, default="mean"
        The mean of abs(w) over the weights of a variable, so that large and small
        channels compete fairly, or the sum. The same for single weights.

    Notes
    -----
    Li et al. (2017) rank filters by the sum, within each layer.

    Examples
    --------
    >>> from sklearn_pb.methods import L1Norm, OneShot
    >>> OneShot(L1Norm(normalize="sum"))
    OneShot(criterion=L1Norm(normalize='sum'))
    """

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean or sum of abs(w)."""
        assert space.weights is not None
        totals, counts = space.weights.sums(1.0), space.weights.counts
        return totals / counts.clamp(min=1) if self.normalize == "mean" else totals


class L2Norm(Norm):
    """Keep the variables whose weights are largest in the root of their squares.

    Parameters
    ----------
    normalize : {"mean", "sum"}, default="mean"
        The root of the mean of w^2 over the weights of a variable, so that large and
        small channels compete fairly, or of the sum. For single weights both are
        abs(w).

    Examples
    --------
    >>> from sklearn_pb.methods import Gradual, L2Norm
    >>> Gradual(L2Norm()).criterion
    L2Norm()
    """

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the root of the mean or sum of w^2."""
        assert space.weights is not None
        if self.normalize == "mean":
            return space.weights.magnitudes()
        return space.weights.sums(2.0).sqrt()


class Lamp(Criterion):
    """Layer-adaptive magnitude (LAMP): a share of the layer's energy.

    Notes
    -----
    Lee et al. (2021). The score of a variable is the sum of its w^2, over that of all
    variables of its layer that are not smaller (among equals, those that come after
    it) and that have not been cut. The largest of a layer scores 1, so that no layer
    loses its last variable while another one has more than one.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.methods import Lamp, SearchSpace, Weights
    >>> from sklearn_pb.utils import RandomStream
    >>> weights = Weights.single(lambda: torch.tensor([1.0, 3.0, 5.0]), layers=[2, 1])
    >>> space = SearchSpace(3, RandomStream(0), weights=weights)
    >>> Lamp().scores(space, torch.ones(3), None)
    tensor([0.1000, 1.0000, 1.0000])
    """

    needs_weights = True

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the shares, in [0, 1]."""
        assert space.weights is not None
        energy = space.weights.sums(2.0)
        layers = (energy * kept.to(energy)).split(list(space.weights.layers))
        return torch.cat([_shares(layer) for layer in layers])


def _shares(energy: torch.Tensor) -> torch.Tensor:
    """Each entry over the sum of those that do not come before it in rank."""
    falling, order = energy.flip(0).sort(descending=True, stable=True)
    least = torch.finfo(energy.dtype).tiny  # where all that is left is zero
    shares = falling / falling.cumsum(0).clamp(min=least)
    return torch.empty_like(energy).scatter_(0, order, shares).flip(0)
