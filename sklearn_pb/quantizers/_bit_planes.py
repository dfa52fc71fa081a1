"""Weights as sums of bits that are real numbers while they are trained."""

from __future__ import annotations

import torch

from ._codes import power_of_two

MOST_MAGNITUDE_BITS = 15  # one less than a signed code of 16 bits
_CEILING = 2.0  # of a bit that is trained


class BitPlanes:
    """A tensor of weights, one plane of bits for each power of two and each sign.

    A weight is the step times :math:`\\sum_b 2^b (P_b - N_b)`, where the bits P of its
    positive and N of its negative part are real numbers in [0, 2].

    Parameters
    ----------
    planes : torch.Tensor of float32, shape (2, n_bits, *shape)
        P and N, lowest bits first.
    step : float
        What a code is multiplied by.

    Attributes
    ----------
    n_bits : int
        Number of planes; 0 is a tensor of zeros, for good.

    Notes
    -----
    Yang et al. (2021), section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers._bit_planes import BitPlanes
    >>> codes = torch.tensor([6, -2, 0], dtype=torch.int32)
    >>> planes = BitPlanes.from_codes(codes, 0.25)
    >>> planes.n_bits, planes.step  # no code is odd: one plane less, twice the step
    (2, 0.5)
    >>> planes.values()
    tensor([ 3., -1.,  0.])
    """

    def __init__(self, planes: torch.Tensor, step: float) -> None:
        self.planes = planes
        self.step = step
        self.n_bits = planes.shape[1]
        exponents = torch.arange(self.n_bits, dtype=torch.int32, device=planes.device)
        self._powers = power_of_two(_column(exponents, planes.dim() - 2))

    @classmethod
    def from_codes(cls, codes: torch.Tensor, step: float) -> BitPlanes:
        """Return the bits of whole numbers, without planes that nothing occupies.

        Parameters
        ----------
        codes : torch.Tensor of int32
            Of at most 15 bits and a sign.
        step : float
            What they are multiplied by.

        Returns
        -------
        planes : BitPlanes
            All bits are 0 or 1.
        """
        n_bits, shift = occupied_bits(codes)
        codes = codes >> shift
        exponents = torch.arange(n_bits, dtype=torch.int32, device=codes.device)
        digits = (codes.abs() >> _column(exponents, codes.dim())) & 1
        both = torch.stack([digits * (codes > 0), digits * (codes < 0)])
        return cls(both.to(torch.float32), step * 2**shift)

    def values(self) -> torch.Tensor:
        """Return the weights in units of their step.

        Returns
        -------
        values : torch.Tensor of float32
            Whole numbers only before anything has been trained.
        """
        return ((self.planes[0] - self.planes[1]) * self._powers).sum(0)

    def codes(self) -> torch.Tensor:
        """Return the values rounded to whole numbers.

        Returns
        -------
        codes : torch.Tensor of int32
            At most 15 bits and a sign.
        """
        limit = 2**MOST_MAGNITUDE_BITS - 1
        return self.values().round_().clamp_(-limit, limit).to(torch.int32)

    def move_(self, change: torch.Tensor) -> None:
        """Change the values by the least change of the bits that can still move.

        Parameters
        ----------
        change : torch.Tensor of float32
            In units of the step. A bit takes a part in proportion to its power, as in
            gradient descent; bits at 0 and 2 do not leave their range.
        """
        if not self.n_bits:
            return
        towards = torch.stack([change, -change]).unsqueeze(1)
        room = torch.where(towards > 0, self.planes < _CEILING, self.planes > 0)
        slopes = room * self._powers
        length = (slopes * slopes).sum((0, 1)).clamp_(min=1e-12)
        self.planes.add_(slopes.mul_(towards).div_(length)).clamp_(0.0, _CEILING)

    def shrink_(self, amount: float) -> None:
        """Take a proximal step of the group lasso, whose groups are the planes.

        Parameters
        ----------
        amount : float
            What the norm of each plane (positive and negative bits together) is made
            smaller by; a plane with less becomes zero.
        """
        if not self.n_bits:
            return
        norms = self.planes.square().transpose(0, 1).flatten(1).sum(1).sqrt_()
        factors = (1 - amount / norms.clamp(min=1e-12)).clamp_(min=0.0)
        self.planes.mul_(factors.view(self._powers.shape))


def _column(exponents: torch.Tensor, n_axes: int) -> torch.Tensor:
    return exponents.view(-1, *[1] * n_axes)


def occupied_bits(codes: torch.Tensor) -> tuple[int, int]:
    """Return how many bits magnitudes need without the zeros that all end with.

    Parameters
    ----------
    codes : torch.Tensor of int32
        Whole numbers.

    Returns
    -------
    n_bits : int
        From the lowest to the highest bit that any code has; 0 if all are zero.
    shift : int
        Number of zeros that all codes end with.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers._bit_planes import occupied_bits
    >>> occupied_bits(torch.tensor([12, -4, 0]))
    (2, 2)
    """
    sizes = codes[codes != 0].abs()
    if not sizes.numel():
        return 0, 0
    shift = int((sizes & -sizes).min()).bit_length() - 1
    return int(sizes.max()).bit_length() - shift, shift


def cheapest_cut(planes: BitPlanes) -> tuple[float, BitPlanes]:
    """Drop the highest or the lowest bit, whichever errs less.

    Parameters
    ----------
    planes : BitPlanes
        With at least one bit; left as it is.

    Returns
    -------
    error : float
        Sum of the squared changes of the weights.
    cut : BitPlanes
        With at least one bit less.
    """
    codes, step = planes.codes(), planes.step
    limit = 2 ** (planes.n_bits - 1) - 1
    clipped = codes.clamp(-limit, limit)
    halved = (codes / 2).round().clamp(-limit, limit).to(torch.int32)

    def error(approximation: torch.Tensor) -> float:
        return float((codes - approximation).double().square().sum()) * step**2

    low, high = error(halved * 2), error(clipped)
    if low <= high:
        return low, BitPlanes.from_codes(halved, 2 * step)
    return high, BitPlanes.from_codes(clipped, step)
