"""A generator of small images, the loss that trains it, and a judge of its images."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from running import fresh_net, load_images
from torch import nn


class Generator(nn.Sequential):
    """Images of 28 x 28 pixels between -1 and 1 from noise, by transposed convolutions.

    Parameters
    ----------
    n_inputs : int
        Numbers of noise.
    """

    def __init__(self, n_inputs: int) -> None:
        super().__init__(
            nn.Unflatten(1, (n_inputs, 1, 1)),
            nn.ConvTranspose2d(n_inputs, 64, 7, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )


class Critic(nn.Sequential):
    """Tells real images from drawn ones, by strided convolutions."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(64 * 49, 1),
        )


class AdversarialLoss(nn.Module):
    """What a generator loses against a critic, which learns whenever it is asked."""

    def __init__(self) -> None:
        super().__init__()
        critic = Critic()
        adam = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._opponent = (critic, adam)  # in a tuple: not for the net's own optimizer

    def forward(self, drawn: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Teach the critic, and return the generator's loss."""
        critic, adam = self._opponent
        critic.to(drawn.device)
        if drawn.requires_grad:
            adam.zero_grad()
            told = critic(real), critic(drawn.detach())
            loss = F.softplus(-told[0]).mean() + F.softplus(told[1]).mean()
            loss.backward()
            adam.step()
        return F.softplus(-critic(drawn)).mean()


def features_of(options: argparse.Namespace) -> Callable[[np.ndarray], np.ndarray]:
    """Train a small classifier of the images; return what its last layer is given.

    Parameters
    ----------
    options : argparse.Namespace
        With data, data_home, rows and device.
    """
    from sklearn_pb import MaskPruner

    (X, y), _ = load_images(options)
    judge = argparse.Namespace(network="strided-conv", batch_size=128, device="cpu")
    pruner = MaskPruner(
        fresh_net(judge, 4), method="magnitude", sparsity=0.0, random_state=0
    )
    return pruner.fit(X, y).transform


def frechet_distance(drawn: np.ndarray, real: np.ndarray) -> float:
    """Distance of two clouds of features, each taken for a normal distribution.

    Parameters
    ----------
    drawn, real : numpy.ndarray of shape (n, n_features)
        The features.
    """
    means = drawn.mean(0) - real.mean(0)
    first, second = (np.cov(rows, rowvar=False) for rows in (drawn, real))
    # The trace of the root of a product of two covariances: its eigenvalues are real.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0))
    return float(means @ means + np.trace(first + second) - 2 * roots.sum())
