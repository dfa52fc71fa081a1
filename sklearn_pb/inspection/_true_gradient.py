"""The path of gradient descent on the true expected cost: a guide without noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..distributions import Parametrization, Sigmoid
from ..functions import PseudoBooleanFunction, tabulate
from ..gradients import exact
from ..utils import check_number

_MOST_VARIABLES = 16


@dataclass(frozen=True)
class GradientTrajectory:
    """Where gradient descent went.

    Parameters
    ----------
    logits : torch.Tensor of shape (n_steps + 1, d), or (n_steps + 1, 2, d)
        The free parameters, from the start on.
    costs : torch.Tensor of shape (n_steps + 1,)
        E[J].
    entropy : torch.Tensor of shape (n_steps + 1,)
        Entropy of z in nats; d log 2 where every bit is a fair coin.
    parametrization : Parametrization
        The map from logits to probabilities.
    """

    logits: torch.Tensor
    costs: torch.Tensor
    entropy: torch.Tensor
    parametrization: Parametrization


def true_gradient_trajectory(
    function: PseudoBooleanFunction,
    n_steps: int = 1000,
    learning_rate: float = 0.1,
    *,
    parametrization: Parametrization = Sigmoid(),  # noqa: B008 (a frozen value)
    logits: torch.Tensor | None = None,
) -> GradientTrajectory:
    """Descend E[J(z)] by its true gradient.

    Parameters
    ----------
    function : PseudoBooleanFunction
        J, with at most 16 variables: all 2^d costs are computed once.
    n_steps : int, default=1000
        Number of steps.
    learning_rate : float, default=0.1
        Size of a step: ``logits -= learning_rate * gradient``.
    parametrization : Parametrization, default=Sigmoid()
        The map from logits to probabilities.
    logits : torch.Tensor, default=None
        The start; None is where every probability is 1/2.

    Returns
    -------
    trajectory : GradientTrajectory
        In float64.

    Raises
    ------
    TypeError
        If a number is not of the wanted kind.
    ValueError
        If the function has too many variables or a number is out of its range.

    Notes
    -----
    Silva (2023), section 6.1.2: variances of estimators are compared at the same
    points, those of such a path with 10,000 steps from the middle of the hypercube.

    Examples
    --------
    >>> from sklearn_pb.functions import QuadraticFunction
    >>> from sklearn_pb.inspection import true_gradient_trajectory
    >>> path = true_gradient_trajectory(QuadraticFunction([[1.0]]), 100, 1.0)
    >>> [round(float(cost), 3) for cost in path.costs[[0, 50, 100]]]
    [0.5, 0.022, 0.011]
    """
    check_number(n_steps, "n_steps", low=1, integer=True)
    check_number(learning_rate, "learning_rate", low=0, low_open=True)
    table = tabulate(function, max_variables=_MOST_VARIABLES)
    if logits is None:
        middle = torch.full((table.n_variables,), 0.5, dtype=torch.float64)
        logits = parametrization.logits(middle)
    now = logits.detach().double().clone()
    path = [now.clone()]
    for _ in range(n_steps):
        now -= learning_rate * exact(table, now, parametrization=parametrization)[0]
        parametrization.constrain_(now)
        path.append(now.clone())
    theta = torch.stack([parametrization.probabilities(point) for point in path])
    return GradientTrajectory(
        torch.stack(path), table(theta), _entropy(theta), parametrization
    )


def _entropy(theta: torch.Tensor) -> torch.Tensor:
    """Entropy (m,) in nats of the rows of probabilities."""
    return (torch.special.entr(theta) + torch.special.entr(1 - theta)).sum(1)
