"""Projection of the probabilities onto a bounded number of expected ones."""

from __future__ import annotations

import torch

from ._capped import CappedConstraint, CappedRun, Schedule
from ._quota import Quota
from ._simplex import project


class SparsityProjection(CappedConstraint):
    """Keep the expected number of ones within a bound, after every step.

    The probabilities move to the nearest point of {theta in [0, 1]^d :
    sum_i c_i theta_i <= K}, for each group of the quota apart. K is (1 - sparsity) of
    the sum of the costs c, and shrinks to that from where the search starts.

    Parameters
    ----------
    sparsity : float, default=None
        Fraction of expected zeros, in [0, 1), which the mask then ends with exactly;
        None takes that of the quota.
    schedule : {"cubic"} or callable or None, default="cubic"
        How the bound gets there. "cubic" follows `CubicSparsity`; a callable maps the
        progress of the search to the fraction of the way that is gone, both in
        [0, 1]; None sets the final bound from the start.
    end : float, default=0.6
        Progress at which "cubic" arrives, in (0, 1].

    See Also
    --------
    VelocityConstraint : Approaches the same bound instead of jumping to it.
    project_capped_simplex : The projection itself.

    Notes
    -----
    ProbMask (Zhou et al., 2021) trains Concrete masks under this constraint, with the
    cubic schedule: Oh et al. (2023), equation (9) and section 4.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import Quota, SparsityProjection
    >>> constraint = SparsityProjection(sparsity=0.5, schedule=None)
    >>> run = constraint.start(Quota([4]), initial_density=0.5)
    >>> theta = torch.tensor([1.5, 0.75, 0.5, -0.25])
    >>> run.confine_(theta, theta.clone(), progress=0.0)
    tensor([1.0000, 0.6250, 0.3750, 0.0000])
    """

    def __init__(
        self,
        sparsity: float | None = None,
        *,
        schedule: Schedule = "cubic",
        end: float = 0.6,
    ) -> None:
        self.sparsity = sparsity
        self.schedule = schedule
        self.end = end

    def start(self, quota: Quota, initial_density: float) -> CappedRun:
        """Begin a run under this constraint.

        Parameters
        ----------
        quota : Quota
            Groups, costs, and the sparsity, unless that is open and this constraint has
            its own.
        initial_density : float
            Mean probability at the start, from which the bound shrinks.

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
        return ProjectionRun(self.totals(quota, initial_density), quota)


class ProjectionRun(CappedRun):
    """A run under `SparsityProjection`."""

    def _confined(
        self,
        position: torch.Tensor,
        before: torch.Tensor,
        total: float,
        costs: torch.Tensor | None,
        start: float,
    ) -> tuple[torch.Tensor, float]:
        return project(position, total, costs, start, self._scratch)
