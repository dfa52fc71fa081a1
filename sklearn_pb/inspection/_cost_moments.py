"""Moments of the cost given one bit, for independent and for coupled samples."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class CostMoments:
    """What is known of the costs of two samples once bit i of each is known.

    Parameters
    ----------
    mean : torch.Tensor of shape (d, 2)
        E[J | z_i = a].
    square : torch.Tensor of shape (d, 2)
        E[J^2 | z_i = a].
    cross : torch.Tensor of shape (d, 2, 2)
        E[J(z) J(z') | z_i = a, z'_i = b] of two different samples.
    """

    mean: torch.Tensor
    square: torch.Tensor
    cross: torch.Tensor

    def less(self, baselines: torch.Tensor) -> CostMoments:
        """Return the moments of J - baselines[i], for independent samples.

        Parameters
        ----------
        baselines : torch.Tensor of shape (d,)
            A constant a coordinate.

        Returns
        -------
        moments : CostMoments
            Those of the differences.
        """
        constant = baselines[:, None]
        mean = self.mean - constant
        square = self.square - 2 * constant * self.mean + constant**2
        return CostMoments(mean, square, mean[:, :, None] * mean[:, None, :])


def independent_moments(costs: torch.Tensor, theta: torch.Tensor) -> CostMoments:
    """Return the moments for samples that do not depend on each other.

    Parameters
    ----------
    costs : torch.Tensor of shape (2^d,)
        All costs, in the order of `enumerate_points`.
    theta : torch.Tensor of shape (d,)
        P(z_i = 1).

    Returns
    -------
    moments : CostMoments
        By enumeration.
    """
    mean = _given_each_bit(costs, theta)
    square = _given_each_bit(costs.square(), theta)
    return CostMoments(mean, square, mean[:, :, None] * mean[:, None, :])


def coupled_moments(
    costs: torch.Tensor, theta: torch.Tensor, correlation: torch.Tensor
) -> CostMoments:
    """Return the moments for samples whose bits are correlated.

    Parameters
    ----------
    costs : torch.Tensor of shape (2^d,)
        All costs, in the order of `enumerate_points`.
    theta : torch.Tensor of shape (d,)
        P(z_i = 1).
    correlation : torch.Tensor of shape (d,)
        Correlation of two samples of each bit; different bits are independent.

    Returns
    -------
    moments : CostMoments
        By enumeration. The joint law of two samples is a product over the bits, so the
        sum over pairs of points takes O(d 2^d) work and not 4^d.
    """
    pairs = _pair_probabilities(theta, correlation)
    alone = independent_moments(costs, theta)
    cross = torch.stack([_cross(costs, pairs, i) for i in range(len(theta))])
    return CostMoments(alone.mean, alone.square, cross)


def _given_each_bit(costs: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    weights = torch.stack([1 - theta, theta], dim=1)
    rows = []
    for i in range(len(theta)):
        left = _as_cube(costs)
        for k in range(len(theta)):  # the last axis is the bit of the least weight
            left = left.movedim(-1, 0) if k == i else left @ weights[k]
        rows.append(left)
    return torch.stack(rows)


def _pair_probabilities(theta: torch.Tensor, correlation: torch.Tensor) -> torch.Tensor:
    """P(z_i = a, z'_i = b) as a (d, 2, 2) tensor."""
    both = torch.stack([1 - theta, theta], dim=1)
    excess = correlation * theta * (1 - theta)
    signs = theta.new_tensor([[1.0, -1.0], [-1.0, 1.0]])
    return both[:, :, None] * both[:, None, :] + excess[:, None, None] * signs


def _cross(costs: torch.Tensor, pairs: torch.Tensor, i: int) -> torch.Tensor:
    """E[J J' | z_i = a, z'_i = b]: every other bit by its joint law."""
    d = len(pairs)
    cube = _as_cube(costs)
    other = cube
    for k in range(d):  # each axis comes to the end once, and all are in place again
        other = (other if k == i else other @ pairs[k]).movedim(-1, 0)
    axis = d - 1 - i
    first = cube.movedim(axis, 0).reshape(2, -1)
    second = other.movedim(axis, 0).reshape(2, -1)
    return first @ second.T


def _as_cube(costs: torch.Tensor) -> torch.Tensor:
    """One axis a bit; the last is bit 0."""
    return costs.reshape((2,) * (len(costs).bit_length() - 1))
