"""Uniform grids of signed codes: whole numbers with zero, odd numbers without."""

from __future__ import annotations

import torch

from ..utils import check_number
from ._codes import MOST_BITS, power_of_two, smol_codes


def uniform_step(largest: torch.Tensor, bits: torch.Tensor | int) -> torch.Tensor:
    """Return the step with which a symmetric grid reaches as far as the values.

    Parameters
    ----------
    largest : torch.Tensor
        The largest magnitude of the values: of shape (), or one an output channel.
    bits : torch.Tensor or int
        Bits of a code, sign included, from 2 to 16; as a tensor, in a shape that
        broadcasts with `largest`.

    Returns
    -------
    step : torch.Tensor of float32
        ``largest / (2^(bits - 1) - 1)``; 1 where `largest` is 0, because any step will
        do there but 0.

    Raises
    ------
    ValueError
        If bits are outside 2 to 16, or `largest` is negative or not finite.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import uniform_step
    >>> uniform_step(torch.tensor([3.5, 0.0]), 4)
    tensor([0.5000, 1.0000])
    """
    if not bool(((largest >= 0) & torch.isfinite(largest)).all()):
        raise ValueError("largest must be finite and not negative.")
    step = largest.to(torch.float32) / _highest_code(bits, largest)
    return torch.where(step > 0, step, torch.ones_like(step))


def uniform_codes(
    values: torch.Tensor,
    step: torch.Tensor,
    bits: torch.Tensor | int,
    *,
    symmetric: bool = True,
) -> torch.Tensor:
    """Return the nearest whole numbers of steps that signed codes can hold.

    Parameters
    ----------
    values : torch.Tensor
        The weights.
    step : torch.Tensor
        What a code is multiplied by; positive, in a shape that broadcasts to that of
        the values.
    bits : torch.Tensor or int
        Bits of a code, sign included, from 2 to 16; as a tensor, in a shape that
        broadcasts to that of the values.
    symmetric : bool, default=True
        Whether codes end at :math:`\\pm(2^{k-1} - 1)`. False uses
        :math:`-2^{k-1}` too, as LSQ does.

    Returns
    -------
    codes : torch.Tensor of int32
        In the shape of the values. Halves go to the even neighbour.

    Raises
    ------
    ValueError
        If bits are outside 2 to 16, a step is not positive, or values are not finite.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import uniform_codes
    >>> values = torch.tensor([-9.0, -0.6, 0.2, 1.2])
    >>> uniform_codes(values, torch.tensor(1.0), 2)
    tensor([-1, -1,  0,  1], dtype=torch.int32)
    >>> uniform_codes(values, torch.tensor(1.0), 2, symmetric=False)
    tensor([-2, -1,  0,  1], dtype=torch.int32)
    """
    if not bool((step > 0).all()):
        raise ValueError("step must be positive.")
    if not bool(torch.isfinite(values).all()):
        raise ValueError("values must be finite to have codes.")
    highest = _highest_code(bits, values)
    lowest = -highest if symmetric else -highest - 1.0
    return (values / step).round_().clamp_(lowest, highest).to(torch.int32)


def odd_codes(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Return the codes of the levels of DoReFa, which are odd numbers of half a step.

    The levels divide [-1, 1] evenly and include both ends; there is no zero among
    them. A code times `odd_step` is a level.

    Parameters
    ----------
    values : torch.Tensor of float32 or float64
        In [-1, 1]; what lies outside becomes an end.
    bits : int
        k, from 1 to 16: there are :math:`2^k` levels.

    Returns
    -------
    codes : torch.Tensor of int32
        :math:`2 \\, \\mathrm{round}((2^k - 1) (w + 1) / 2) - (2^k - 1)`, in the shape
        of the values. Halves go up.

    Raises
    ------
    TypeError
        If `bits` is not an integer.
    ValueError
        If `bits` is outside 1 to 16, or values are not finite.

    Notes
    -----
    Zhou et al. (2016), equation 9. It is the grid of SMOL in another unit.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import odd_codes
    >>> odd_codes(torch.tensor([-1.0, -0.2, 0.1, 0.9]), 2)
    tensor([-3, -1,  1,  3], dtype=torch.int32)
    """
    check_number(bits, "bits", low=1, high=MOST_BITS, integer=True)
    unit = 2.0 ** (1 - bits)
    return smol_codes(values * (2.0 - unit), torch.tensor(bits), bits)


def odd_step(bits: int) -> torch.Tensor:
    """Return what a code of `odd_codes` is multiplied by to be a level in [-1, 1].

    Parameters
    ----------
    bits : int
        k, from 1 to 16.

    Returns
    -------
    step : torch.Tensor of float32 and shape ()
        :math:`1 / (2^k - 1)`.

    Raises
    ------
    TypeError
        If `bits` is not an integer.
    ValueError
        If it is outside 1 to 16.

    Examples
    --------
    >>> from sklearn_pb.quantizers import odd_step
    >>> odd_step(3)
    tensor(0.1429)
    """
    check_number(bits, "bits", low=1, high=MOST_BITS, integer=True)
    return torch.tensor(1.0 / (2**bits - 1))


def _highest_code(bits: torch.Tensor | int, like: torch.Tensor) -> torch.Tensor:
    """Return 2^(bits - 1) - 1 as float32, on the device of another tensor."""
    whole = torch.as_tensor(bits, device=like.device).to(torch.int32)
    if whole.numel() and not 2 <= int(whole.min()) <= int(whole.max()) <= MOST_BITS:
        raise ValueError(f"bits={bits!r} must lie in [2, {MOST_BITS}].")
    return power_of_two(whole - 1) - 1.0
