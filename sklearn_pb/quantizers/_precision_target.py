"""What precisions are to end with: so many bits, bytes or so much energy."""

from __future__ import annotations

from dataclasses import dataclass

UNITS = ("bits", "bytes", "energy")


@dataclass(frozen=True)
class PrecisionTarget:
    """A target, or the price of a bit where there is none.

    Parameters
    ----------
    value : float or None, default=None
        What to end with; None leaves it to the penalty.
    unit : {"bits", "bytes", "energy"}, default="bits"
        Mean bits a weight, bytes of the file of the quantized weights, or energy
        relative to a network with weights of one bit.
    penalty : float or None, default=None
        Price of one bit a weight on average, in units of the loss; where there is a
        target, the price that a run starts with. None takes the method's own.
    """

    value: float | None = None
    unit: str = "bits"
    penalty: float | None = None
