"""Networks of the benchmarks."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn


class LeNet300100(nn.Sequential):
    """LeNet-300-100: fully connected, 266,200 weights on 28 x 28 images."""

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(784, 300),
            nn.ReLU(),
            nn.Linear(300, 100),
            nn.ReLU(),
            nn.Linear(100, 10),
        )


class SmallConv(nn.Sequential):
    """Two convolutions and two linear layers, 105,000 weights on 28 x 28 images."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 49, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )


class StridedConv(nn.Sequential):
    """`SmallConv` with strides for poolings: as many weights, a fifth of the time."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 49, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )


class Conv6(nn.Sequential):
    """Conv-6 for 32 x 32 images (Frankle and Carbin, 2019), 2.26 million weights."""

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise((3, 64, 128, 256)):
            layers += [
                nn.Conv2d(n_in, n_out, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(n_out, n_out, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        super().__init__(
            *layers,
            nn.Flatten(),
            nn.Linear(256 * 16, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 10),
        )


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride, self.extra = stride, n_out - n_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.extra or self.stride > 1:  # option A: subsample and pad with zeros
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra)
            )
        return F.relu(x + y)


class ResNet20(nn.Sequential):
    """ResNet-20 for 32 x 32 colour images (He et al., 2016), 270,000 weights."""

    blocks_a_stage = 3

    def __init__(self) -> None:
        n = self.blocks_a_stage
        widths = [16] * (n + 1) + [32] * n + [64] * n
        blocks = [
            _Block(n_in, n_out, 2 if n_out > n_in else 1)
            for n_in, n_out in pairwise(widths)
        ]
        super().__init__(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *blocks,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )


class ResNet32(ResNet20):
    """ResNet-32 for 32 x 32 colour images (He et al., 2016), 460,000 weights."""

    blocks_a_stage = 5


class VGG16(nn.Sequential):
    """VGG-16 with batch norm for 32 x 32 images: 14.7 million weights."""

    late_layers = 3  # of each of the last three stages

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        n_in = 3
        late = self.late_layers
        for stage in ((64,) * 2, (128,) * 2, (256,) * late, *[(512,) * late] * 2):
            for n_out in stage:
                layers += [
                    nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                    nn.BatchNorm2d(n_out),
                    nn.ReLU(),
                ]
                n_in = n_out
            layers.append(nn.MaxPool2d(2))
        super().__init__(*layers, nn.Flatten(), nn.Linear(512, 10))


class VGG19(VGG16):
    """VGG-19 with batch norm for 32 x 32 images (Liu et al., 2017): 20.04 million."""

    late_layers = 4


class Augmented(nn.Module):
    """A network that sees its training images shifted and flipped at random.

    Parameters
    ----------
    network : nn.Module class
        For 32 x 32 images.
    shift : int, default=4
        Most pixels in each direction.
    """

    def __init__(self, network: type[nn.Module], shift: int = 4) -> None:
        super().__init__()
        self.network, self.shift = network(), shift

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Apply the network, after crops and flips of each image in training."""
        return self.network(self._changed(X) if self.training else X)

    def _changed(self, X: torch.Tensor) -> torch.Tensor:
        n, _, height, width = X.shape
        # Drawn on the CPU, so that a device gives the images of another one.
        down, right = torch.randint(2 * self.shift + 1, (2, n, 1)).to(X.device)
        flip = (torch.rand(n, 1) < 0.5).to(X.device)
        rows = down + torch.arange(height, device=X.device)
        columns = torch.arange(width, device=X.device).expand(n, -1)
        columns = right + torch.where(flip, width - 1 - columns, columns)
        padded = F.pad(X, (self.shift,) * 4).movedim(1, -1)
        image = torch.arange(n, device=X.device)[:, None, None]
        return padded[image, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)
