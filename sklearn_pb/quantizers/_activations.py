"""How activations are quantized: hyperparameters, as an estimator takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sklearn.base import BaseEstimator

from ..utils import check_choice, check_number
from ._codes import MOST_BITS, ROUNDINGS, check_widths

UNIT_GROUPS = ("unit", "channel", "layer")


class Activations(BaseEstimator, ABC):
    """Hyperparameters of a way to quantize activations."""

    @abstractmethod
    def check(self) -> None:
        """Raise a clear error if a hyperparameter is out of its range."""


class PACT(Activations):
    """Clip activations to a range that is learned, and round them to even levels.

    Parameters
    ----------
    bits : int, default=4
        There are :math:`2^{bits}` levels, both ends of the range included; from 1 to
        16.
    initial_range : float, default=None
        The :math:`\\alpha` that outputs of ReLU are clipped at in the beginning. None
        takes their largest value in a first batch of each layer.
    decay : float, default=1e-4
        The loss has :math:`\\frac{decay}{2} \\alpha^2` for each layer.

    Notes
    -----
    Choi et al. (2018), equations 1 to 3. The gradient takes rounding for the identity:
    :math:`\\alpha` has that of the outputs that were clipped. Sigmoid has the range
    [0, 1] and tanh [-1, 1]; ReLU6 is clipped at no more than 6.

    Examples
    --------
    >>> from sklearn_pb.quantizers import PACT
    >>> PACT(bits=3)
    PACT(bits=3)
    """

    def __init__(
        self,
        bits: int = 4,
        *,
        initial_range: float | None = None,
        decay: float = 1e-4,
    ) -> None:
        self.bits = bits
        self.initial_range = initial_range
        self.decay = decay

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(self.bits, "bits", low=1, high=MOST_BITS, integer=True)
        _check_range(self.initial_range, self.decay)


class SmolActivations(Activations):
    """Learn the precisions of activations by noise, then round them (SMOL-A).

    Parameters
    ----------
    initial_bits : float, default=8.0
        Bits of each activation at the start, above 1.
    target_bits : float, default=None
        Mean bits an activation to end with; None leaves them to the penalty.
    penalty : float, default=None
        Price of one bit an activation on average, in units of the loss. None is 0.02;
        where there is a target, that is the price at the start.
    granularity : {"unit", "channel", "layer"}, default="unit"
        Which activations share a precision: none, as in the source; those of a channel,
        which does not fix the size of images; or all of a layer.
    rounding : {"floor", "round", "ceil"}, default="floor"
        How a real number of bits becomes a whole one.
    widths : tuple of int, default=None
        The widths that may be used, rising; None allows all from 1 to 16.
    initial_range : float, default=None
        As of `PACT`, which clips the outputs of ReLU.
    decay : float, default=1e-4
        As of `PACT`.

    Notes
    -----
    Savarese (2025), section 5.4.3: the search runs with
    :math:`u + \\frac{M}{2} \\sigma(s) \\epsilon` for an activation u of range M,
    and noise :math:`\\epsilon` uniform in [-1, 1]. Then p bits are :math:`2^p` even
    levels over the range. With a target the price follows the mean of bits, and in the
    end all s are shifted by the one number with which the whole bits meet it.

    Examples
    --------
    >>> from sklearn_pb.quantizers import SmolActivations
    >>> SmolActivations(target_bits=3)
    SmolActivations(target_bits=3)
    """

    def __init__(
        self,
        *,
        initial_bits: float = 8.0,
        target_bits: float | None = None,
        penalty: float | None = None,
        granularity: str = "unit",
        rounding: str = "floor",
        widths: tuple[int, ...] | None = None,
        initial_range: float | None = None,
        decay: float = 1e-4,
    ) -> None:
        self.initial_bits = initial_bits
        self.target_bits = target_bits
        self.penalty = penalty
        self.granularity = granularity
        self.rounding = rounding
        self.widths = widths
        self.initial_range = initial_range
        self.decay = decay

    def check(self) -> None:
        """Raise if a hyperparameter is out of its range."""
        check_number(
            self.initial_bits, "initial_bits", low=1, high=MOST_BITS, low_open=True
        )
        if self.target_bits is not None:
            check_number(self.target_bits, "target_bits", low=1, high=MOST_BITS)
        if self.penalty is not None:
            check_number(self.penalty, "penalty", low=0)
        check_choice(self.granularity, "granularity", UNIT_GROUPS)
        check_choice(self.rounding, "rounding", ROUNDINGS)
        check_widths(self.widths)
        _check_range(self.initial_range, self.decay)


def _check_range(initial_range: float | None, decay: float) -> None:
    if initial_range is not None:
        check_number(initial_range, "initial_range", low=0, low_open=True)
    check_number(decay, "decay", low=0)
