"""Multipliers of the nearest admissible velocity under a sum and a box."""

from __future__ import annotations

import torch

from ..utils import check_number
from ._clipped_sum import descend
from ._nearest_step import MultiplierSolver, nearest_step, price_rates
from ._simplex import check_like, check_positive, check_vector


@torch.no_grad()
def velocity_multipliers(
    displacement: torch.Tensor,
    point: torch.Tensor,
    total: float,
    *,
    alpha: float = 1.0,
    costs: torch.Tensor | None = None,
    metric: torch.Tensor | None = None,
    solver: str = "exact",
    n_iterations: int = 5,
    relaxation: float = 1.0,
) -> tuple[float, torch.Tensor]:
    """Return what turns a step into the nearest one that the constraints admit.

    At a point s, which may lie outside, the constraints g(s) = (total - sum_i c_i s_i;
    s; 1 - s) >= 0 are active where g_i(s) <= 0. The wanted displacement u of any
    optimizer becomes the nearest u' with ``grad g_i . u' >= -alpha g_i(s)`` for the
    active i, which is ``u' = u + (boxes - price * costs) / metric``.

    Parameters
    ----------
    displacement : torch.Tensor of shape (d,)
        The step u that the optimizer would take, in float32 or float64.
    point : torch.Tensor of shape (d,)
        The point s before the step.
    total : float
        What sum_i costs_i s_i may be at most; at least 0.
    alpha : float, default=1.0
        Fraction of a violation that the step removes, in (0, 1]. The constraints are
        linear, so an active one goes from g to at least (1 - alpha) g. Oh et al. bound
        the velocity u / gamma instead: with their rate, this is gamma times alpha.
    costs : torch.Tensor of shape (d,), default=None
        What each coordinate counts for, above 0; None is 1.
    metric : torch.Tensor of shape (d,), default=None
        Diagonal, above 0, of the metric in which u' is nearest; None is the Euclidean
        one. See the notes.
    solver : {"exact", "sor", "jacobi"}, default="exact"
        "exact" finds the price as a root, "sor" relaxes the sum and then the boxes as
        in equation (20), "jacobi" both from the last sweep as in (22).
    n_iterations : int, default=5
        Sweeps of "sor" and "jacobi", from multipliers of zero. Where the sum is not
        active there is nothing to iterate: boxes alone are exact at once.
    relaxation : float, default=1.0
        Their factor omega, in (0, 2). With equal costs and m of d coordinates held by
        an active side, "jacobi" converges below 2 / (1 + sqrt(m / d)).

    Returns
    -------
    price : float
        Multiplier of the sum, at least 0.
    boxes : torch.Tensor of shape (d,)
        Multipliers of the lower sides, at least 0, less those of the upper sides: no
        coordinate is at both.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or not finite.

    See Also
    --------
    VelocityConstraint : Confines the steps of a search in this way.

    Notes
    -----
    Oh et al. (2023), equations (2) to (7) and appendix A, after Muehlebach and Jordan
    (2022). Nothing larger than d is formed. For a given price each box clips one
    coordinate, so that the price is the root of a piecewise linear function. Finding
    it takes less time than five sweeps.

    The step from (20) to (22) in the paper replaces new multipliers by old ones, which
    makes (22) a projected Jacobi method. With equal costs and omega = 1 a sweep of it
    shrinks the error by sqrt(m / d) in the long run, a sweep of (20) by m / d. In a
    sparse mask m is most of d, and five sweeps leave much of the error.

    Let u = -gamma P grad f be the step of an optimizer with preconditioner P. The steps
    u' = 0 are those at which P grad f, with the Euclidean metric, or grad f, with the
    metric 1 / P, is balanced by the constraints. Only the latter satisfies the
    Karush-Kuhn-Tucker conditions of the problem. The Euclidean metric is the default
    all the same: it needs to know nothing of the optimizer, and where P is the inverse
    of a running root mean square, as in Adam, a coordinate that hardly has a gradient
    would take all of the correction in the metric 1 / P.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.constraints import velocity_multipliers
    >>> point = torch.tensor([0.0, 0.5, 1.0])
    >>> step = torch.tensor([-0.25, 0.25, 0.5])
    >>> price, boxes = velocity_multipliers(step, point, total=1.5)
    >>> price
    0.25
    >>> step + boxes - price
    tensor([0., 0., 0.])
    """
    _check(displacement, point, costs, metric)
    check_number(total, "total", low=0)
    check_number(alpha, "alpha", low=0, high=1, low_open=True)
    method = MultiplierSolver(solver, n_iterations, relaxation)
    method.check()
    if not bool(torch.isfinite(displacement + point).all()):
        raise ValueError("displacement and point must be finite, but they are not.")
    position = point + displacement
    moved, price = nearest_step(position, point, total, alpha, costs, metric, method)
    boxes = moved - descend(position, price, price_rates(costs, metric))
    return price, boxes if metric is None else boxes * metric


def _check(
    displacement: torch.Tensor,
    point: torch.Tensor,
    costs: torch.Tensor | None,
    metric: torch.Tensor | None,
) -> None:
    check_vector(displacement, "displacement")
    check_like(point, "point", displacement)
    for value, name in ((costs, "costs"), (metric, "metric")):
        if value is not None:
            check_positive(value, name, displacement)
