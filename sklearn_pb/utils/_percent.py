"""Fractions as people read them."""

from __future__ import annotations


def percent(fraction: float, decimals: int = 2) -> str:
    """Return a fraction as a percentage without needless zeros.

    Parameters
    ----------
    fraction : float
        1 is everything.
    decimals : int, default=2
        Most digits after the point.

    Returns
    -------
    text : str
        For example "99.5 %".

    Examples
    --------
    >>> from sklearn_pb.utils import percent
    >>> percent(0.95), percent(0.995), percent(1)
    ('95 %', '99.5 %', '100 %')
    """
    digits = f"{100 * fraction:.{decimals}f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits} %"
