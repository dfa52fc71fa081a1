"""ProbMask and MJ: Concrete masks under a bound on the expected number of ones."""

from __future__ import annotations

from collections.abc import Callable

from ..constraints import Constraint, SparsityProjection, VelocityConstraint
from ..distributions import Parametrization, Relaxation
from ..schedules import LinearTemperature
from ._relaxed import Relaxed

Temperature = float | Callable[[float], float] | None


class ProbMask(Relaxed):
    """Probabilities themselves are trained, and projected onto a budget of ones.

    `Relaxed` with other defaults, and with `SparsityProjection` where no constraint is
    given; that one needs a sparsity.

    Parameters
    ----------
    relaxation : str or Relaxation, default="concrete"
        As for `Relaxed`.
    temperature : float, callable or None, default=LinearTemperature(1.0, 0.03)
        As for `Relaxed`; by default it falls linearly.
    parametrization : str or Parametrization, default="direct"
        As for `Relaxed`; by default the probabilities are what is trained.
    initial_probability : float, default=0.9
        Probability of a one at the start, in (0, 1).
    learning_rate : float, default=0.01
        Size of a step of the probabilities.
    smoothing : float, default=0.999
        Memory of the mean square that steps are divided by, in [0, 1).
    momentum : float, default=0.9
        Memory of the mean of the gradients, in [0, 1).
    shared_scale : bool, default=True
        As for `Relaxed`; False makes it Adam.
    saturation : float or None, default=8.0
        As for `Relaxed`; of no effect with the direct parametrization.

    Notes
    -----
    Zhou et al. (2021); Oh et al. (2023), section 4.1. As they do, probabilities start
    near one and the bound on their sum shrinks along a cubic; their step is Adam's with
    the rate 0.006, over 300 epochs.

    Examples
    --------
    >>> from sklearn_pb.methods import ProbMask
    >>> ProbMask().default_constraint()
    SparsityProjection()
    """

    def __init__(
        self,
        relaxation: str | Relaxation = "concrete",
        *,
        temperature: Temperature = LinearTemperature(1.0, 0.03),  # noqa: B008 (frozen)
        parametrization: str | Parametrization = "direct",
        initial_probability: float = 0.9,
        learning_rate: float = 0.01,
        smoothing: float = 0.999,
        momentum: float = 0.9,
        shared_scale: bool = True,
        saturation: float | None = 8.0,
    ) -> None:
        super().__init__(
            relaxation,
            temperature=temperature,
            parametrization=parametrization,
            initial_probability=initial_probability,
            learning_rate=learning_rate,
            smoothing=smoothing,
            momentum=momentum,
            shared_scale=shared_scale,
            saturation=saturation,
        )

    def default_constraint(self) -> Constraint:
        """Return the projection onto a shrinking number of expected ones."""
        return SparsityProjection()


class MJ(ProbMask):
    """Probabilities are trained, and their velocity brings them within a budget.

    `ProbMask` with `VelocityConstraint` where no constraint is given: probabilities may
    be outside the budget and outside [0, 1] for a while. It needs a sparsity.

    Parameters
    ----------
    relaxation : str or Relaxation, default="concrete"
        As for `Relaxed`.
    temperature : float, callable or None, default=LinearTemperature(1.0, 0.03)
        As for `Relaxed`; by default it falls linearly.
    parametrization : str or Parametrization, default="direct"
        As for `Relaxed`; by default the probabilities are what is trained.
    initial_probability : float, default=0.9
        Probability of a one at the start, in (0, 1).
    learning_rate : float, default=0.01
        Size of a step of the probabilities.
    smoothing : float, default=0.999
        Memory of the mean square that steps are divided by, in [0, 1).
    momentum : float, default=0.9
        Memory of the mean of the gradients, in [0, 1).
    shared_scale : bool, default=True
        As for `Relaxed`; False makes it Adam.
    saturation : float or None, default=8.0
        As for `Relaxed`; of no effect with the direct parametrization.

    Notes
    -----
    Oh et al. (2023), algorithm 1 and appendix B, named after Muehlebach and Jordan
    (2022). Appendix C steps with Adam and the rate 0.001, over 300 epochs.

    Examples
    --------
    >>> from sklearn_pb.methods import MJ
    >>> MJ(learning_rate=0.001).default_constraint()
    VelocityConstraint()
    """

    def default_constraint(self) -> Constraint:
        """Return the constraint on the velocity of the probabilities."""
        return VelocityConstraint()
