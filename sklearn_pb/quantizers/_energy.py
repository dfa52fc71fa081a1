"""What multiplications with weights of few bits cost in power and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

# What the first bit, the second, and each further one adds, in units of the first.
POWER = (1.0, 1.41, 1.42)
LATENCY = (1.0, 0.91, 0.19)


@dataclass(frozen=True)
class EnergyEstimate:
    """Cost of the multiplications of a network, relative to weights of one bit.

    Parameters
    ----------
    power : float
        Mean power of a multiplication.
    latency : float
        Mean time of a multiplication.
    summed_energy : float
        Mean of the products of power and time of each multiplication. It is what
        multiplications cost that run one after another.

    Examples
    --------
    >>> from sklearn_pb.quantizers import EnergyEstimate
    >>> EnergyEstimate(power=2.41, latency=1.91, summed_energy=4.6031).energy
    4.6031...
    """

    power: float
    latency: float
    summed_energy: float

    @property
    def energy(self) -> float:
        """Mean power times mean time, as in Savarese (2025), section 5.4.4.

        Where precisions differ this is less than `summed_energy`.
        """
        return self.power * self.latency


def multiplier_power(bits: torch.Tensor) -> torch.Tensor:
    """Return the power of multiplying a weight with an activation of four bits.

    Parameters
    ----------
    bits : torch.Tensor
        Bits of the weight, at least 0; between whole numbers the power is
        interpolated, so that it can be differentiated.

    Returns
    -------
    power : torch.Tensor
        Relative to a weight of one bit, in the shape of the bits: 0, 1, 2.41, 3.83 for
        0 to 3 bits, and 1.42 for each further bit.

    Notes
    -----
    Savarese (2025), section 5.4.4, gives the numbers for 2 and 3 bits, which are
    estimates for multipliers made of ripple-carry adders. There a bit is one more row
    of partial products and one more adder, the same for each, as 1.41 and 1.42
    confirm; more bits are extrapolated by that rule. A weight without bits needs no
    multiplication. Adding up the products costs the same for all precisions and is left
    out, as is the control that mixed precisions need (about a quarter more).

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import multiplier_power
    >>> multiplier_power(torch.tensor([0, 1, 2, 3, 8]))
    tensor([ 0.0000,  1.0000,  2.4100,  3.8300, 10.9300])
    """
    return _piecewise_linear(bits, POWER)


def multiplier_latency(bits: torch.Tensor) -> torch.Tensor:
    """Return the time to multiply a weight with an activation of four bits.

    Parameters
    ----------
    bits : torch.Tensor
        Bits of the weight, at least 0; interpolated between whole numbers.

    Returns
    -------
    latency : torch.Tensor
        Relative to a weight of one bit, in the shape of the bits: 0, 1, 1.91, 2.10 for
        0 to 3 bits, and 0.19 for each further bit.

    Notes
    -----
    Savarese (2025), section 5.4.4, for 2 and 3 bits. The carry of the first adder, that
    comes with the second bit, ripples through all positions; each further row is added
    one position later and makes the longest path one step longer. More bits are
    extrapolated by that rule.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import multiplier_latency
    >>> multiplier_latency(torch.tensor([0, 1, 2, 3, 8]))
    tensor([0.0000, 1.0000, 1.9100, 2.1000, 3.0500])
    """
    return _piecewise_linear(bits, LATENCY)


def estimate_energy(
    bits: Sequence[torch.Tensor], multiplications: Sequence[torch.Tensor | float]
) -> EnergyEstimate:
    """Estimate what the multiplications of a network cost, with activations of 4 bits.

    Parameters
    ----------
    bits : sequence of torch.Tensor
        Bits of weights or of groups of weights, at least 0; one tensor a layer.
    multiplications : sequence of torch.Tensor or float
        How many each of them takes part in for a row, in shapes that broadcast
        with those of the bits: for a convolution the number of positions of its
        output; for a group, that times the number of its weights.

    Returns
    -------
    estimate : EnergyEstimate
        Relative to the same network with weights of one bit; zeros without
        multiplications.

    Raises
    ------
    ValueError
        If the two are not equally long, or bits or multiplications are negative.

    See Also
    --------
    multiplier_power : The model, and what it leaves out.

    Examples
    --------
    >>> import torch
    >>> from sklearn_pb.quantizers import estimate_energy
    >>> mixed = estimate_energy(
    ...     [torch.tensor([1, 2, 3])], [torch.tensor([74, 24.5, 1.5])]
    ... )
    >>> uniform = estimate_energy([torch.tensor(2)], [100.0])
    >>> round(mixed.power / uniform.power, 3), round(mixed.latency / uniform.latency, 3)
    (0.576, 0.649)
    """
    if len(bits) != len(multiplications):
        raise ValueError(
            f"multiplications for {len(multiplications)} layers must be as many as the "
            f"layers of bits, {len(bits)}."
        )
    total = power = latency = summed = 0.0
    for layer, uses in zip(bits, multiplications, strict=True):
        n, each = torch.broadcast_tensors(
            torch.as_tensor(uses, device=layer.device).double(), layer.double()
        )
        if n.numel() and min(float(n.min()), float(each.min())) < 0:
            raise ValueError("bits and multiplications must not be negative.")
        watts, seconds = multiplier_power(each), multiplier_latency(each)
        total += float(n.sum())
        power += float((n * watts).sum())
        latency += float((n * seconds).sum())
        summed += float((n * watts * seconds).sum())
    total = total or 1.0
    return EnergyEstimate(power / total, latency / total, summed / total)


def _piecewise_linear(
    bits: torch.Tensor, increments: tuple[float, float, float]
) -> torch.Tensor:
    first, second, further = increments
    real = bits if bits.is_floating_point() else bits.to(torch.float32)
    return (
        first * real.clamp(0.0, 1.0)
        + second * (real - 1.0).clamp(0.0, 1.0)
        + further * (real - 2.0).clamp(min=0.0)
    )
