"""The grid of SMOL: p bits of plus or minus one make a value, and an odd code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..utils import check_choice, check_number

MOST_BITS = 16  # codes of so many bits, and their values, are exact in float32
ROUNDINGS = ("floor", "round", "ceil")
SLACK = 1e-5  # bits; a float32 logit of a whole number of bits is less than that off


def quantize_smol(values: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Round values to the nearest that their number of bits can express.

    With p bits those are :math:`\\sum_{j=1}^p b_j 2^{1-j}` for
    :math:`b_j = \\pm 1`, which are the odd multiples of :math:`2^{1-p}` up to
    :math:`2 - 2^{1-p}`; with 0 bits it is 0. Of two that are equally near, the larger
    is taken, so that 0 becomes :math:`2^{1-p}`. Whatever lies outside the range becomes
    its end. The result is exact: no rounding error decides about a value.

    Over [-2, 2] the largest error is :math:`2^{1-p}`. At a single value more bits may
    be worse, because no number is a value of two precisions.

    Parameters
    ----------
    values : torch.Tensor of float32 or float64
        Weights in units of their scale, so that they lie in [-2, 2].
    bits : torch.Tensor
        Bits of each, whole numbers from 0 to 16 in a shape that broadcasts to that of
        the values.

    Returns
    -------
    quantized : torch.Tensor
        A new tensor like `values`. NaN stays NaN.

    Notes
    -----
    Savarese (2025), section 5.2.4, with zero bits as in zero precision allocation.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import quantize_smol
    >>> quantize_smol(torch.tensor([0.2, 0.2, 0.2, -5.0]), torch.tensor([0, 1, 2, 3]))
    tensor([ 0.0000,  1.0000,  0.5000, -1.7500])
    """
    unit = power_of_two(1 - bits.to(torch.int32)).to(values.dtype)
    return _odd_multiples(values, unit).mul_(unit)


def smol_codes(values: torch.Tensor, bits: torch.Tensor, largest: int) -> torch.Tensor:
    """Return the integers that stand for the nearest values of so many bits.

    A value v of p bits has the code :math:`v 2^{P-1}`, where P is the largest number of
    bits in the tensor: an odd number times :math:`2^{P-p}`. So one step,
    :math:`2^{1-P}`, serves all precisions, 0 stands for zero, and a code tells how many
    bits its value has. Codes are below :math:`2^P`: those of P = 1, 3 and 7 fit into
    signed integers of 2, 4 and 8 bits.

    Parameters
    ----------
    values : torch.Tensor of float32 or float64
        Weights in units of their scale; they are quantized as by `quantize_smol`.
    bits : torch.Tensor
        Bits of each, whole numbers from 0 to `largest` in a shape that broadcasts to
        that of the values.
    largest : int
        P, from 0 to 16.

    Returns
    -------
    codes : torch.Tensor of int32
        In the shape of the values.

    Raises
    ------
    TypeError
        If `largest` is not an integer.
    ValueError
        If `largest` is outside 0 to 16, bits are outside 0 to `largest`, or values are
        not finite.

    See Also
    --------
    bits_of_codes : How many bits the values of codes have.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import smol_codes
    >>> smol_codes(torch.tensor([0.2, 0.2, 0.2]), torch.tensor([0, 1, 2]), 2)
    tensor([0, 2, 1], dtype=torch.int32)
    """
    _check_largest(largest)
    if bits.numel() and not 0 <= int(bits.min()) <= int(bits.max()) <= largest:
        raise ValueError(
            f"bits from {int(bits.min())} to {int(bits.max())} must lie in "
            f"[0, largest={largest}]."
        )
    if not bool(torch.isfinite(values).all()):
        raise ValueError("values must be finite to have codes.")
    bits = bits.to(torch.int32)
    odd = _odd_multiples(values, power_of_two(1 - bits).to(values.dtype))
    return odd.mul_(power_of_two(largest - bits)).to(torch.int32)


def bits_of_codes(codes: torch.Tensor, largest: int) -> torch.Tensor:
    """Return how many bits the values of codes have.

    Parameters
    ----------
    codes : torch.Tensor of int
        What `smol_codes` returned.
    largest : int
        Its P, from 0 to 16.

    Returns
    -------
    bits : torch.Tensor of uint8
        In the shape of the codes; 0 for the code 0.

    Raises
    ------
    TypeError
        If `largest` is not an integer.
    ValueError
        If `largest` is outside 0 to 16, or a code is not below :math:`2^P`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import bits_of_codes
    >>> bits_of_codes(torch.tensor([-4, 3, -2, 0]), 3)
    tensor([1, 3, 2, 0], dtype=torch.uint8)
    """
    _check_largest(largest)
    codes = codes.to(torch.int32)
    if codes.numel() and int(codes.abs().max()) >= 2**largest:
        raise ValueError(
            f"codes up to {int(codes.abs().max())} must be below 2^largest, which is "
            f"{2**largest} for largest={largest}."
        )
    lowest = (codes & -codes).to(torch.float32)  # 2^(P - p), alone of the binary digits
    exponent = torch.frexp(lowest).exponent  # that of 2^k is k + 1
    return (largest + 1 - exponent).mul_(codes != 0).to(torch.uint8)


def zero_precision(
    values: torch.Tensor, bits: torch.Tensor, band: float = 1.0
) -> torch.Tensor:
    """Take the bits from those values that are as near to zero as to their code.

    These are the values of at most :math:`2^{-p}`, half of the smallest that p bits can
    express: there :math:`|w| \\le |w - q(w, p)|`, so that zero is no worse.

    Parameters
    ----------
    values : torch.Tensor
        Weights in units of their scale.
    bits : torch.Tensor of uint8
        Bits of each, in a shape that broadcasts to that of the values.
    band : float, default=1.0
        How many times larger a value may be. With more than 1, zero is worse for some.

    Returns
    -------
    bits : torch.Tensor of uint8
        In the shape of the values: as given, or 0.

    Notes
    -----
    Zero precision allocation, Savarese (2025), algorithm 5, with equality included as
    in the text.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import zero_precision
    >>> bits = torch.tensor(2, dtype=torch.uint8)
    >>> zero_precision(torch.tensor([0.2, 0.25, -0.26]), bits)
    tensor([0, 0, 2], dtype=torch.uint8)
    """
    half = power_of_two(-bits.to(torch.int32)).to(values.dtype)
    return bits.to(torch.uint8) * (values.abs() > band * half)


def real_precision(logits: torch.Tensor) -> torch.Tensor:
    """Return the bits that logits of noise stand for, before they are made whole.

    Parameters
    ----------
    logits : torch.Tensor
        s, where :math:`\\sigma(s)` is the amplitude of the noise.

    Returns
    -------
    bits : torch.Tensor
        :math:`1 + \\log_2(1 + e^{-s})`, at least 1, in the shape and type of the
        logits; differentiable, and finite for any finite logit.

    Notes
    -----
    Savarese (2025), equation 5.20 without the rounding.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import real_precision
    >>> real_precision(torch.tensor([0.0, 50.0]))
    tensor([2., 1.])
    """
    return 1.0 + torch.nn.functional.softplus(-logits) / math.log(2.0)


def precision_of_logits(
    logits: torch.Tensor,
    rounding: str = "floor",
    widths: Sequence[int] | None = None,
) -> torch.Tensor:
    """Return the whole number of bits that logits of noise stand for.

    Parameters
    ----------
    logits : torch.Tensor
        s, where :math:`\\sigma(s)` is the amplitude of the noise.
    rounding : {"floor", "round", "ceil"}, default="floor"
        Whether :math:`1 + \\log_2(1 + e^{-s})` becomes the next lower number of bits,
        as in the experiments of the source, the nearest (halves go up), as in its
        algorithm 5, or the next higher. Only with the last is the error of rounding
        within the noise that the weights were trained with.
    widths : sequence of int, default=None
        The numbers of bits to choose from, rising, such as ``(1, 2, 4, 8)``. None
        allows all from 1 to 16.

    Returns
    -------
    bits : torch.Tensor of uint8
        In the shape of the logits; the first or last of the widths for whatever lies
        beyond them.

    Raises
    ------
    TypeError
        If a width is not an integer.
    ValueError
        If `rounding` is unknown, widths do not rise or are outside 1 to 16, or a logit
        is NaN.

    Notes
    -----
    Savarese (2025), equation 5.20.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import precision_of_logits
    >>> logits = torch.tensor([-100.0, -3.0, -1.0, 1.0])
    >>> precision_of_logits(logits)
    tensor([16,  5,  2,  1], dtype=torch.uint8)
    >>> precision_of_logits(logits, "ceil", (1, 2, 4, 8))
    tensor([8, 8, 4, 2], dtype=torch.uint8)
    """
    check_choice(rounding, "rounding", ROUNDINGS)
    check_widths(widths)
    if bool(logits.isnan().any()):
        raise ValueError("logits have entries that are NaN.")
    allowed = tuple(widths) if widths is not None else range(1, MOST_BITS + 1)
    table = torch.tensor(list(allowed), dtype=torch.float64, device=logits.device)
    real = real_precision(logits.detach().double())
    if rounding == "floor":
        index = (torch.bucketize(real + SLACK, table, right=True) - 1).clamp_(min=0)
    elif rounding == "ceil":
        index = torch.bucketize(real - SLACK, table).clamp_(max=len(table) - 1)
    else:
        middles = (table[1:] + table[:-1]) / 2
        index = torch.bucketize(real, middles, right=True)
    return table.to(torch.uint8)[index]


def logits_of_bits(bits: torch.Tensor | float) -> torch.Tensor:
    """Return the logits of noise that stand for so many bits.

    Parameters
    ----------
    bits : torch.Tensor or float
        Any numbers from 1 up; whole ones need not be.

    Returns
    -------
    logits : torch.Tensor of float32
        :math:`-\\ln(2^{p-1} - 1)`, in the shape of the bits; infinite for 1 bit.

    Raises
    ------
    ValueError
        If bits are below 1 or not finite.

    Notes
    -----
    Savarese (2025), section 5.2.4, the inverse of `real_precision`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import logits_of_bits
    >>> logits_of_bits(torch.tensor([2.0, 8.0]))
    tensor([ 0.0000, -4.8442])
    """
    given = torch.as_tensor(bits).detach().double()
    if not bool(((given >= 1) & torch.isfinite(given)).all()):
        raise ValueError(f"bits={bits!r} must be finite and at least 1.")
    exponent = (given - 1.0) * math.log(2.0)
    # ln(e^x - 1) as x + ln(1 - e^-x), which no number of bits makes overflow
    logits = -exponent - torch.log(-torch.expm1(-exponent))
    return (logits + 0.0).to(torch.float32)  # the sum turns -0 into 0


def check_widths(widths: Sequence[int] | None) -> None:
    """Raise unless widths are whole numbers from 1 to 16 that rise.

    Parameters
    ----------
    widths : sequence of int or None
        Numbers of bits to choose from; None allows all.

    Raises
    ------
    TypeError
        If a width is not an integer.
    ValueError
        If there is none, one is out of range, or they do not rise.
    """
    if widths is None:
        return
    for width in widths:
        check_number(width, "widths", low=1, high=MOST_BITS, integer=True)
    if not widths or list(widths) != sorted(set(widths)):
        raise ValueError(
            f"widths={widths!r} must be at least one number of bits, each larger than "
            "the one before, such as (1, 2, 4, 8)."
        )


def power_of_two(exponents: torch.Tensor) -> torch.Tensor:
    """Return 2 to the power of whole numbers, to the last bit.

    Parameters
    ----------
    exponents : torch.Tensor of int32
        From -126 to 127.

    Returns
    -------
    powers : torch.Tensor of float32
        In the same shape. `torch.pow` may be one unit of the last place off.
    """
    return ((exponents + 127) << 23).view(torch.float32)


def _odd_multiples(values: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Return how many units the nearest values are: odd numbers, 0 for a unit of 2."""
    limit = 2.0 / unit - 1.0  # 2^p - 1
    lower = (values / (2.0 * unit)).floor_().mul_(2.0)  # the next even number below
    return lower.clamp_(-limit - 1.0, limit - 1.0).add_(1.0)


def _check_largest(largest: int) -> None:
    check_number(largest, "largest", low=0, high=MOST_BITS, integer=True)
