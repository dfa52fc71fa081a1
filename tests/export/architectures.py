"""Small networks of every kind, with batch norm statistics that are not the default.

``ARCHITECTURES`` maps a name to a function without arguments that returns the same
(module in eval mode, tuple of example inputs) at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Made = tuple[nn.Module, tuple[torch.Tensor, ...]]
ARCHITECTURES: dict[str, Callable[[], Made]] = {}


def architecture(make: Callable[[], Made]) -> Callable[[], Made]:
    """Register a network that is the same at every call."""

    @wraps(make)
    def seeded() -> Made:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module, inputs = make()
            randomize_norms(module, inputs)
        return module.eval(), inputs

    ARCHITECTURES[make.__name__.replace("_", "-")] = seeded
    return seeded


@torch.no_grad()
def randomize_norms(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    """Draw affine parameters of norms, and let batch norms see a few batches."""
    for layer in module.modules():
        if isinstance(layer, (_BatchNorm, nn.GroupNorm, nn.LayerNorm)):
            layer.weight.uniform_(0.5, 1.5)
            layer.bias.normal_(0.0, 0.3)
    module.train()
    for _ in range(3):
        module(
            *(torch.randn_like(x) + 0.3 if x.is_floating_point() else x for x in inputs)
        )


def images(channels: int, *size: int, batch: int = 4) -> tuple[torch.Tensor]:
    """One batch of noise."""
    return (torch.randn(batch, channels, *size),)


def tokens(n_tokens: int, length: int, batch: int = 4) -> tuple[torch.Tensor]:
    """One batch of random words."""
    return (torch.randint(n_tokens, (batch, length)),)


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


@architecture
def lenet_300_100() -> Made:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 30),
        nn.ReLU(),
        nn.Linear(30, 10),
        nn.ReLU(),
        nn.Linear(10, 5),
    ), images(1, 8, 8)


@architecture
def lenet_5() -> Made:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 24),
        nn.Tanh(),
        nn.Linear(24, 5),
    ), images(1, 16, 16)


@architecture
def small_conv() -> Made:
    return nn.Sequential(
        conv_bn_relu(1, 8),
        nn.MaxPool2d(2),
        conv_bn_relu(8, 12),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(48, 16),
        nn.ReLU(),
        nn.Linear(16, 5),
    ), images(1, 8, 8)


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


@architecture
def vgg_bn() -> Made:
    return vgg(norm=True), images(3, 16, 16)


@architecture
def vgg_plain() -> Made:
    return vgg(norm=False), images(3, 16, 16)


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


@architecture
def resnet_20() -> Made:
    widths = [4, 4, 4, 4, 8, 8, 8, 16, 16, 16]
    blocks = [basic_block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    return nn.Sequential(conv_bn_relu(3, 4), *blocks, *classifier(16)), images(
        3, 16, 16
    )


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


@architecture
def resnet_padded() -> Made:
    widths = [4, 4, 8, 8, 16]
    blocks = [PaddedBlock(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    return nn.Sequential(conv_bn_relu(3, 4), *blocks, *classifier(16)), images(
        3, 16, 16
    )


@architecture
def resnet_bottleneck() -> Made:
    widths = [8, 16, 16, 24, 24]
    blocks = [bottleneck(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    return nn.Sequential(conv_bn_relu(3, 8), *blocks, *classifier(24)), images(
        3, 16, 16
    )


def inverted_residual(n_in: int, n_out: int, stride: int) -> nn.Module:
    inner = 3 * n_in
    body = nn.Sequential(
        conv_bn_relu(n_in, inner, 1),
        conv_bn_relu(inner, inner, 3, stride, groups=inner),
        *conv_bn_relu(inner, n_out, 1)[:2],
    )
    plain = n_in == n_out and stride == 1
    return Residual(body, nn.Identity()) if plain else body


@architecture
def mobilenet_v2() -> Made:
    widths = [8, 8, 12, 12, 16, 16]
    blocks = [inverted_residual(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    return nn.Sequential(
        conv_bn_relu(3, 8, stride=2),
        *blocks,
        conv_bn_relu(16, 24, 1),
        *classifier(24),
    ), images(3, 16, 16)


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


@architecture
def densenet() -> Made:
    growth, width = 4, 8
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False)]
    for block in range(2):
        for _ in range(3):
            layers.append(Dense(width, growth))
            width += growth
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        if block == 0:  # the transition halves channels and pixels
            layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(*layers, *classifier(width)), images(3, 8, 8)


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


@architecture
def unet() -> Made:
    return UNet(), images(1, 8, 8)


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


@architecture
def inception_like() -> Made:
    return nn.Sequential(
        conv_bn_relu(3, 8),
        inception(8),
        nn.MaxPool2d(2),
        inception(16),
        *classifier(16),
    ), images(3, 8, 8)


@architecture
def conv_1d() -> Made:
    return nn.Sequential(
        nn.Conv1d(2, 8, 5, padding=2),
        nn.BatchNorm1d(8),
        nn.LeakyReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 12, 3, padding=1, dilation=1),
        nn.BatchNorm1d(12),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(12 * 8, 5),
    ), images(2, 16)


@architecture
def conv_3d() -> Made:
    return nn.Sequential(
        nn.Conv3d(1, 6, 3, padding=1),
        nn.BatchNorm3d(6),
        nn.ReLU(),
        nn.MaxPool3d(2),
        nn.Conv3d(6, 8, 3, padding=1),
        nn.BatchNorm3d(8),
        nn.SiLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    ), images(1, 4, 6, 6)


@architecture
def depthwise_separable() -> Made:
    def separable(n_in: int, n_out: int) -> nn.Sequential:
        depthwise = conv_bn_relu(n_in, n_in, groups=n_in)
        return nn.Sequential(depthwise, conv_bn_relu(n_in, n_out, 1))

    return nn.Sequential(
        conv_bn_relu(3, 8), separable(8, 12), separable(12, 16), *classifier(16)
    ), images(3, 8, 8)


class SqueezeExcite(nn.Module):
    """Channels times gates in (0, 1) that see the mean of every channel."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gates = self.excite(F.relu(self.squeeze(x.mean((2, 3))))).sigmoid()
        return x * gates[:, :, None, None]


@architecture
def squeeze_excite() -> Made:
    return nn.Sequential(
        conv_bn_relu(3, 8),
        SqueezeExcite(8, 4),
        conv_bn_relu(8, 12),
        SqueezeExcite(12, 4),
        *classifier(12),
    ), images(3, 8, 8)


@architecture
def autoencoder() -> Made:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(6, 10, 3, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(10, 6, 2, 2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 1, 2, 2),
        nn.Sigmoid(),
    ), images(1, 8, 8)


class Recurrent(nn.Module):
    """Embedding, recurrent layer, hidden layer and classes from the last step."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.recurrent = layer(8, 12, batch_first=True)
        self.hidden = nn.Linear(12, 10)
        self.output = nn.Linear(10, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(self.embedding(x))
        return self.output(F.relu(self.hidden(states[:, -1])))


@architecture
def lstm() -> Made:
    return Recurrent(nn.LSTM), tokens(20, 7)


@architecture
def gru() -> Made:
    return Recurrent(nn.GRU), tokens(20, 7)


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


@architecture
def transformer() -> Made:
    return TextEncoder(), tokens(20, 7)


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


@architecture
def vit() -> Made:
    return VisionTransformer(), images(3, 8, 8)


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


@architecture
def mlp_mixer() -> Made:
    return MlpMixer(), images(3, 8, 8)


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


@architecture
def tied_language_model() -> Made:
    return TiedLanguageModel(), tokens(20, 7)
