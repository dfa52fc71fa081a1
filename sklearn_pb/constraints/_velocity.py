"""Multipliers of the nearest admissible velocity under a sum and a box."""

from __future__ import annotations

import torch

from ..utils import check_number
from ._nearest_step import MultiplierSolver, descended, nearest_step
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
    s; 1 - s) >= 0 are active where g_i(s) <= 0. The wanted displacement u = -gamma P
    grad f of any optimizer becomes the nearest u' with ``grad g_i . u' >= -alpha g_i(s)``
    for the active i. That is ``u' = u + (boxes - price * costs) / metric``.

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
        linear, so that an active one goes from g to at least (1 - alpha) g. In terms
        of the step size gamma and of the rate alpha of Oh et al., which constrain the
        velocity u / gamma, this is gamma times alpha.
    costs : torch.Tensor of shape (d,), default=None
        What each coordinate counts for, above 0; None is 1.
    metric : torch.Tensor of shape (d,), default=None
        Diagonal, above 0, of the metric in which u' is nearest; None is the Euclidean
        one. See the notes.
    solver : {"exact", "sor", "jacobi"}, default="exact"
        "exact" finds the price as a root, "sor" sweeps over the sum and then the boxes
        as in equation (20), "jacobi" updates both from the last sweep as in (22).
    n_iterations : int, default=5
        Sweeps of "sor" and "jacobi".
    relaxation : float, default=1.0
        Their factor omega, in (0, 2). "jacobi" converges only below
        2 / (1 + sqrt(m / d)), where m of d boxes are active (for equal costs).

    Returns
    -------
    price : float
        Multiplier of the sum, at least 0.
    boxes : torch.Tensor of shape (d,)
        Multipliers of the lower bounds, at least 0, less those of the upper bounds: no
        coordinate is at both.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or not finite.

    Notes
    -----
    Oh et al. (2023), equations (2) to (7) and appendix A, after Muehlebach and Jordan
    (2022). Nothing larger than d is formed. For a given price each box is a clip of one
    coordinate, so the price is the root of a piecewise linear equation, and the exact
    multipliers cost little more than a few sweeps. The step from (20) to (22) in the
    paper replaces new multipliers by old ones, so (22) is a projected Jacobi method: its
    error shrinks by sqrt(m / d) a sweep, that of (20) by m / d, both with omega = 1.
    Since the boxes at zero are most of d in a sparse mask, five sweeps leave much of it.

    With a preconditioned step, u = -gamma P grad f, only the metric 1/P has the points
    that satisfy the Karush-Kuhn-Tucker conditions of the problem as its fixed points:
    u' = 0 means P grad f = gradients of g x multipliers with the Euclidean one, and
    grad f = those with 1/P. The Euclidean metric is the default all the same. It needs
    to know nothing of the optimizer, the projection after an adaptive step has the same
    property, and where the preconditioner is the inverse of a running mean square, as
    in Adam, a coordinate with hardly any gradient would take all of the correction.

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
    boxes = moved - descended(position, price, costs, metric)
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
