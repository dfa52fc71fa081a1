"""Steps whose velocity is constrained: the MJ algorithm of pruning."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..utils import check_number
from ._capped import CappedConstraint, CappedRun, Schedule, Totals
from ._nearest_step import MultiplierSolver, nearest_step
from ._quota import Quota

_TENTHS = 10.0  # with alpha="auto", violations shrink by e in a tenth of the search


class VelocityConstraint(CappedConstraint):
    """Let probabilities violate their bounds, but only move them towards these.

    A step of the optimizer becomes the nearest one that removes at least the fraction
    `alpha` of each violation of ``sum_i c_i theta_i <= K`` and ``0 <= theta <= 1``. A
    bound that is not reached yet does not act, so that a step may go beyond it. The
    bound on the sum counts for each group of the quota apart.

    Parameters
    ----------
    sparsity : float, default=None
        Fraction of expected zeros, in [0, 1), which the mask then ends with exactly: K
        is (1 - sparsity) of the sum of the costs c. None takes that of the quota.
    alpha : float or "auto", default="auto"
        Fraction of a violation that one step removes, in (0, 1]. "auto" follows from
        the number of steps: a violation shrinks by a factor e in each tenth of the
        search, whatever the step size.
    schedule : {"cubic"} or callable or None, default=None
        How the bound reaches K, as in `SparsityProjection`; None: it is K from the
        start, and `alpha` sets the pace.
    end : float, default=0.6
        Progress at which "cubic" arrives, in (0, 1].
    solver : {"exact", "sor", "jacobi"}, default="exact"
        How the multipliers are found, see `velocity_multipliers`.
    n_iterations : int, default=5
        Sweeps of "sor" and "jacobi".
    relaxation : float, default=1.0
        Their relaxation factor, in (0, 2).

    See Also
    --------
    SparsityProjection : Jumps to the nearest point within the bound.
    velocity_multipliers : What pushes a step back.

    Notes
    -----
    Oh et al. (2023), algorithm 1. They bound the velocity and we the displacement, so
    that `alpha` is their gamma times alpha. Taken literally, their gamma = 0.001 and
    alpha = 0.01 would remove 44 % of a violation in the 300 epochs of 196 steps that
    they train for. "auto" does not depend on such units.

    The nearest step is meant in the Euclidean metric of the probabilities. The step may
    come from any optimizer; `velocity_multipliers` says what that means for the points
    where the search comes to rest.

    Probabilities may leave [0, 1] where the parametrization allows it, and are to be
    clamped before they are sampled from.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import Quota, VelocityConstraint
    >>> constraint = VelocityConstraint(sparsity=0.5, alpha=0.5)
    >>> run = constraint.start(Quota([4]), initial_density=0.75)
    >>> theta = torch.tensor([1.0, 0.75, 0.75, 0.5])
    >>> step = torch.tensor([0.5, 0.25, 0.0, -0.25])
    >>> moved = run.confine_(theta + step, theta, progress=0.0)
    >>> moved, moved.sum()  # half of the one that was too much is gone
    (tensor([1.0000, 0.8333, 0.5833, 0.0833]), tensor(2.5000))
    """

    def __init__(
        self,
        sparsity: float | None = None,
        *,
        alpha: float | str = "auto",
        schedule: Schedule = None,
        end: float = 0.6,
        solver: str = "exact",
        n_iterations: int = 5,
        relaxation: float = 1.0,
    ) -> None:
        self.sparsity = sparsity
        self.alpha = alpha
        self.schedule = schedule
        self.end = end
        self.solver = solver
        self.n_iterations = n_iterations
        self.relaxation = relaxation

    def check(self) -> None:
        """Raise a clear error if a setting is out of its range."""
        super().check()
        name = type(self).__name__
        if self.alpha != "auto":
            check_number(self.alpha, f"{name}.alpha", low=0, high=1, low_open=True)
        self._solver().check(f"{name}.")

    def _solver(self) -> MultiplierSolver:
        return MultiplierSolver(self.solver, self.n_iterations, self.relaxation)

    def start(self, quota: Quota, initial_density: float) -> VelocityRun:
        """Begin a run under this constraint.

        Parameters
        ----------
        quota : Quota
            Groups, costs, and the sparsity, unless that is open and this constraint has
            its own.
        initial_density : float
            Mean probability at the start, from which a schedule starts.

        Returns
        -------
        run : ConstraintRun
            It confines.

        Raises
        ------
        TypeError, ValueError
            If a setting is out of its range, no sparsity is known, or that of the quota
            is another one.
        """
        totals = self.totals(quota, initial_density)
        alpha = None if isinstance(self.alpha, str) else self.alpha
        return VelocityRun(totals, quota, alpha, self._solver())


class VelocityRun(CappedRun):
    """A run under `VelocityConstraint`.

    Parameters
    ----------
    totals : Totals
        What the groups may sum to.
    quota : Quota
        Sizes of the groups and costs.
    alpha : float or None
        Fraction of a violation that a step removes; None follows the progress.
    solver : MultiplierSolver
        How the multipliers are found.
    """

    def __init__(
        self,
        totals: Totals,
        quota: Quota,
        alpha: float | None,
        solver: MultiplierSolver,
    ) -> None:
        super().__init__(totals, quota)
        self._alpha = alpha
        self._solver = solver
        self._progress = 0.0
        self._removed = 0.0

    def confine_(
        self, position: torch.Tensor, before: torch.Tensor, progress: float
    ) -> torch.Tensor:
        """Correct a step of the probabilities, in place; see `CappedRun`."""
        gone = max(0.0, progress - self._progress)
        self._removed = -math.expm1(-_TENTHS * gone)
        if self._alpha is not None:
            self._removed = self._alpha
        self._progress = progress
        return super().confine_(position, before, progress)

    def _confined(
        self,
        position: torch.Tensor,
        before: torch.Tensor,
        total: float,
        costs: torch.Tensor | None,
        start: float,
    ) -> tuple[torch.Tensor, float]:
        return nearest_step(
            position,
            before,
            total,
            self._removed,
            costs,
            None,
            self._solver,
            start,
            self._scratch,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the prices and how far the search had come."""
        return {**super().state_dict(), "progress": self._progress}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self._progress = state["progress"]
