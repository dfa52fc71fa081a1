"""Parts of the small networks in architectures.py."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn


def conv_bn_relu(
    n_in: int, n_out: int, kernel: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Convolution without bias, batch norm, ReLU."""
    padding = kernel // 2
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
    )


def classifier(n_in: int, n_classes: int = 5) -> list[nn.Module]:
    """Average over the pixels, then a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_classes)]


def vgg(norm: bool) -> nn.Sequential:
    """Pairs of convolutions between pools, two hidden linear layers."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise([3, 8, 12, 16]):
        for first, last in ((n_in, n_out), (n_out, n_out)):
            layers.append(nn.Conv2d(first, last, 3, padding=1))
            layers += [nn.BatchNorm2d(last)] if norm else []
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        nn.Sequential(*layers),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 20),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(20, 20),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(20, 5),
    )


class Residual(nn.Module):
    """``act(body(x) + shortcut(x))``."""

    def __init__(
        self, body: nn.Module, shortcut: nn.Module, act: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut
        self.act = nn.Identity() if act is None else act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.body(x) + self.shortcut(x))


def shortcut(n_in: int, n_out: int, stride: int) -> nn.Module:
    """A projection where the shape changes."""
    if n_in == n_out and stride == 1:
        return nn.Identity()
    return conv_bn_relu(n_in, n_out, 1, stride)[:2]


def basic_block(n_in: int, n_out: int, stride: int) -> nn.Module:
    body = nn.Sequential(
        conv_bn_relu(n_in, n_out, 3, stride), *conv_bn_relu(n_out, n_out)[:2]
    )
    return Residual(body, shortcut(n_in, n_out, stride), nn.ReLU())


def bottleneck(n_in: int, n_out: int, stride: int) -> nn.Module:
    inner = n_out // 2
    body = nn.Sequential(
        conv_bn_relu(n_in, inner, 1),
        conv_bn_relu(inner, inner, 3, stride),
        *conv_bn_relu(inner, n_out, 1)[:2],
    )
    return Residual(body, shortcut(n_in, n_out, stride), nn.ReLU())


class PaddedBlock(nn.Module):
    """A basic block whose shortcut subsamples and appends channels of zeros."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn_relu(n_in, n_out, 3, stride)
        self.second = conv_bn_relu(n_out, n_out)[:2]
        self.stride, self.extra = stride, n_out - n_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.first(x))
        if self.extra:
            x = F.pad(
                x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra)
            )
        return F.relu(x + y)


def inverted_residual(n_in: int, n_out: int, stride: int) -> nn.Module:
    inner = 3 * n_in
    body = nn.Sequential(
        conv_bn_relu(n_in, inner, 1),
        conv_bn_relu(inner, inner, 3, stride, groups=inner),
        *conv_bn_relu(inner, n_out, 1)[:2],
    )
    plain = n_in == n_out and stride == 1
    return Residual(body, nn.Identity()) if plain else body


class Dense(nn.Module):
    """``cat(x, body(x))``."""

    def __init__(self, n_in: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.ReLU(),
            *conv_bn_relu(n_in, 2 * growth, 1),
            nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


class UNet(nn.Module):
    """Two levels down, two up, with the features of the way down concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([conv_bn_relu(1, 6), conv_bn_relu(6, 8)])
        self.bottom = conv_bn_relu(8, 12)
        self.up = nn.ModuleList(
            [nn.ConvTranspose2d(12, 8, 2, 2), nn.ConvTranspose2d(10, 6, 2, 2)]
        )
        self.merge = nn.ModuleList([conv_bn_relu(16, 10), conv_bn_relu(12, 6)])
        self.head = nn.Conv2d(6, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = []
        for down in self.down:
            seen.append(down(x))
            x = F.max_pool2d(seen[-1], 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([seen.pop(), up(x)], 1))
        return self.head(x)


class Branches(nn.Module):
    """Branches on the same input, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def inception(n_in: int) -> nn.Module:
    return Branches(
        conv_bn_relu(n_in, 4, 1),
        nn.Sequential(conv_bn_relu(n_in, 3, 1), conv_bn_relu(3, 6)),
        nn.Sequential(conv_bn_relu(n_in, 2, 1), conv_bn_relu(2, 4, 5)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_bn_relu(n_in, 2, 1)),
    )


class SqueezeExcite(nn.Module):
    """Channels times gates in (0, 1) that see the mean of every channel."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gates = self.excite(F.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * gates[:, :, None, None]


class Recurrent(nn.Module):
    """Embedding, recurrent layer, hidden layer and classes from the last step."""

    def __init__(self, layer: type[nn.RNNBase], **options) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.recurrent = layer(8, 12, batch_first=True, **options)
        self.hidden = nn.Linear(24 if self.recurrent.bidirectional else 12, 10)
        self.output = nn.Linear(10, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(self.embedding(x))
        return self.output(F.relu(self.hidden(states[:, -1])))


def encoder(width: int, n_heads: int, n_layers: int = 2, **options) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        width, n_heads, 2 * width, batch_first=True, **options
    )
    return nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)


class TextEncoder(nn.Module):
    """Embedded words with positions through an encoder, averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.position = nn.Parameter(0.1 * torch.randn(1, 7, 16))
        self.encoder = encoder(16, 4)
        self.output = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.encoder(self.embedding(x) + self.position).mean(1))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, an encoder with the norm first."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(0.1 * torch.randn(1, 1, 16))
        self.position = nn.Parameter(0.1 * torch.randn(1, 5, 16))
        self.encoder = encoder(16, 4, norm_first=True, activation="gelu")
        self.output = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1)
        return self.output(self.encoder(x + self.position)[:, 0])


class Mixer(nn.Module):
    """One layer of an MLP-mixer: first along the patches, then along the channels."""

    def __init__(self, n_patches: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.along_patches, self.along_channels = (
            nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n))
            for n in (n_patches, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.along_patches(self.norms[0](x).mT).mT
        return x + self.along_channels(self.norms[1](x))


class MlpMixer(nn.Module):
    """Patches through two mixers, averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.mixers = nn.Sequential(Mixer(4, 12), Mixer(4, 12), nn.LayerNorm(12))
        self.output = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.output(self.mixers(x).mean(1))


class TiedLanguageModel(nn.Module):
    """Causal encoder whose output layer is the embedding itself."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.encoder = encoder(16, 4)
        self.decoder = nn.Linear(16, 20)
        self.decoder.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(
            x.shape[1], device=x.device, dtype=self.embedding.weight.dtype
        )
        return self.decoder(self.encoder(self.embedding(x), mask=mask))
