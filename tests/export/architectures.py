"""Small networks of every kind, with batch norm statistics that are not the default.

``ARCHITECTURES`` maps a name to a function without arguments that returns the same
(module in eval mode, tuple of example inputs) at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from itertools import pairwise

import torch
from network_parts import (
    Dense,
    MlpMixer,
    PaddedBlock,
    Recurrent,
    SqueezeExcite,
    TextEncoder,
    TiedLanguageModel,
    UNet,
    VisionTransformer,
    basic_block,
    bottleneck,
    classifier,
    conv_bn_relu,
    inception,
    inverted_residual,
    vgg,
)
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


@architecture
def vgg_bn() -> Made:
    return vgg(norm=True), images(3, 16, 16)


@architecture
def vgg_plain() -> Made:
    return vgg(norm=False), images(3, 16, 16)


@architecture
def resnet_20() -> Made:
    widths = [4, 4, 4, 4, 8, 8, 8, 16, 16, 16]
    blocks = [basic_block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    return nn.Sequential(conv_bn_relu(3, 4), *blocks, *classifier(16)), images(
        3, 16, 16
    )


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


@architecture
def unet() -> Made:
    return UNet(), images(1, 8, 8)


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


@architecture
def lstm() -> Made:
    return Recurrent(nn.LSTM), tokens(20, 7)


@architecture
def gru() -> Made:
    return Recurrent(nn.GRU), tokens(20, 7)


@architecture
def lstm_both_ways() -> Made:
    return Recurrent(nn.LSTM, num_layers=2, bidirectional=True), tokens(20, 7)


@architecture
def transformer() -> Made:
    return TextEncoder(), tokens(20, 7)


@architecture
def vit() -> Made:
    return VisionTransformer(), images(3, 8, 8)


@architecture
def mlp_mixer() -> Made:
    return MlpMixer(), images(3, 8, 8)


@architecture
def tied_language_model() -> Made:
    return TiedLanguageModel(), tokens(20, 7)
