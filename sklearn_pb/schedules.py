"""Schedules: frozen value objects that map training progress in [0, 1] to a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = [
    "CubicSparsity",
    "ExponentialSharpness",
    "ExponentialTemperature",
    "LinearSharpness",
    "LinearTemperature",
    "Staircase",
]


@dataclass(frozen=True)
class ExponentialSharpness:
    """The sharpness (inverse temperature) beta, growing exponentially from 1.

    Parameters
    ----------
    final : float, default=200.0
        Value at the end, greater than 0.

    Notes
    -----
    Savarese (2025), algorithm 1: beta is multiplied by ``final**(1/T)`` a step.

    Examples
    --------
    >>> from sklearn_pb.schedules import ExponentialSharpness
    >>> round(ExponentialSharpness(final=100.0)(0.5), 6)
    10.0
    """

    final: float = 200.0

    def __call__(self, progress: float) -> float:
        """Return beta.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        beta : float
            ``final**progress``.
        """
        return self.final**progress


@dataclass(frozen=True)
class LinearSharpness:
    """The sharpness (inverse temperature) beta, growing linearly from 1.

    Parameters
    ----------
    final : float, default=200.0
        Value at the end, greater than 0.

    Examples
    --------
    >>> from sklearn_pb.schedules import LinearSharpness
    >>> LinearSharpness(final=101.0)(0.5)
    51.0
    """

    final: float = 200.0

    def __call__(self, progress: float) -> float:
        """Return beta.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        beta : float
            ``1 + (final - 1) * progress``.
        """
        return 1 + (self.final - 1) * progress


@dataclass(frozen=True)
class LinearTemperature:
    """A temperature that falls linearly.

    Parameters
    ----------
    initial : float, default=1.0
        Value at the start, greater than 0.
    final : float, default=0.03
        Value at the end, greater than 0.

    Notes
    -----
    Zhou et al. (2021), with their values.

    Examples
    --------
    >>> from sklearn_pb.schedules import LinearTemperature
    >>> [round(LinearTemperature(1.0, 0.2)(t), 2) for t in (0.0, 0.5, 1.0)]
    [1.0, 0.6, 0.2]
    """

    initial: float = 1.0
    final: float = 0.03

    def __call__(self, progress: float) -> float:
        """Return the temperature.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        temperature : float
            ``initial + (final - initial) * progress``.
        """
        return self.initial + (self.final - self.initial) * progress


@dataclass(frozen=True)
class ExponentialTemperature:
    """A temperature that falls by the same factor at every step.

    Parameters
    ----------
    initial : float, default=1.0
        Value at the start, greater than 0.
    final : float, default=0.03
        Value at the end, greater than 0.

    Examples
    --------
    >>> from sklearn_pb.schedules import ExponentialTemperature
    >>> [round(ExponentialTemperature(1.0, 0.25)(t), 2) for t in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.25]
    """

    initial: float = 1.0
    final: float = 0.03

    def __call__(self, progress: float) -> float:
        """Return the temperature.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        temperature : float
            ``initial * (final / initial)**progress``.
        """
        return self.initial * (self.final / self.initial) ** progress


@dataclass(frozen=True)
class Staircase:
    """Another schedule, followed in stages: constant within each of them.

    Parameters
    ----------
    schedule : callable
        The schedule, such as ``ExponentialSharpness(200)``.
    n_stages : int
        Number of stages of equal length. The first has the value at progress 0, the
        last the value at progress 1.

    Notes
    -----
    Silva (2023), section B.1.2, changes the temperature of CP every 100 iterations.

    Examples
    --------
    >>> from sklearn_pb.schedules import ExponentialSharpness, Staircase
    >>> staircase = Staircase(ExponentialSharpness(final=100.0), n_stages=3)
    >>> [staircase(t) for t in (0.0, 0.3, 0.4, 0.7, 1.0)]
    [1.0, 1.0, 10.0, 100.0, 100.0]
    """

    schedule: Callable[[float], float]
    n_stages: int

    def __call__(self, progress: float) -> float:
        """Return the value of the stage.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        value : float
            That of the schedule at the progress which stands for the stage.
        """
        stage = min(int(progress * self.n_stages), self.n_stages - 1)
        return self.schedule(stage / (self.n_stages - 1) if self.n_stages > 1 else 1.0)


@dataclass(frozen=True)
class CubicSparsity:
    """Sparsity that rises fast and then slowly to its final value.

    Parameters
    ----------
    final : float
        Fraction of zeros at the end, in [0, 1).
    initial : float, default=0.0
        Fraction of zeros at the start.
    end : float, default=1.0
        Progress at which the final value is reached, in (0, 1].

    Notes
    -----
    Zhu and Gupta (2017); Silva (2023), equation (7.1).

    Examples
    --------
    >>> from sklearn_pb.schedules import CubicSparsity
    >>> [round(CubicSparsity(final=0.8)(t), 2) for t in (0.0, 0.5, 1.0)]
    [0.0, 0.7, 0.8]
    """

    final: float
    initial: float = 0.0
    end: float = 1.0

    def __call__(self, progress: float) -> float:
        """Return the sparsity.

        Parameters
        ----------
        progress : float
            Fraction of the steps done, in [0, 1].

        Returns
        -------
        sparsity : float
            The fraction of zeros to have at that moment.
        """
        left = max(0.0, 1.0 - progress / self.end)
        return self.final + (self.initial - self.final) * left**3
