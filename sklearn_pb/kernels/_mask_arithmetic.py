"""Arithmetic of masked weights and soft masks, in plain torch on any device."""

from __future__ import annotations

import torch


def put_masked(
    out: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor, scale: float
) -> None:
    """Put ``weight * mask * scale`` into `out`."""
    torch.mul(weight, mask, out=out)
    if scale != 1:
        out.mul_(scale)


def add_masked(
    total: torch.Tensor, gradient: torch.Tensor, mask: torch.Tensor, scale: float
) -> None:
    """Add ``gradient * mask * scale`` to a total."""
    total.addcmul_(gradient, mask, value=scale)


def split_gradient(
    slope: torch.Tensor,
    gradient: torch.Tensor,
    weight: torch.Tensor,
    mask: torch.Tensor,
    scale: float,
) -> None:
    """Turn the gradient of ``weight * mask * scale`` into those of its factors.

    That of the mask goes into `slope`, that of the weight replaces `gradient`.
    """
    torch.mul(gradient, weight, out=slope)
    gradient.mul_(mask)
    if scale != 1:
        slope.mul_(scale)
        gradient.mul_(scale)


def put_logistic(out: torch.Tensor, logits: torch.Tensor, sharpness: float) -> None:
    """Put the logistic sigmoid of ``sharpness * logits`` into `out`."""
    torch.mul(logits, sharpness, out=out).sigmoid_()
