"""Schedules: frozen value objects that map training progress in [0, 1] to a number."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CubicSparsity", "ExponentialSharpness"]


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
