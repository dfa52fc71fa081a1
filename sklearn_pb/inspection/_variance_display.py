"""Variances of gradient estimators along a trajectory, with its entropy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..functions import PseudoBooleanFunction
from ..gradients import GradientEstimate
from ..utils import check_number
from ._axes import COLORS, axes_for
from ._gradient_variance import gradient_variance
from ._true_gradient import GradientTrajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ESTIMATORS = ("reinforce", "loorf", "arms", "beta-star")


class VarianceDisplay:
    """Variances along a trajectory: a line an estimator, and the entropy behind them.

    Make one with `from_trajectory`.

    Parameters
    ----------
    steps : numpy.ndarray of shape (k,)
        Numbers of the steps looked at.
    variances : dict of str to numpy.ndarray of shape (k,)
        By the name of the estimator, the sum over the coordinates.
    entropy : numpy.ndarray of shape (k,)
        Entropy of z in nats.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Where the variances were drawn.
    entropy_ax_ : matplotlib.axes.Axes
        Its twin, where the entropy was.
    figure_ : matplotlib.figure.Figure
        The figure of the axes.
    lines_ : dict of str to matplotlib.lines.Line2D
        The line of each estimator.

    See Also
    --------
    gradient_variance : The same at one point, by coordinate.

    Examples
    --------
    >>> from sklearn_pb.functions import ExponentialTabularLoss
    >>> from sklearn_pb.inspection import VarianceDisplay, true_gradient_trajectory
    >>> J = ExponentialTabularLoss(3, random_state=0)
    >>> path = true_gradient_trajectory(J, n_steps=100)
    >>> display = VarianceDisplay.from_trajectory(J, path, n_samples=4, plot=False)
    >>> list(display.variances)
    ['reinforce', 'loorf', 'arms', 'beta-star']
    """

    def __init__(
        self,
        *,
        steps: np.ndarray,
        variances: dict[str, np.ndarray],
        entropy: np.ndarray,
    ) -> None:
        self.steps = steps
        self.variances = variances
        self.entropy = entropy

    @classmethod
    def from_trajectory(
        cls,
        function: PseudoBooleanFunction,
        trajectory: GradientTrajectory,
        estimators: Sequence[str] | dict[str, Callable[..., GradientEstimate]] = (
            _ESTIMATORS
        ),
        *,
        n_samples: int = 10,
        n_points: int = 50,
        method: str = "auto",
        n_repetitions: int = 1000,
        random_state: int | np.random.RandomState | None = None,
        ax: Axes | None = None,
        plot: bool = True,
        **kwargs: Any,
    ) -> VarianceDisplay:
        """Compute the variances at points of a trajectory, and draw them.

        Parameters
        ----------
        function : PseudoBooleanFunction
            J.
        trajectory : GradientTrajectory
            Where to look, as `true_gradient_trajectory` returns it.
        estimators : sequence of str or dict of str to callable
            Keys of `sklearn_pb.gradients.ESTIMATORS`, or estimators by name.
        n_samples : int, default=10
            Samples of one estimate.
        n_points : int, default=50
            How many points to look at, at least 2; the start and about as many in each
            decade of steps.
        method : {"auto", "exact", "sampled"}, default="auto"
            See `gradient_variance`.
        n_repetitions : int, default=1000
            Estimates drawn at each point, where variances are sampled.
        random_state : int, numpy.random.RandomState or None, default=None
            Seed of the draws.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        plot : bool, default=True
            False only computes.
        **kwargs : dict
            Passed on to every line of a variance.

        Returns
        -------
        display : VarianceDisplay
            Drawn, unless `plot` is False.
        """
        check_number(n_points, "n_points", low=2, integer=True)
        steps = _spread(len(trajectory.logits) - 1, n_points)
        named: dict[str, Any] = (
            estimators
            if isinstance(estimators, dict)
            else {name: name for name in estimators}
        )
        variances = {
            name: np.array(
                [
                    gradient_variance(
                        estimator,
                        function,
                        trajectory.logits[step],
                        n_samples,
                        parametrization=trajectory.parametrization,
                        method=method,
                        n_repetitions=n_repetitions,
                        random_state=random_state,
                    ).total
                    for step in steps
                ]
            )
            for name, estimator in named.items()
        }
        entropy = trajectory.entropy[steps].numpy()
        display = cls(steps=steps, variances=variances, entropy=entropy)
        return display.plot(ax=ax, **kwargs) if plot else display

    def plot(self, *, ax: Axes | None = None, **kwargs: Any) -> VarianceDisplay:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on to every line of a variance (`matplotlib.axes.Axes.plot`).

        Returns
        -------
        display : VarianceDisplay
            Drawn.
        """
        ax = axes_for(ax, self)
        behind = ax.twinx()
        behind.plot(self.steps, self.entropy, color="0.75", linestyle="--", linewidth=1)
        behind.set(ylabel="Entropy (nats, dashed)", ylim=(0, None))
        self.lines_ = {
            name: ax.plot(
                self.steps,
                values,
                **({"label": name, "color": COLORS[place % len(COLORS)]} | kwargs),
            )[0]
            for place, (name, values) in enumerate(self.variances.items())
        }
        ax.set(xlabel="Step", ylabel="Variance, summed over coordinates")
        ax.set_xscale("symlog", linthresh=1)
        if any((values > 0).any() for values in self.variances.values()):
            ax.set_yscale("log")
        for each in (ax, behind):
            each.spines["top"].set_visible(False)
        ax.legend(frameon=False)
        self.ax_, self.entropy_ax_, self.figure_ = ax, behind, ax.figure
        return self


def _spread(last: int, n_points: int) -> np.ndarray:
    """The start, and steps that are evenly spaced on a log axis."""
    later = np.geomspace(1, max(1, last), n_points - 1).round().astype(int)
    return np.unique([0, *later])
