"""The quadratic pull: logits drawn towards a value at which their variable is zero."""

from __future__ import annotations

import torch

from ..utils import check_number
from ._base import Constraint, Values
from ._l0_penalty import L0Penalty, L0Run
from ._quota import Quota


class QuadraticPull(Constraint):
    """Add ``strength * sum_i (r_i - centre)^2`` to the cost, r the logits.

    Unlike the price of an `L0Penalty` it does not fade where a mask saturates.

    Parameters
    ----------
    strength : float or "auto", default="auto"
        Weight of the squares, in units of the cost; "auto" takes a tenth of the mean
        gradient for the logits, measured at the first step. Where a sparsity is asked
        for, it is steered so that the mask reaches it, as the price of an `L0Penalty`
        is.
    centre : float, default=-1.0
        Where the logits are pulled to, in the units of the method.

    Notes
    -----
    Colombo and Gao (2021), equation (18), with their gamma and -1. The gradient is
    ``2 strength (r - centre)``; the sign printed in (17) would push the logits away.

    Examples
    --------
    >>> from sklearn_pb.constraints import QuadraticPull
    >>> QuadraticPull(strength=1e-4)
    QuadraticPull(strength=0.0001)
    """

    def __init__(self, strength: float | str = "auto", *, centre: float = -1.0) -> None:
        self.strength = strength
        self.centre = centre

    def check(self) -> None:
        """Raise if a setting is out of its range."""
        if self.strength != "auto":
            check_number(self.strength, "QuadraticPull.strength", low=0)
        check_number(self.centre, "QuadraticPull.centre")

    def start(self, quota: Quota, initial_density: float) -> QuadraticPullRun:
        """Begin a run under this constraint.

        Parameters
        ----------
        quota : Quota
            Where it says how many variables are kept, the strength is steered to that,
            in each group apart.
        initial_density : float
            Density of the mask at the start.

        Returns
        -------
        run : QuadraticPullRun
            What a search asks for the pull at every step.
        """
        self.check()
        steered = L0Penalty(self.strength)
        states = [steered.steer(initial_density, s) for s in quota.sparsities]
        return QuadraticPullRun(states, quota, float(self.centre))


class QuadraticPullRun(L0Run):
    """A run under `QuadraticPull`: a strength for each group of variables.

    Parameters
    ----------
    states : list of PenaltyState
        The strengths, one a group.
    quota : Quota
        The groups, and what each variable counts for.
    centre : float
        Where the logits are pulled to.
    """

    def __init__(self, states: list, quota: Quota, centre: float) -> None:
        super().__init__(states, quota)
        self._centre = centre

    def price(
        self, slopes: Values, kept: Values, progress: float, step_size: float
    ) -> float:
        """Return 0: the slope of the cost by the mask is left alone."""
        return 0.0

    def pull(
        self,
        logits: torch.Tensor,
        slopes: Values,
        kept: Values,
        progress: float,
        step_size: float,
    ) -> torch.Tensor:
        """Return the gradient of the squares, of the strength that is due now."""
        strength = super().price(slopes, kept, progress, step_size)
        if isinstance(strength, torch.Tensor):
            strength = strength.to(logits)
        return (logits - self._centre).mul_(2 * strength)
