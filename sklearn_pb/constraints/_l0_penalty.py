"""The L0 penalty: a price on every expected one, fixed or steered to a density."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from ..schedules import CubicSparsity
from ..utils import check_number
from ._base import Constraint, ConstraintRun, Values
from ._quota import Quota
from ._steering import steered_price

_AUTO = 0.1  # first price, in units of the mean slope of the cost
_TRAVEL = 40.0  # how far log(price) can drift over a whole search
_DAMPING = 3.0  # reaction of log(price) to a change of the density error
_SETTLED_BY = 0.6  # progress at which the target density should be reached
_REACH = 60.0  # log(price) stays this close to where it began


class L0Penalty(Constraint):
    """Add ``strength * E[sum_i z_i]`` to the cost.

    Parameters
    ----------
    strength : float or "auto", default="auto"
        The price of one expected one, in units of the cost; "auto" takes a tenth of
        the mean slope of the cost by the mask, measured at the first step. Where a
        sparsity is asked for, this is only where the steering starts.

    Notes
    -----
    The closed form of the expectation is used, sum_i theta_i, not samples of it:
    Silva (2023), equation (7.4); Savarese (2025), equation (4.13) with p = 1.

    Examples
    --------
    >>> from sklearn_pb.constraints import L0Penalty
    >>> L0Penalty(strength=1e-4)
    L0Penalty(strength=0.0001)
    """

    def __init__(self, strength: float | str = "auto") -> None:
        self.strength = strength

    def check(self) -> None:
        """Raise if `strength` is neither "auto" nor a number, at least 0."""
        if self.strength != "auto":
            check_number(self.strength, "L0Penalty.strength", low=0)

    def start(self, quota: Quota, initial_density: float) -> L0Run:
        """Begin a run under this penalty.

        Parameters
        ----------
        quota : Quota
            Where it says how many variables are kept, the price is steered to that,
            in each group apart.
        initial_density : float
            Density of the mask at the start.

        Returns
        -------
        run : L0Run
            What a search asks for the price at every step.
        """
        states = [self.steer(initial_density, s) for s in quota.sparsities]
        return L0Run(states, quota)

    def steer(
        self, initial_density: float, sparsity: float | None = None
    ) -> PenaltyState:
        """Return the price of one group of variables.

        Parameters
        ----------
        initial_density : float
            Density of the mask at the start.
        sparsity : float, default=None
            Fraction of zeros to steer to; None keeps the strength fixed.

        Returns
        -------
        state : PenaltyState
            The price while a search runs.

        Raises
        ------
        TypeError, ValueError
            If `strength` is neither "auto" nor a number, at least 0.
        """
        self.check()
        target = None
        if sparsity is not None:
            target = CubicSparsity(sparsity, 1 - initial_density, end=_SETTLED_BY)
        strength = None if self.strength == "auto" else float(self.strength)
        return PenaltyState(strength, target)


class L0Run(ConstraintRun):
    """A run under `L0Penalty`: a price for each group of variables.

    Parameters
    ----------
    states : list of PenaltyState
        The prices, one a group.
    quota : Quota
        The groups, and what each variable counts for.
    """

    def __init__(self, states: list[PenaltyState], quota: Quota) -> None:
        self._states = states
        self._groups = Quota(quota.sizes, costs=quota.costs)
        self._sizes = list(quota.sizes)
        self._costs = quota.costs

    @property
    def strength(self) -> float | None:  # type: ignore[override]
        """The price of a one, averaged over groups."""
        return sum(s.strength or 0.0 for s in self._states) / len(self._states)

    @property
    def is_uniform_price(self) -> bool:
        """Whether there is one group, of variables that count alike."""
        return len(self._states) == 1 and self._costs is None

    def price(
        self, slopes: Values, kept: Values, progress: float, step_size: float
    ) -> torch.Tensor | float:
        """Return the price of a one now: a number, or one a variable.

        The first call measures the slopes, later ones follow the density.
        """
        if self.is_uniform_price:
            density = partial(_mean, kept)
            return self.uniform_price(slopes, density, progress, step_size)
        if not self._states[0].calibrated:
            for state, mean in self._means(slopes()):
                state.calibrate(mean)
        elif self._states[0].target is not None:
            for state, mean in self._means(kept(), weighted=True):
                state.follow(mean, progress, step_size)
        prices = [state.strength or 0.0 for state in self._states]
        by_variable = torch.repeat_interleave(
            torch.tensor(prices), torch.tensor(self._sizes)
        )
        return by_variable if self._costs is None else by_variable * self._costs

    def uniform_price(
        self,
        slopes: Values,
        density: Callable[[], float],
        progress: float,
        step_size: float,
    ) -> float:
        """Return the price of every one, where there is one group."""
        (state,) = self._states
        if not state.calibrated:
            state.calibrate(_mean(slopes))
        elif state.target is not None:
            state.follow(density(), progress, step_size)
        return state.strength or 0.0

    def _means(
        self, values: torch.Tensor, weighted: bool = False
    ) -> Iterator[tuple[PenaltyState, float]]:
        """The mean of each group; weighted, of what its variables count for."""
        quota = self._groups if weighted else Quota(self._sizes)
        return zip(self._states, quota.group_means(values), strict=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each group's price."""
        return {"groups": [state.state_dict() for state in self._states]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        for group, saved in zip(self._states, state["groups"], strict=True):
            group.load_state_dict(saved)


def _mean(values: Values) -> float:
    return float(values().mean())


@dataclass
class PenaltyState:
    """The strength of a penalty while a search runs.

    With a target, it is steered by the log of the ratio of the density to where it
    should be by now.

    Parameters
    ----------
    strength : float or None
        The price of one expected one; None until `calibrate` sets it.
    target : CubicSparsity or None
        The sparsity to have at each moment; None keeps the strength fixed.
    """

    strength: float | None
    target: CubicSparsity | None
    _origin: float = field(default=math.nan, repr=False)
    _error: float = field(default=0.0, repr=False)

    @property
    def calibrated(self) -> bool:
        """Whether the first strength is fixed, so that `follow` can start."""
        if self.target is None:
            return self.strength is not None
        return not math.isnan(self._origin)

    def calibrate(self, slope: float) -> None:
        """Fix the first strength from the size of the cost's own gradient.

        Parameters
        ----------
        slope : float
            Mean absolute slope of the cost by a mask variable.
        """
        if self.strength is None or (self.strength == 0 and self.target is not None):
            self.strength = _AUTO * max(slope, 1e-30)
        if self.target is not None and math.isnan(self._origin):
            self._origin = math.log(self.strength)

    def follow(self, density: float, progress: float, step_size: float) -> None:
        """Adapt the strength to the density of the mask.

        Parameters
        ----------
        density : float
            Expected fraction of ones, in [0, 1].
        progress : float
            Fraction of the search done, in [0, 1].
        step_size : float
            Fraction of the search that one step is.
        """
        if self.target is None or self.strength is None or math.isnan(self._origin):
            return
        wanted = 1 - self.target(progress)
        error = math.log(max(density, 1e-9) / max(wanted, 1e-9))
        self.strength = steered_price(
            self.strength,
            error,
            self._error,
            travel=_TRAVEL * step_size,
            damping=_DAMPING,
            origin=self._origin,
            reach=_REACH,
        )
        self._error = error

    def state_dict(self) -> dict[str, float | None]:
        """Return what is needed to go on later.

        Returns
        -------
        state : dict
            Plain numbers.
        """
        return {
            "strength": self.strength,
            "origin": self._origin,
            "error": self._error,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from a saved state.

        Parameters
        ----------
        state : dict
            What `state_dict` returned.
        """
        self.strength = state["strength"]
        self._origin = state["origin"]
        self._error = state["error"]
