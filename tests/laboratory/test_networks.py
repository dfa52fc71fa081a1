"""Networks of the benchmarks: sizes that papers report, and shapes."""

import pytest
import torch
from contests import NETWORKS
from torch import nn

# Parameters in millions: He et al. (2016), table 6; for VGG-19 Liu et al. (2017).
REPORTED = {"resnet-20": 0.27, "resnet-32": 0.46, "vgg-19": 20.04}
DEPTHS = {"resnet-20": 20, "resnet-32": 32, "vgg-16": 14, "vgg-19": 17}


def layers(network):
    kinds = (nn.Conv2d, nn.Linear)
    return [part for part in network.modules() if isinstance(part, kinds)]


@pytest.mark.parametrize("name", REPORTED)
def test_networks_are_as_large_as_reported(name):
    parameters = sum(p.numel() for p in NETWORKS[name]().parameters())
    assert round(parameters / 1e6, 2) == REPORTED[name]


@pytest.mark.parametrize("name", DEPTHS)
def test_networks_are_as_deep_as_they_are_called(name):
    """The VGG nets have one linear layer where those for large images have three."""
    assert len(layers(NETWORKS[name]())) == DEPTHS[name]


@pytest.mark.parametrize("name", ["resnet-32", "vgg-19"])
def test_colour_images_become_ten_outputs(name):
    network = NETWORKS[name]().eval()
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
