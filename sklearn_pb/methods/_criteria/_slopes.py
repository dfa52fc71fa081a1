"""Criteria that look at the slope of the cost by the mask."""

from __future__ import annotations

import torch

from ...utils import check_number
from .._base import SearchSpace
from ._base import Criterion


class SlopeCriterion(Criterion):
    """Common part of the criteria that average something over batches.

    A subclass stores `n_batches`, and `smoothing` if it has any.
    """

    needs_slope = True
    n_batches = 1

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        check_number(self.n_batches, "n_batches", low=1, integer=True)
        check_number(self.smoothing, "smoothing", low=0, high=1)

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the average; zeros where no batch was seen."""
        return torch.zeros_like(kept) if evidence is None else evidence


class Taylor(SlopeCriterion):
    """Keep what the cost would change most without, to first order.

    Parameters
    ----------
    power : {1, 2}, default=1
        Averaged over batches is the absolute value of the slope, or its square.
    smoothing : float, default=0.99
        Memory of the average over batches, in [0, 1]; with 1 all batches since the
        start of the search count the same.
    n_batches : int, default=1
        Number of batches to see before the first cut.

    Notes
    -----
    Molchanov et al. (2017, 2019): the slope by the mask of a variable is the sum of
    weight times gradient over its weights, and a first-order guess of what removing it
    costs. Here the slopes are those of batches, not of single examples.

    Examples
    --------
    >>> from sklearn_pb.methods import Gradual, Taylor
    >>> Gradual(Taylor(power=2))
    Gradual(criterion=Taylor(power=2))
    """

    def __init__(
        self, *, power: int = 1, smoothing: float = 0.99, n_batches: int = 1
    ) -> None:
        self.power = power
        self.smoothing = smoothing
        self.n_batches = n_batches

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        check_number(self.power, "power", low=1, high=2, integer=True)
        super().check()

    def evidence(self, slope: torch.Tensor) -> torch.Tensor:
        """Return the absolute value of the slope, or its square."""
        return slope.square() if self.power == 2 else slope.abs()


class Fisher(SlopeCriterion):
    """Keep what the cost would rise most without, by the diagonal of the Fisher.

    Parameters
    ----------
    smoothing : float, default=0.99
        Memory of the average over batches, in [0, 1]; with 1 all batches since the
        start of the search count the same.
    n_batches : int, default=1
        Number of batches to see before the first cut.

    Notes
    -----
    Theis et al. (2018): at a minimum the cost rises by half the second derivative by
    the mask, which the mean square of the slope stands in for (the empirical Fisher).
    For single weights that is w^2 F / 2, the saliency of optimal brain damage (LeCun
    et al., 1990) with the Fisher F of the weight in place of its second derivative;
    for blocks and channels, correlations among their weights are in it.

    Slopes are those of batches, not of single examples, so that the ranking is that of
    ``Taylor(power=2)``; the scores are in units of the cost.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.methods import Fisher
    >>> Fisher().evidence(torch.tensor([3.0, -1.0]))
    tensor([4.5000, 0.5000])
    """

    def __init__(self, *, smoothing: float = 0.99, n_batches: int = 1) -> None:
        self.smoothing = smoothing
        self.n_batches = n_batches

    def evidence(self, slope: torch.Tensor) -> torch.Tensor:
        """Return half the square of the slope."""
        return slope.square() / 2


class Snip(SlopeCriterion):
    """Keep what the cost is most sensitive to (SNIP), in either direction.

    Parameters
    ----------
    n_batches : int, default=1
        Number of batches to see before the first cut. They are averaged before the
        absolute value is taken, as in one batch that is as large as all of them.

    Notes
    -----
    Lee et al. (2019): abs(w g) at initialisation, that is ``OneShot("snip", at=0.0)``.
    The weights take a step at each of the batches seen.

    Examples
    --------
    >>> from sklearn_pb.methods import OneShot, Snip
    >>> OneShot(Snip(n_batches=10), at=0.0)
    OneShot(at=0.0, criterion=Snip(n_batches=10))
    """

    def __init__(self, *, n_batches: int = 1) -> None:
        self.n_batches = n_batches

    def scores(
        self, space: SearchSpace, kept: torch.Tensor, evidence: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the absolute value of the average slope."""
        return super().scores(space, kept, evidence).abs()


class Movement(SlopeCriterion):
    """Keep the weights that training drives away from zero.

    Parameters
    ----------
    smoothing : float, default=1.0
        Memory of the average over batches, in [0, 1]; 1 ranks as the sum over all
        batches since the start of the search does.
    n_batches : int, default=1
        Number of batches to see before the first cut.

    Notes
    -----
    Sanh et al. (2020): the sum of -w g over the steps. There a weight that was cut may
    come back: ``Gradual("movement", regrow=True)``.

    Examples
    --------
    >>> from sklearn_pb.methods import Gradual
    >>> Gradual("movement", regrow=True)
    Gradual(criterion='movement', regrow=True)
    """

    def __init__(self, *, smoothing: float = 1.0, n_batches: int = 1) -> None:
        self.smoothing = smoothing
        self.n_batches = n_batches

    def evidence(self, slope: torch.Tensor) -> torch.Tensor:
        """Return minus the slope."""
        return slope.neg()
